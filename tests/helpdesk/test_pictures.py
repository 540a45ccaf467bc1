"""Pictures are painted anew."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from helpdesk.pictures import FRAMES, SCANS, Broken, TooManyPixels, painted_anew

from . import samples

PIXELS = 1_000_000
FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", FORMATS)
def test_it_stays_what_it_was(format: str) -> None:
    picture = painted_anew(samples.picture(format), FORMATS[format], PIXELS)
    assert opened(picture.data).format == format
    assert (picture.width, picture.height) == (40, 20)
    red, green, blue = opened(picture.data).convert("RGB").getpixel((20, 10))
    assert red < 10
    assert abs(green - 128) < 10
    assert abs(blue - 128) < 10


def test_it_stands_upright() -> None:
    picture = painted_anew(samples.photograph_with_a_place(), "image/jpeg", PIXELS)
    assert (picture.width, picture.height) == (20, 40)


def test_it_does_not_tell_where_it_was_taken() -> None:
    picture = painted_anew(samples.photograph_with_a_place(), "image/jpeg", PIXELS)
    assert not opened(picture.data).getexif()
    assert b"Phonemaker" not in picture.data
    assert b"secret garden" not in picture.data


@pytest.mark.parametrize("format", FORMATS)
def test_what_hides_behind_it_stays_behind(format: str) -> None:
    double = samples.picture(format) + samples.archive("Evil.class")
    picture = painted_anew(double, FORMATS[format], PIXELS)
    assert b"Evil.class" not in picture.data


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_its_colour_profile_stays_behind(format: str) -> None:
    data = samples.picture(format, icc_profile=b"hidden words" * 20)
    picture = painted_anew(data, FORMATS[format], PIXELS)
    assert "icc_profile" not in opened(picture.data).info


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_an_animation_still_moves(format: str) -> None:
    picture = painted_anew(samples.animation(format), FORMATS[format], PIXELS)
    moving = opened(picture.data)
    assert moving.n_frames == 3  # type: ignore[attr-defined]
    moving.seek(1)
    moving.load()
    assert moving.info["duration"] == 80


def test_of_a_huge_animation_one_frame_stays() -> None:
    picture = painted_anew(samples.animation("GIF"), "image/gif", pixels=30 * 30 * 2)
    assert opened(picture.data).n_frames == 1  # type: ignore[attr-defined]


def test_of_an_endless_animation_one_frame_stays() -> None:
    endless = samples.animation("GIF", frames=FRAMES + 1)
    picture = painted_anew(endless, "image/gif", PIXELS)
    assert opened(picture.data).n_frames == 1  # type: ignore[attr-defined]


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(out, "PNG")
    picture = painted_anew(out.getvalue(), "image/png", PIXELS)
    assert opened(picture.data).getpixel((4, 4)) == (255, 0, 0, 0)


def test_colours_for_print_become_colours_for_screens() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (9, 9)).save(out, "JPEG")
    picture = painted_anew(out.getvalue(), "image/jpeg", PIXELS)
    assert opened(picture.data).mode == "RGB"


def test_a_bomb_is_not_decoded() -> None:
    start = time.process_time()
    with pytest.raises((TooManyPixels, Broken)):
        painted_anew(samples.bomb(), "image/png", PIXELS)
    assert time.process_time() - start < 0.5


def test_one_pixel_too_many() -> None:
    data = samples.picture("PNG", (40, 20))
    assert painted_anew(data, "image/png", pixels=800)
    with pytest.raises(TooManyPixels):
        painted_anew(data, "image/png", pixels=799)


def test_a_gif_may_not_grow_behind_its_header() -> None:
    """Its screen is one pixel, its frame 60,000 by 60,000."""
    small = bytearray(samples.picture("GIF", (1, 1)))
    at = small.index(b",\0\0\0\0\1\0\1\0")
    small[at + 5 : at + 9] = (60_000).to_bytes(2, "little") * 2
    with pytest.raises((Broken, TooManyPixels)):
        painted_anew(bytes(small), "image/gif", PIXELS)


def test_a_jpeg_of_endless_scans_is_broken() -> None:
    with pytest.raises(Broken):
        painted_anew(
            samples.picture("JPEG") + b"\xff\xda" * SCANS, "image/jpeg", PIXELS
        )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_half_a_picture_is_broken(format: str, part: float) -> None:
    noise = Image.effect_noise((80, 80), 50).convert("RGB")
    out = io.BytesIO()
    noise.save(out, format)
    data = out.getvalue()[: int(out.tell() * part)]
    with pytest.raises(Broken):
        painted_anew(data, FORMATS[format], PIXELS)


@pytest.mark.parametrize("format", FORMATS)
def test_another_kind_of_picture_is_broken(format: str) -> None:
    """Only the decoder that was meant ever sees the bytes."""
    other = samples.picture("BMP")
    with pytest.raises(Broken):
        painted_anew(other, FORMATS[format], PIXELS)
