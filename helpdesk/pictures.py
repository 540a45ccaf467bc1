"""Pictures are painted anew: the pixels stay, and everything that came along (where
it was taken, by whom, a hidden archive, a bug for somebody's decoder) stays behind.

Pure: bytes in, bytes out. Costs up to some seconds of processor time and eight bytes
a pixel, so callers bound how many run at once.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

FRAMES = 300  # of an animation; with more, its first stands for it
SCANS = 100  # of a progressive JPEG; ordinary ones have about ten
FORMATS = {
    "image/jpeg": ("JPEG", {"quality": 85}),
    "image/png": ("PNG", {"compress_level": 4}),
    "image/webp": ("WEBP", {"quality": 85, "method": 2}),
    "image/gif": ("GIF", {}),
}
# What Pillow raises for files made to break it, or merely cut off.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    MemoryError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
# Pillow would only warn of a picture with up to twice the pixels it thinks safe.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Broken(Exception):
    """Nobody could show this picture."""


class TooManyPixels(Exception):
    """It would fill the memory."""


@dataclass(frozen=True)
class Picture:
    data: bytes
    width: int
    height: int


def painted_anew(data: bytes, type: str, pixels: int) -> Picture:
    """The same picture without anything else. `pixels` bounds what is decoded.
    Raises Broken or TooManyPixels."""
    # Each scan goes over all pixels again: a small file could keep us busy for hours.
    if type == "image/jpeg" and data.count(b"\xff\xda") > SCANS:
        raise Broken
    format, options = FORMATS[type]
    try:
        with Image.open(io.BytesIO(data), formats=(format,)) as image:
            # The header has been read, no pixel has been decoded.
            if image.width * image.height > pixels:
                raise TooManyPixels
            frames, durations = _frames(image, type, pixels)
            return _saved(frames, durations, format, options)
    except BROKEN as error:
        raise Broken from error


def _frames(
    image: Image.Image, type: str, pixels: int
) -> tuple[list[Image.Image], list[int]]:
    """All frames of an animation and how many milliseconds each is shown, or one."""
    if type not in ("image/gif", "image/webp"):
        return [_upright(image, type)], [0]
    frames: list[Image.Image] = []
    durations: list[int] = []
    try:
        for index in range(FRAMES + 1):
            image.seek(index)
            # A later frame may claim to be larger than the first.
            if image.width * image.height * (index + 1) > pixels or index == FRAMES:
                return frames[:1], [0]
            frames.append(_bare(image, type))
            durations.append(int(image.info.get("duration") or 0))
    except EOFError:
        pass
    if len(frames) > 1:
        return frames, durations
    image.seek(0)
    return [_upright(image, type)], [0]


def _upright(image: Image.Image, type: str) -> Image.Image:
    """Turned as the camera says it should be, since that goes with the rest."""
    return _bare(ImageOps.exif_transpose(image), type)


def _bare(image: Image.Image, type: str) -> Image.Image:
    """The pixels alone, in colours that the format can hold."""
    image.load()
    if type == "image/jpeg" and image.mode not in ("RGB", "L"):
        bare = image.convert("RGB")
    elif type != "image/png" and image.mode == "P":
        bare = image.convert("RGBA" if "transparency" in image.info else "RGB")
    else:
        bare = image.copy()
    transparency = bare.info.get("transparency")
    bare.info = {} if transparency is None else {"transparency": transparency}
    bare.getexif().clear()
    return bare


def _saved(
    frames: list[Image.Image],
    durations: list[int],
    format: str,
    options: dict[str, Any],
) -> Picture:
    first, *others = frames
    if others:
        moving = {"append_images": others, "duration": durations, "loop": 0}
        options = options | moving | {"save_all": True}
        if format == "GIF":
            options |= {"disposal": 2}
    out = io.BytesIO()
    first.save(out, format, **options)
    return Picture(out.getvalue(), *first.size)
