"""What a file is, told from its bytes. Pure: knows no Django, no disk, no request.

Nothing a client says about a file is believed, with one harmless exception: a
name ending in .csv chooses between the two spellings of plain text. A file is one
of the types below from its first byte to its last, or it is none: what begins as
one type and ends as another (a picture that is an archive, a sound that is a page)
is made to be read twice, by two programs that disagree.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN = "application/vnd.oasis.opendocument."
# Type and the endings that agree with it, the first being the one we would give.
TYPES: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/webp": ("webp",),
    "image/gif": ("gif",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "mp4"),
    "audio/aac": ("aac",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/webm": ("weba", "webm"),
    "audio/wav": ("wav",),
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/quicktime": ("mov",),
    "application/pdf": ("pdf",),
    "text/plain": ("txt", "log", "md", "json"),
    "text/csv": ("csv",),
    "application/zip": ("zip",),
    f"{OFFICE}wordprocessingml.document": ("docx",),
    f"{OFFICE}spreadsheetml.sheet": ("xlsx",),
    f"{OFFICE}presentationml.presentation": ("pptx",),
    f"{OPEN}text": ("odt",),
    f"{OPEN}spreadsheet": ("ods",),
    f"{OPEN}presentation": ("odp",),
}
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif")
ENDINGS = {ending for endings in TYPES.values() for ending in endings}
LOOKED_AT_CHARS = 1_000  # of a name, from its end
NAME_CHARS = 80  # at three bytes each still a name that every disk takes
PARTS = 20_000  # of a container that are looked at; then it was made to keep us busy


@dataclass(frozen=True)
class Look:
    type: str
    duration: float | None = None  # seconds, where the file says so near its front


def look(data: bytes, name: str = "") -> Look | None:
    """What it is; None for everything we do not take."""
    try:
        for begins, examine in BEGINNINGS:
            if begins.match(data):
                return examine(data)
        return _text(data, name)
    except (struct.error, IndexError, ArithmeticError):  # it ends too soon
        return None


def clean_name(name: str, type: str) -> str:
    """A name to show and to save under: no folders, nothing invisible, nothing that
    changes the reading direction (`gpj.exe` shown as `exe.jpg`), not too long, and
    with an ending that agrees with what the file is."""
    # Cut first: a long row of accents keeps NFC busy for the square of its length.
    name = re.split(r"[/\\]", name)[-1][-LOOKED_AT_CHARS:]
    name = unicodedata.normalize("NFC", name)
    name = "".join(" " if char.isspace() else char for char in name)
    name = "".join(char for char in name if _visible(char))
    name = re.sub(r'[<>:"|?*]', "_", " ".join(name.split())).strip(". ")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    if ending.lower() not in TYPES[type]:
        if ending.lower() not in ENDINGS:
            stem = name  # photo.exe becomes photo.exe.txt, not photo.txt
        ending = TYPES[type][0]
    return f"{stem[:NAME_CHARS].strip('. ') or 'file'}.{ending}"


def _visible(char: str) -> bool:
    """Neither a control nor a formatting character, half a pair, unassigned, private,
    nor one of the blanks that Unicode counts as letters or marks."""
    if unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
        return False
    return char not in BLANKS and not "\ufe00" <= char <= "\ufe0f"


BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


# --- films and sounds ----------------------------------------------------------


def _mp4(data: bytes) -> Look | None:
    """MP4 and QuickTime: boxes in boxes (ISO/IEC 14496-12 §4.2)."""
    top = list(islice(_boxes(data, 0, len(data)), PARTS))
    films = [(start, end) for kind, start, end in top if kind == b"moov"]
    if not top or top[-1][2] != len(data) or len(films) != 1:
        return None
    inside = list(islice(_boxes(data, *films[0]), PARTS))
    tracks = [(start, end) for kind, start, end in inside if kind == b"trak"]
    handlers = {_handler(data, *track) for track in tracks[:100]}
    headers = [start for kind, start, _ in inside if kind == b"mvhd"]
    duration = _mp4_duration(data, headers[0]) if headers else None
    if b"vide" in handlers:
        quicktime = data[8:12] == b"qt  "
        return _plain(data, "video/quicktime" if quicktime else "video/mp4", duration)
    return _plain(data, "audio/mp4", duration) if b"soun" in handlers else None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of each box's content; stops where they do not fit."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        elif size == 0:
            size = end - start
        if start + size < content or start + size > end:
            return
        yield kind, content, start + size
        start += size


def _handler(data: bytes, start: int, end: int) -> bytes:
    """Whether a track is for eyes (`vide`) or ears (`soun`)."""
    for kind, inner, inner_end in islice(_boxes(data, start, end), 100):
        if kind == b"mdia":
            return _handler(data, inner, inner_end)
        if kind == b"hdlr":
            return data[inner + 8 : inner + 12]
    return b""


def _mp4_duration(data: bytes, header: int) -> float | None:
    wide = data[header] == 1
    scale, length = struct.unpack_from(
        ">IQ" if wide else ">II", data, header + (20 if wide else 12)
    )
    return _seconds(length / scale) if scale else None


def _webm(data: bytes) -> Look | None:
    """A subset of Matroska: elements in elements (RFC 8794)."""
    top = list(islice(_elements(data, 0, len(data)), 3))
    if [kind for kind, _, _ in top[:2]] != [EBML, SEGMENT] or len(top) > 2:
        return None
    header = {k: data[start:end] for k, start, end in _elements(data, *top[0][1:])}
    if header.get(DOC_TYPE, b"").rstrip(b"\0") != b"webm":
        return None
    kinds: set[bytes] = set()
    duration = None
    for kind, start, end in islice(_elements(data, *top[1][1:]), PARTS):
        if kind == INFO:
            duration = _webm_duration(data, start, end)
        if kind == TRACKS:
            kinds = _track_kinds(data, start, end)
        if kind == CLUSTER:
            break
    if b"\x01" in kinds:
        return _plain(data, "video/webm", duration)
    return _plain(data, "audio/webm", duration) if b"\x02" in kinds else None


EBML, DOC_TYPE, SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
INFO, SCALE, DURATION = 0x1549A966, 0x2AD7B1, 0x4489
TRACKS, TRACK, TRACK_TYPE, CLUSTER = 0x1654AE6B, 0xAE, 0x83, 0x1F43B675


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        kind, start, _ = _number(data, start, marker=True)
        size, start, unknown = _number(data, start)
        # A recording that was sent while it was made does not know how long it is.
        stop = end if unknown else start + size
        if stop > end:
            raise IndexError
        yield kind, start, stop
        start = stop


def _number(data: bytes, at: int, *, marker: bool = False) -> tuple[int, int, bool]:
    """A variable number, where it ends, and whether it says "unknown"."""
    bytes_ = 9 - data[at].bit_length()
    if bytes_ > 8 or at + bytes_ > len(data):
        raise IndexError
    value = int.from_bytes(data[at : at + bytes_])
    bare = value - (1 << 7 * bytes_)
    return (value if marker else bare), at + bytes_, bare == (1 << 7 * bytes_) - 1


def _webm_duration(data: bytes, start: int, end: int) -> float | None:
    info = {k: data[a:b] for k, a, b in islice(_elements(data, start, end), 100)}
    if len(info.get(DURATION, b"")) not in (4, 8):
        return None
    form = ">f" if len(info[DURATION]) == 4 else ">d"
    (length,) = struct.unpack(form, info[DURATION])
    scale = int.from_bytes(info.get(SCALE, b"")) or 1_000_000
    return _seconds(length * scale / 1e9)


def _track_kinds(data: bytes, start: int, end: int) -> set[bytes]:
    tracks = islice(_elements(data, start, end), 100)
    return {
        data[a:b]
        for track, inner, inner_end in tracks
        if track == TRACK
        for kind, a, b in islice(_elements(data, inner, inner_end), 100)
        if kind == TRACK_TYPE
    }


def _ogg(data: bytes) -> Look | None:
    segments = data[26]
    first = data[27 + segments :][:64]
    last = data.rfind(b"OggS")
    (samples,) = struct.unpack_from("<q", data, last + 6)
    if first.startswith(b"OpusHead"):
        (skipped,) = struct.unpack_from("<H", first, 10)
        return _plain(data, "audio/ogg", _seconds((samples - skipped) / 48_000))
    if first.startswith(b"\x01vorbis"):
        (rate,) = struct.unpack_from("<I", first, 12)
        return _plain(data, "audio/ogg", _seconds(samples / rate))
    return None


def _wav(data: bytes) -> Look | None:
    at, rate, length = 12, 0, 0
    for _ in range(100):
        if at + 8 > len(data):
            break
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"fmt ":
            (rate,) = struct.unpack_from("<I", data, at + 16)
        if kind == b"data":
            length = min(size, len(data) - at - 8)
        at += 8 + size + size % 2
    return _plain(data, "audio/wav", _seconds(length / rate)) if rate else None


def _mp3(data: bytes) -> Look | None:
    """Tags, then frames: two in a row, so that no stray byte passes for a sound."""
    at = 0
    if data.startswith(b"ID3"):
        size = 0
        for byte in data[6:10]:
            size = size << 7 | byte & 0x7F
        at = 10 + size
        at += len(data[at : at + 4096]) - len(data[at : at + 4096].lstrip(b"\0"))
    frame = _mp3_frame(data, at)
    if frame is None or _mp3_frame(data, at + frame[0]) is None:
        return None
    length, rate, samples = frame
    counted = re.search(rb"Xing|Info", data[at : at + length])
    if not counted:
        return _plain(data, "audio/mpeg")
    flags, frames = struct.unpack_from(">II", data, at + counted.end())
    return _plain(
        data, "audio/mpeg", _seconds(frames * samples / rate) if flags & 1 else None
    )


MP3_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # version 1
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # 2 and 2.5
)
MP3_RATES = {
    3: (44100, 48000, 32000),
    2: (22050, 24000, 16000),
    0: (11025, 12000, 8000),
}


def _mp3_frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Bytes, samples per second and samples of the layer III frame there."""
    (header,) = struct.unpack_from(">I", data, at)
    version, layer = header >> 19 & 3, header >> 17 & 3
    kbits, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or layer != 1 or version == 1:
        return None
    if kbits in (0, 15) or rate == 3:
        return None
    hertz, old = MP3_RATES[version][rate], version == 3
    factor, samples = (144_000, 1152) if old else (72_000, 576)
    length = factor * MP3_KBITS[0 if old else 1][kbits] // hertz + (header >> 9 & 1)
    return length, hertz, samples


def _aac(data: bytes) -> Look | None:
    """ADTS: frames that each say how long they are; again two in a row."""
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    follows = data[length : length + 2]
    if (
        length < 7
        or len(follows) < 2
        or follows[0] != 0xFF
        or follows[1] & 0xF6 != 0xF0
    ):
        return None
    return _plain(data, "audio/aac")


def _seconds(value: float) -> float | None:
    value = round(value, 3)
    return value if 0 < value < 1_000_000 else None


# --- documents -----------------------------------------------------------------


def _pdf(data: bytes) -> Look | None:
    return _plain(data, "application/pdf") if b"%%EOF" in data[-2048:] else None


def _zip(data: bytes) -> Look | None:
    names = _zip_names(data)
    if not names or any(DANGEROUS.search(name) for name in names):
        return None
    if b"[Content_Types].xml" in names:
        for folder, kind in OFFICE_FOLDERS.items():
            if any(name.startswith(folder) for name in names):
                return Look(kind)
    if names[0] == b"mimetype":
        says = data[38:90]
        kinds = (kind for kind in TYPES if kind.startswith(OPEN))
        # What follows the text is the next file, whose header begins with PK.
        found = [kind for kind in kinds if says.startswith(kind.encode() + b"PK")]
        return Look(found[0]) if found else None
    return Look("application/zip")


OFFICE_FOLDERS = {
    b"word/": f"{OFFICE}wordprocessingml.document",
    b"xl/": f"{OFFICE}spreadsheetml.sheet",
    b"ppt/": f"{OFFICE}presentationml.presentation",
}
# What a double click would run: programs, and documents with programs inside.
DANGEROUS = re.compile(
    rb"(^META-INF/MANIFEST\.MF|^AndroidManifest\.xml|^Basic/.*|vbaProject\.bin"
    rb"|\.(apk|bat|chm|cmd|com|cpl|dll|exe|hta|jar|jse|lnk|msi|pif|ps1|reg|scr|sh|vbe"
    rb"|vbs|ws[fh]))$",
    re.IGNORECASE | re.DOTALL,
)


def _zip_names(data: bytes) -> list[bytes]:
    """Of a plain archive: one that begins with its first file and ends with its
    directory, nothing before, between or behind (APPNOTE.TXT §4.3). Else none."""
    end = len(data) - 22  # without a comment, in which much could stand
    signature, disks, _, count, size, start, comment = struct.unpack_from(
        "<4sIHHIIH", data, end
    )
    if signature != b"PK\5\6" or disks or comment or start + size != end:
        return []
    names = []
    at = start
    for _ in range(min(count, PARTS)):
        if data[at : at + 4] != b"PK\1\2":
            return []
        name, extra, note = struct.unpack_from("<HHH", data, at + 28)
        names.append(data[at + 46 : at + 46 + name])
        at += 46 + name + extra + note
    return names if at == end else []


# --- text ----------------------------------------------------------------------


def _text(data: bytes, name: str) -> Look | None:
    """Text in whatever encoding: it is only ever saved, never shown."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            return None
    if not data.strip() or data.translate(None, CONTROLS) != data:
        return None
    if PROGRAM.match(data):
        return None
    return Look("text/csv" if name.lower().endswith(".csv") else "text/plain")


CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"
# Markup of every kind, scripts with their own interpreter, PostScript, RTF, MIME HTML.
PROGRAM = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<[a-z!?/%]|#!|%!|\{\\rt|MIME-Version:|Content-Type:)",
    re.IGNORECASE,
)

# --- everything that is kept as it came ----------------------------------------

MARKUP = re.compile(
    rb"<(!doctype|html|head|body|script|iframe|svg|\?php)", re.IGNORECASE
)
SNIFFED = 1445  # bytes that browsers look at before they guess


def _plain(data: bytes, type: str, duration: float | None = None) -> Look | None:
    """The type, if the file is nothing else besides."""
    if MARKUP.search(data, 0, SNIFFED) or _ends_as_archive(data):
        return None
    return Look(type, duration)


def _ends_as_archive(data: bytes) -> bool:
    """Archives are read from their end, so they can hide behind anything."""
    at = data.rfind(b"PK\5\6", max(0, len(data) - 66_000))
    if at < 0 or at + 22 > len(data):
        return False
    size, start = struct.unpack_from("<II", data, at + 12)
    directory = at - size
    return directory >= 0 and data[directory : directory + 4] in (b"PK\1\2", b"PK\5\6")


def _as(type: str) -> Callable[[bytes], Look]:
    return lambda data: Look(type)


BEGINNINGS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Look | None]], ...] = (
    tuple(
        (re.compile(pattern, re.DOTALL), examine)
        for pattern, examine in (
            # Pictures are painted anew, so what hides in them stays behind.
            (rb"\xff\xd8\xff", _as("image/jpeg")),
            (rb"\x89PNG\r\n\x1a\n", _as("image/png")),
            (rb"GIF8[79]a", _as("image/gif")),
            (rb"RIFF....WEBP", _as("image/webp")),
            (rb"RIFF....WAVE", _wav),
            (rb"....ftyp", _mp4),
            (rb"\x1a\x45\xdf\xa3", _webm),
            (rb"OggS\0", _ogg),
            (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", _mp3),
            (rb"\xff[\xf0\xf1\xf8\xf9]", _aac),
            (rb"%PDF-[12]\.", _pdf),
            (rb"PK\x03\x04", _zip),
        )
    )
)
