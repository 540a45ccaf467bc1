"""What a file is, whatever it is called."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.filetypes import ENDINGS, NAME_CHARS, TYPES, clean_name, look

from . import samples


@pytest.mark.parametrize("kind", samples.TAKEN)
def test_it_knows_what_is_taken(kind: str) -> None:
    data, type = samples.TAKEN[kind]
    found = look(data)
    assert found is not None
    assert found.type == type


@pytest.mark.parametrize("kind", samples.REFUSED)
def test_it_refuses_everything_else(kind: str) -> None:
    assert look(samples.REFUSED[kind], "innocent.png") is None


def test_text_may_call_itself_csv() -> None:
    found = look(b"a,b\n1,2\n", "table.CSV")
    assert found is not None
    assert found.type == "text/csv"


def test_a_name_does_not_make_a_page_into_csv() -> None:
    assert look(b"<html>", "table.csv") is None


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("wav", 2), ("ogg", 1), ("mp4", 3), ("film webm", 4), ("mp3", None)],
)
def test_it_tells_how_long_it_plays(kind: str, seconds: float | None) -> None:
    found = look(samples.TAKEN[kind][0])
    assert found is not None
    assert found.duration == seconds


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    look(data)


@given(st.sampled_from(sorted(samples.TAKEN)), st.data())
def test_no_damage_is_too_strange(kind: str, draw: st.DataObject) -> None:
    data = bytearray(samples.TAKEN[kind][0])
    places = st.integers(0, len(data) - 1)
    for place in draw.draw(st.lists(places, max_size=8)):
        data[place] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    look(bytes(data[:cut]))


@pytest.mark.parametrize(
    "slow",
    [
        samples.box(b"ftyp", b"isom") + b"\0\0\0\x08free" * 600_000,
        samples.webm(1)[:40] + b"\xec\x80" * 2_000_000,
        b"PK\3\4" + b"PK\1\2" + b"\0" * 42 * 100_000,
        b"\xff\xfb\x90\x00" * 1_000_000,
        b"OggS\0" * 1_000_000,
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 600_000,
        b"%PDF-1.4" + b"PK\5\6" * 1_000_000 + b"%%EOF",
        b" " * 5_000_000,
        b"\n" * 5_000_000 + b"x",
    ],
    ids=[
        "boxes",
        "elements",
        "directory",
        "mp3",
        "ogg",
        "riff",
        "pdf",
        "blank",
        "lines",
    ],
)
def test_nothing_keeps_it_busy(slow: bytes) -> None:
    start = time.process_time()
    look(slow)
    assert time.process_time() - start < 1


# --- names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_name", "type", "kept"),
    [
        ("holiday.jpg", "image/jpeg", "holiday.jpg"),
        ("Holiday.JPEG", "image/jpeg", "Holiday.JPEG"),
        ("发票 2026.pdf", "application/pdf", "发票 2026.pdf"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\Cora\\photo.png", "image/png", "photo.png"),
        ("..", "image/png", "file.png"),
        ("...hidden.png", "image/png", "hidden.png"),
        ("", "image/png", "file.png"),
        (".png", "image/png", "png.png"),
        ("photo.png", "image/jpeg", "photo.jpg"),
        ("page.html", "text/plain", "page.html.txt"),
        ("photo.jpg.exe", "image/jpeg", "photo.jpg.exe.jpg"),
        ("photo\u202egpj.exe", "text/plain", "photogpj.exe.txt"),
        ("a\u200bb\u2060c\ufeff.png", "image/png", "abc.png"),
        ("a\u3164\u2800b.png", "image/png", "ab.png"),
        ("a\r\nSet-Cookie: x=1.png", "image/png", "a Set-Cookie_ x=1.png"),
        ("nul\0byte.png", "image/png", "nulbyte.png"),
        ('<img src="x">.png', "image/png", "_img src=_x__.png"),
        ("half \ud800 pair.png", "image/png", "half pair.png"),
        ("cafe\u0301.png", "image/png", "café.png"),
        ("many   spaces\t.png", "image/png", "many spaces.png"),
    ],
)
def test_a_name_is_cleaned(given_name: str, type: str, kept: str) -> None:
    assert clean_name(given_name, type) == kept


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_name("名" * 500 + ".png", "image/png")
    assert name == "名" * NAME_CHARS + ".png"


@given(st.text(), st.sampled_from(sorted(TYPES)))
def test_every_name_becomes_one_that_is_safe_to_save(name: str, type: str) -> None:
    clean = clean_name(name, type)
    stem, _, ending = clean.rpartition(".")
    assert stem
    assert ending.lower() in TYPES[type]
    assert ending.lower() in ENDINGS
    assert not set(clean) & set('/\\\0\r\n<>:"|?*')
    assert clean.isprintable()
    assert len(clean.encode()) <= 255 + NAME_CHARS


@given(st.text(), st.sampled_from(sorted(TYPES)))
def test_cleaning_twice_changes_nothing(name: str, type: str) -> None:
    once = clean_name(name, type)
    assert clean_name(once, type) == once
