"""Files that customers and agents send: taken in, shown by a signed address, and
deleted when no message ever carried them.

A file is what its bytes say (filetypes.py), and a picture is painted anew
(pictures.py). Whoever holds a file's address may read it for an hour, without a
cookie or a header, since neither reaches an `<img>` in a frame of another site; so
an address is only ever given to somebody who may see the file's message.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from django.conf import settings
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from . import filetypes, protocol
from .database import db_now, in_transaction, reading
from .errors import Overloaded, RateLimited, Refused
from .models import Attachment, Message
from .pictures import Broken, TooManyPixels, painted_anew

log = logging.getLogger(__name__)

TYPES = filetypes.TYPES
STAFF = "staff"  # the audience that also reads notes
URL_SECONDS = 3_600
UNUSED_SECONDS = 3_600  # then nobody will send it any more
UNUSED_FILES = 20  # of one person; four messages full of them
PURGED_AT_ONCE = 500
FORM_BYTES = 16 * 1024  # around the file: boundaries, headers, small fields
AT_ONCE = 2  # files examined at a time: a picture may take all of a processor
WAITING = 20  # that wait for it, each with its bytes in memory; more are sent away
INLINE = ("image/", "audio/", "video/")


class FileRefused(Refused):
    code = "file_refused"
    detail = "This file cannot be taken."


class FileMissing(FileRefused):
    code = "bad_request"
    detail = "Send one file, as multipart/form-data in the field `file`."


class FileEmpty(FileRefused):
    code = "empty"
    detail = "This file is empty."


class FileTooBig(FileRefused):
    code = "too_long"
    detail = "This file is too big."
    status = 413


class TypeUnknown(FileRefused):
    code = "type_unknown"
    detail = "Files of this type are not taken, or this one is damaged."
    status = 415


class TooManyUnused(RateLimited):
    detail = "Send the files that you have added first."
    retry_ms = 60_000


# --- taking in -----------------------------------------------------------------


def store(
    file: UploadedFile[bytes], *, uploader: uuid.UUID, site_id: int | None
) -> Attachment:
    """Examine and keep a file, or raise FileRefused, TooManyUnused or Overloaded and
    keep nothing. Not inside a transaction: rolled back, it would leave the file."""
    examined = examine(_bytes_of(file), file.name or "")
    attachment = _placed(examined, uploader, site_id)
    try:
        with transaction.atomic(durable=True):
            _insert(attachment)
    except BaseException:
        _discard(attachment)
        raise
    return attachment


async def receive(
    file: UploadedFile[bytes], *, uploader: uuid.UUID, site_id: int | None
) -> Attachment:
    """`store`, off the loop, and finished even when the client has gone meanwhile:
    a file without its row or the other way round would be left otherwise."""
    if len(_receiving) >= WAITING:
        raise Overloaded
    data = await asyncio.to_thread(_bytes_of, file)
    task = asyncio.create_task(_receive(data, file.name or "", uploader, site_id))
    _receiving.add(task)
    task.add_done_callback(_receiving.discard)
    return await asyncio.shield(task)


_receiving: set[asyncio.Task[Attachment]] = set()


async def _receive(
    data: bytes, name: str, uploader: uuid.UUID, site_id: int | None
) -> Attachment:
    in_thread = functools.partial(asyncio.get_running_loop().run_in_executor, _pool())
    examined = await in_thread(examine, data, name)
    attachment = await in_thread(_placed, examined, uploader, site_id)
    try:
        await in_transaction(_insert, attachment)
    except BaseException:
        await in_thread(_discard, attachment)
        raise
    return attachment


def sent_file(request: HttpRequest) -> UploadedFile[bytes]:
    """The one file of a form, in its field `file`. Reads the body: call it off the
    loop. Raises FileMissing or FileTooBig."""
    if announced_bytes(request) > settings.HELPDESK_UPLOAD_BYTES + FORM_BYTES:
        raise FileTooBig
    if request.content_type != "multipart/form-data":
        raise FileMissing
    try:
        files = list(request.FILES.lists())
    except (MultiPartParserError, SuspiciousOperation, UnreadablePostError):
        raise FileMissing from None
    match files:
        case [("file", [file])]:
            return file
        case _:
            raise FileMissing


def announced_bytes(request: HttpRequest) -> int:
    announced = request.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else 0


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")


@dataclass(frozen=True)
class Examined:
    """A file that may be kept, as it will be kept."""

    name: str
    type: str
    data: bytes
    width: int | None = None
    height: int | None = None
    duration: float | None = None


def examine(data: bytes, name: str) -> Examined:
    """What the file is. Nothing is stored; costs up to some seconds for a picture."""
    look = filetypes.look(data, name)
    if look is None:
        raise TypeUnknown
    name = filetypes.clean_name(name, look.type)
    if look.type not in filetypes.PICTURES:
        return Examined(name, look.type, data, duration=look.duration)
    try:
        picture = painted_anew(data, look.type, settings.HELPDESK_UPLOAD_PIXELS)
    except TooManyPixels:
        millions = settings.HELPDESK_UPLOAD_PIXELS / 1_000_000
        raise FileTooBig(
            f"A picture may have at most {millions:g} million pixels."
        ) from None
    except Broken:
        raise TypeUnknown from None
    return Examined(name, look.type, picture.data, picture.width, picture.height)


def _bytes_of(file: UploadedFile[bytes]) -> bytes:
    """Not more than one byte too many is ever read, whatever length was announced."""
    most = settings.HELPDESK_UPLOAD_BYTES
    file.seek(0)
    data: bytes = file.read(most + 1)
    if not data:
        raise FileEmpty
    if len(data) > most:
        raise FileTooBig(f"A file may have at most {most / 1024 / 1024:g} MiB.")
    return data


def _placed(examined: Examined, uploader: uuid.UUID, site_id: int | None) -> Attachment:
    """The file on disk, and its row, which is not stored yet. In this order: a crash
    in between leaves a file that nobody can reach, not a message without its file."""
    attachment = Attachment(
        site_id=site_id,
        uploader=uploader,
        name=examined.name,
        type=examined.type,
        size=len(examined.data),
        width=examined.width,
        height=examined.height,
        duration=examined.duration,
    )
    try:
        attachment.file.save(examined.name, ContentFile(examined.data), save=False)
    except OSError as error:
        log.error("an upload could not be written: %s", error)
        _discard(attachment)
        raise Overloaded("The desk has no room for files at the moment.") from error
    return attachment


def _insert(attachment: Attachment) -> None:
    attachment.created_at = db_now()
    unused = Attachment.objects.filter(
        uploader=attachment.uploader,
        message=None,
        created_at__gt=attachment.created_at - dt.timedelta(seconds=UNUSED_SECONDS),
    )
    if unused.count() >= UNUSED_FILES:
        raise TooManyUnused
    attachment.save(force_insert=True)


def _discard(attachment: Attachment) -> None:
    """Also half a file, of which the row knows no name yet."""
    field = Attachment._meta.get_field("file")
    _remove(attachment.file.name or field.generate_filename(attachment, ""))


def _remove(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError as error:
        log.error("a file could not be deleted: %s", error)


def purge_unused(now: dt.datetime) -> int:
    """Delete what no message carried within the hour, and say how many. Safe to run
    twice at once and beside a message that takes the file at this moment: a row is
    deleted only while it is unused, and a file only by whoever deleted its row."""
    old = unused(now)
    purged = 0
    for pk, name in old.values_list("pk", "file")[:PURGED_AT_ONCE]:
        deleted, _ = old.filter(pk=pk).delete()
        if deleted:
            transaction.on_commit(functools.partial(_remove, name))
            purged += 1
    return purged


def unused(now: dt.datetime) -> QuerySet[Attachment]:
    since = now - dt.timedelta(seconds=UNUSED_SECONDS)
    return Attachment.objects.filter(message=None, created_at__lt=since)


# --- showing -------------------------------------------------------------------


class File(Protocol):
    """An Attachment, or what the writer says of one."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def duration(self) -> float | None: ...


def attachment_frame(file: File, audience: str) -> protocol.Attachment:
    """`audience` is STAFF or `customer.<id>`; see `signed_url`."""
    return protocol.Attachment(
        id=str(file.id),
        name=file.name,
        type=file.type,
        size=file.size,
        url=signed_url(file, audience),
        width=file.width,
        height=file.height,
        duration=file.duration,
    )


def signed_url(file: File, audience: str) -> str:
    """An address that opens the file for an hour, relative to this server's root
    (the widget's frame and the dashboard are pages of this server). No query: some
    30 microseconds."""
    signed = _signer().sign(f"{file.id.hex}:{audience}")
    return f"/files/{signed}/{quote(file.name, safe='')}"


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="helpdesk.uploads.url")


@require_safe
async def download(request: HttpRequest, signed: str, name: str) -> HttpResponse:
    """The file; 404 and nothing else for an address that is not ours, not fresh any
    more, or made for somebody who may not see the file."""
    attachment = await reading(opened, signed, name)
    if attachment is None:
        return HttpResponse(status=404)
    etag = f'"{attachment.pk.hex}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    try:
        data = await asyncio.to_thread(_read, attachment.file.name or "")
    except FileNotFoundError:
        log.error("the file of attachment %s is missing", attachment.pk)
        return HttpResponse(status=404)
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        wanted = ""
    response = _ranged(data, wanted)
    for header, value in _headers(attachment).items():
        response[header] = value
    response["ETag"] = etag
    return response


def opened(signed: str, name: str) -> Attachment | None:
    """The attachment that a signed address opens now."""
    try:
        says = _signer().unsign(signed, max_age=URL_SECONDS)
    except signing.BadSignature:
        return None
    pk, _, audience = says.partition(":")
    attachment = (
        Attachment.objects.select_related("message__conversation")
        .filter(pk=pk, name=name)
        .first()
    )
    return attachment if attachment and _may_see(attachment, audience) else None


def _may_see(attachment: Attachment, audience: str) -> bool:
    """A second look, should an address ever be made for the wrong person."""
    if audience == STAFF:
        return True
    message = attachment.message
    if message is None:
        return audience == f"customer.{attachment.uploader}"
    if message.kind == Message.Kind.NOTE:
        return False
    return audience == f"customer.{message.conversation.customer_id}"


def _read(name: str) -> bytes:
    with default_storage.open(name) as file:
        data: bytes = file.read()
    return data


def _headers(attachment: Attachment) -> dict[str, str]:
    inline = attachment.type.startswith(INLINE)
    disposition = content_disposition_header(not inline, attachment.name)
    text = attachment.type.startswith("text/")
    return {
        "Content-Type": attachment.type + ("; charset=utf-8" if text else ""),
        "Content-Disposition": disposition or "attachment",
        "Accept-Ranges": "bytes",
        # Should a browser still take it for a page: one without scripts or origin.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        # The address itself is the key, so a site's own page may show the picture.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": f"private, max-age={URL_SECONDS}, immutable",
        "X-Robots-Tag": "noindex",
    }


RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})", re.ASCII)


def _ranged(data: bytes, wanted: str) -> HttpResponse:
    """One piece of it (RFC 9110 §14), for players that ask for pieces: Safari plays
    nothing from a server that does not know how. Several at once, or a range that
    cannot be read, get the whole."""
    asked = RANGE.fullmatch(wanted)
    if not asked or asked[0] == "bytes=-":
        return HttpResponse(data)
    first, last = asked.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    if first and last and int(last) < start:
        return HttpResponse(data)
    if start >= len(data):
        unsatisfied = {"Content-Range": f"bytes */{len(data)}"}
        return HttpResponse(status=416, headers=unsatisfied)
    piece = f"bytes {start}-{stop - 1}/{len(data)}"
    return HttpResponse(data[start:stop], status=206, headers={"Content-Range": piece})
