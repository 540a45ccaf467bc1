"""Small files of every kind, made here byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image

from helpdesk.filetypes import OFFICE, OPEN


def picture(
    format: str = "PNG", size: tuple[int, int] = (40, 20), **options: Any
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, format, **options)
    return out.getvalue()


def animation(format: str = "GIF", frames: int = 3) -> bytes:
    first, *others = [
        Image.new("RGB", (30, 30), (i * 40 % 256, 90, i % 7 * 30))
        for i in range(frames)
    ]
    out = io.BytesIO()
    first.save(out, format, save_all=True, append_images=others, duration=80)
    return out.getvalue()


def photograph_with_a_place() -> bytes:
    """As a phone takes it: lying on its side, and telling where."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise
    exif[0x010F] = "Phonemaker"
    exif.get_ifd(0x8825).update({1: "N", 2: (60.0, 10.0, 13.0), 3: "E"})
    return picture("JPEG", exif=exif, comment=b"my secret garden")


def bomb() -> bytes:
    """A PNG of some hundred bytes that asks for ten gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    packed = zlib.compress(b"\0" * 4096)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    )


# --- sounds and films ------------------------------------------------------------


def wav(seconds: int = 2) -> bytes:
    data = b"\x80" * (8_000 * seconds)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 8_000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3() -> bytes:
    """Two frames of 128 kbit/s at 44.1 kHz, 417 bytes each."""
    return (b"\xff\xfb\x90\x00" + b"\0" * 413) * 2


def aac() -> bytes:
    length = 60
    header = bytes((0xFF, 0xF1, 0x50, 0x80 | length >> 11, length >> 3 & 255))
    header += bytes(((length & 7) << 5, 0xFC))
    return (header + b"\x21" * (length - 7)) * 3


def ogg() -> bytes:
    """An Opus stream of one second that drops its first 312 samples."""
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48_000, 0, 0)
    pages = ((2, 0, head), (4, 48_312, b"\xfc" * 20))
    return b"".join(
        struct.pack("<4sBBqIIIB", b"OggS", 0, flag, at, 7, number, 0, 1)
        + bytes((len(content),))
        + content
        for number, (flag, at, content) in enumerate(pages)
    )


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def mp4(*handlers: bytes, brand: bytes = b"isom") -> bytes:
    """Three seconds, with a track for each handler."""
    header = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1_000, 3_000) + b"\0" * 80)
    tracks = b"".join(
        box(b"trak", box(b"mdia", box(b"hdlr", b"\0" * 8 + handler + b"\0" * 12)))
        for handler in handlers
    )
    film = box(b"ftyp", brand + b"\0\0\0\1") + box(b"moov", header + tracks)
    return film + box(b"mdat", b"\1" * 200)


def webm(kind: int, *, length_known: bool = True, doc_type: bytes = b"webm") -> bytes:
    """Four seconds; `kind` is 1 for a film, 2 for a sound."""

    def element(id: str, content: bytes) -> bytes:
        return bytes.fromhex(id) + (1 << 56 | len(content)).to_bytes(8) + content

    info = element("1549a966", element("4489", struct.pack(">d", 4_000.0)))
    tracks = element("1654ae6b", element("ae", element("83", bytes((kind,)))))
    content = info + tracks + element("1f43b675", b"\1" * 50)
    segment = element("18538067", content)
    if not length_known:
        segment = bytes.fromhex("18538067" + "01ffffffffffffff") + content
    return element("1a45dfa3", element("4282", doc_type)) + segment


# --- documents -------------------------------------------------------------------


def pdf() -> bytes:
    return b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\nstartxref\n9\n%%EOF\n"


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "content of " + name)
    return out.getvalue()


def office(folder: str = "word", *others: str) -> bytes:
    return archive("[Content_Types].xml", f"{folder}/document.xml", *others)


def open_document(kind: str = "text") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("mimetype", OPEN + kind)
        made.writestr("content.xml", "<x/>")
    return out.getvalue()


TAKEN = {
    "png": (picture(), "image/png"),
    "jpeg": (picture("JPEG"), "image/jpeg"),
    "webp": (picture("WEBP"), "image/webp"),
    "gif": (picture("GIF"), "image/gif"),
    "wav": (wav(), "audio/wav"),
    "mp3": (mp3(), "audio/mpeg"),
    "tagged mp3": (b"ID3\4\0\0\0\0\0\x14" + b"\0" * 20 + mp3(), "audio/mpeg"),
    "aac": (aac(), "audio/aac"),
    "ogg": (ogg(), "audio/ogg"),
    "m4a": (mp4(b"soun", brand=b"M4A "), "audio/mp4"),
    "mp4": (mp4(b"vide", b"soun"), "video/mp4"),
    "mov": (mp4(b"vide", b"soun", brand=b"qt  "), "video/quicktime"),
    "sound webm": (webm(2), "audio/webm"),
    "film webm": (webm(1), "video/webm"),
    "webm of unknown length": (webm(1, length_known=False), "video/webm"),
    "pdf": (pdf(), "application/pdf"),
    "text": (b"Order 17 came broken.\nSee line 2.\n", "text/plain"),
    "chinese text": ("订单十七坏了。".encode(), "text/plain"),
    "old chinese text": ("订单十七坏了。".encode("gb18030"), "text/plain"),
    "windows text": ("Łódź".encode("utf-16"), "text/plain"),
    "zip": (archive("a.txt", "b/c.png"), "application/zip"),
    "docx": (office("word"), f"{OFFICE}wordprocessingml.document"),
    "xlsx": (office("xl"), f"{OFFICE}spreadsheetml.sheet"),
    "pptx": (office("ppt"), f"{OFFICE}presentationml.presentation"),
    "odt": (open_document("text"), f"{OPEN}text"),
    "ods": (open_document("spreadsheet"), f"{OPEN}spreadsheet"),
}

REFUSED = {
    "nothing": b"",
    "blank": b" \n\n ",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "svg with a prologue": b'\xef\xbb\xbf\n<?xml version="1.0"?><svg/>',
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "html without a head": b"\n\n<p onclick=alert(1)>hello</p>",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "windows program": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0",
    "linux program": b"\x7fELF\2\1\1\0" + b"\0" * 40,
    "postscript": b"%!PS-Adobe-3.0\n",
    "rich text": b"{\\rtf1 hello}",
    "page in a mail": b"MIME-Version: 1.0\nContent-Type: text/html\n\n<b>x</b>",
    "text with a nul": b"hello\0world",
    "text with an escape": b"hello \x1b]0;title\x07",
    "broken utf-16": b"\xff\xfe\x00\xd8",
    "truncated mp4": mp4(b"vide")[:-20],
    "truncated webm": webm(1)[:-20],
    "truncated zip": archive("a.txt")[:-5],
    "heic": box(b"ftyp", b"heic\0\0\0\1") + box(b"meta", b"\0" * 40),
    "matroska": webm(1, doc_type=b"matroska"),
    "webm of subtitles": webm(17),
    "one mp3 frame": mp3()[:417],
    "java archive": archive("META-INF/MANIFEST.MF", "Evil.class"),
    "archive with a program": archive("invoice.pdf.EXE"),
    "document with macros": office("word", "word/vbaProject.bin"),
    "open document with macros": archive("mimetype", "Basic/Standard/Module1.xml"),
    # Two things at once.
    "archive behind a page": b"<html><script></script>" + archive("a.txt"),
    "archive behind a sound": wav() + archive("META-INF/MANIFEST.MF", "Evil.class"),
    "archive behind a film": mp4(b"vide") + archive("Evil.class"),
    "archive in a film's box": mp4(b"vide") + box(b"free", archive("Evil.class")),
    "archive behind a document": pdf() + archive("Evil.class") + b"\n%%EOF\n",
    "archive with a note": archive("a.txt")[:-2] + b"\x04\0evil",
    "page in a sound's tag": b"ID3\4\0\0\0\0\0\x18"
    + b"<script>alert(1)</script"
    + mp3(),
    "page in a document": b"%PDF-1.4\n<html><script>alert(1)</script>\n%%EOF",
}
