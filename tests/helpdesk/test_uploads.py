"""Files: kept whole or not at all, and opened by an address that says for whom."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import io
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.request import urlopen

import pytest
import time_machine
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory
from PIL import Image
from pytest_django.fixtures import Settings

from helpdesk import uploads
from helpdesk.database import db_now, reading
from helpdesk.errors import Overloaded
from helpdesk.models import Attachment, Message
from tests.back_office import conversation, open_office, say
from tests.live import LiveServer

from . import samples

CORA = uuid.UUID("c0" * 16)
MALLORY = uuid.UUID("66" * 16)
TO_CORA = f"customer.{CORA}"
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def disk(settings: Settings, tmp_path: Path) -> Callable[[], list[Path]]:
    """What lies on the disk."""
    settings.MEDIA_ROOT = tmp_path
    return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]


Disk = Callable[[], list[Path]]


def sent(data: bytes, name: str = "photo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="image/png")


def stored(data: bytes | None = None, name: str = "photo.png", **of: Any) -> Attachment:
    file = sent(samples.picture() if data is None else data, name)
    return uploads.store(file, **{"uploader": CORA, "site_id": None} | of)


# --- taking in -------------------------------------------------------------------


def test_a_picture_is_kept_with_its_size_in_pixels() -> None:
    attachment = Attachment.objects.get(pk=stored().pk)
    assert (attachment.name, attachment.type) == ("photo.png", "image/png")
    assert (attachment.width, attachment.height) == (40, 20)
    assert attachment.uploader == CORA
    assert attachment.message is None


def test_what_is_kept_is_what_was_painted_anew() -> None:
    attachment = stored(samples.photograph_with_a_place(), "garden.jpg")
    with attachment.file.open() as file:
        data = file.read()
    assert attachment.size == len(data)
    assert not Image.open(io.BytesIO(data)).getexif()


def test_a_sound_is_kept_as_it_came_with_its_length() -> None:
    attachment = stored(samples.wav(2), "hello.wav")
    assert attachment.duration == 2
    with attachment.file.open() as file:
        assert file.read() == samples.wav(2)


def test_nothing_of_its_name_reaches_the_disk(disk: Disk) -> None:
    attachment = stored(name="../../../tmp/evil.png")
    (path,) = disk()
    assert path.name == attachment.pk.hex


def test_the_type_that_a_client_names_is_not_believed() -> None:
    file = SimpleUploadedFile("a.html", samples.pdf(), content_type="text/html")
    attachment = uploads.store(file, uploader=CORA, site_id=None)
    assert (attachment.name, attachment.type) == ("a.html.pdf", "application/pdf")


REFUSALS = {
    "page": (b"<html><script>alert(1)</script>", uploads.TypeUnknown),
    "drawing": (b"<svg onload='alert(1)'/>", uploads.TypeUnknown),
    "half a picture": (samples.picture("JPEG")[:200], uploads.TypeUnknown),
    "bomb": (samples.bomb(), uploads.FileRefused),
    "nothing": (b"", uploads.FileEmpty),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_what_is_refused_leaves_nothing(kind: str, disk: Disk) -> None:
    data, refusal = REFUSALS[kind]
    with pytest.raises(refusal):
        stored(data)
    assert not Attachment.objects.exists()
    assert not disk()


def test_one_byte_too_many(settings: Settings) -> None:
    settings.HELPDESK_UPLOAD_BYTES = 1_000
    assert stored(b"a" * 1_000, "a.txt").size == 1_000
    with pytest.raises(uploads.FileTooBig):
        stored(b"a" * 1_001, "a.txt")


def test_one_pixel_too_many(settings: Settings) -> None:
    settings.HELPDESK_UPLOAD_PIXELS = 40 * 20 - 1
    with pytest.raises(uploads.FileTooBig, match="million pixels"):
        stored()


def test_without_its_row_the_file_does_not_stay(disk: Disk) -> None:
    with pytest.raises(DatabaseError):
        stored(site_id=4711)  # there is none, and constraints hold at commit
    assert not disk()


def test_without_its_file_the_row_does_not_stay(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "attachments").write_text("in the way: no folder can be made")
    with pytest.raises(Overloaded):
        stored()
    assert not Attachment.objects.exists()


def test_half_a_file_does_not_stay(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after some bytes."""

    def write_some(name: str, content: Any, max_length: int | None = None) -> str:
        path = Path(default_storage.path(name))
        path.parent.mkdir(parents=True)
        path.write_bytes(content.read()[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(default_storage, "save", write_some)
    with pytest.raises(Overloaded):
        stored()
    assert not disk()


def test_nobody_hoards_unused_files(disk: Disk) -> None:
    for _ in range(uploads.UNUSED_FILES):
        stored(b"a note", "a.txt")
    with pytest.raises(uploads.TooManyUnused):
        stored(b"one more", "a.txt")
    assert len(disk()) == uploads.UNUSED_FILES
    assert stored(uploader=MALLORY)


def test_a_body_that_announces_too_much_is_not_read() -> None:
    announced = {"Content-Length": str(30 * 1024 * 1024)}
    request = RequestFactory().post("/", {"file": sent(b"small")}, headers=announced)
    with pytest.raises(uploads.FileTooBig):
        uploads.sent_file(request)


async def test_it_is_kept_even_if_the_client_has_gone(disk: Disk) -> None:
    coming = asyncio.create_task(
        uploads.receive(sent(samples.picture()), uploader=CORA, site_id=None)
    )
    while not uploads._receiving:  # noqa: ASYNC110 (there is no event to wait for)
        await asyncio.sleep(0)
    (inner,) = uploads._receiving
    coming.cancel()
    attachment = await inner
    assert coming.cancelled()
    assert await in_thread(Attachment.objects.filter(pk=attachment.pk).exists)
    assert len(disk()) == 1


async def test_without_its_row_a_received_file_does_not_stay(disk: Disk) -> None:
    with pytest.raises(DatabaseError):
        await uploads.receive(sent(samples.picture()), uploader=CORA, site_id=4711)
    assert not disk()


# --- deleting what nobody sent ---------------------------------------------------


def test_an_unused_file_is_deleted_after_an_hour(disk: Disk) -> None:
    attachment = stored()
    assert uploads.purge_unused(attachment.created_at + HOUR + MINUTE) == 1
    assert not Attachment.objects.exists()
    assert not disk()


def test_a_younger_one_is_not() -> None:
    attachment = stored()
    assert uploads.purge_unused(attachment.created_at + HOUR - MINUTE) == 0
    assert Attachment.objects.exists()


def test_a_used_one_is_not(disk: Disk) -> None:
    used, _ = in_a_message()
    assert uploads.purge_unused(used.created_at + 9 * HOUR) == 0
    assert len(disk()) == 1


def test_two_sweepers_at_once_delete_each_file_once(disk: Disk) -> None:
    for _ in range(10):
        stored(b"a note", "a.txt")
    later = db_now() + 2 * HOUR

    def sweep(_: int) -> int:
        try:
            return uploads.purge_unused(later)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as sweepers:
        assert sum(sweepers.map(sweep, range(4))) == 10
    assert not disk()


# --- addresses -------------------------------------------------------------------


def in_a_message(kind: str = "text", name: str = "photo.png") -> tuple[Any, str]:
    """A file in a message of Cora's conversation, and Cora's audience."""
    talk = conversation(open_office().sales)
    message = say(talk, "See this.", kind=kind)
    attachment = stored(name=name)
    attachment.message = message
    attachment.save()
    return attachment, f"customer.{talk.customer_id}"


async def get(url: str, **headers: str) -> HttpResponse:
    response = await AsyncClient().get(url, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await reading(function, *args, **kwargs)


async def test_its_address_opens_it_without_a_cookie() -> None:
    attachment = await in_thread(stored)
    response = await get(uploads.signed_url(attachment, TO_CORA))
    assert response.status_code == 200
    assert response["Content-Type"] == "image/png"
    assert len(response.content) == attachment.size


async def test_its_address_is_good_for_an_hour() -> None:
    attachment = await in_thread(stored)
    url = uploads.signed_url(attachment, TO_CORA)
    with time_machine.travel(time.time() + 3_590, tick=False):
        assert (await get(url)).status_code == 200
    with time_machine.travel(time.time() + 3_610, tick=False):
        response = await get(url)
    assert response.status_code == 404
    assert response.content == b""


@pytest.mark.parametrize("place", [8, 60, -20])
async def test_a_changed_address_opens_nothing(place: int) -> None:
    attachment = await in_thread(stored)
    url = list(uploads.signed_url(attachment, TO_CORA))
    url[place] = "1" if url[place] == "0" else "0"
    response = await get("".join(url))
    assert response.status_code == 404
    assert response.content == b""


async def test_a_key_for_one_file_opens_no_other() -> None:
    mine, yours = await in_thread(stored), await in_thread(stored)
    key = uploads.signed_url(mine, TO_CORA)
    assert (await get(key.replace(mine.pk.hex, yours.pk.hex))).status_code == 404


async def test_another_name_opens_nothing() -> None:
    url = uploads.signed_url(await in_thread(stored), TO_CORA)
    assert (await get(url.replace("photo.png", "invoice.exe"))).status_code == 404


async def test_an_address_for_somebody_else_opens_nothing() -> None:
    attachment = await in_thread(stored)
    url = uploads.signed_url(attachment, f"customer.{MALLORY}")
    assert (await get(url)).status_code == 404


async def test_a_file_in_a_message_opens_for_its_customer_and_for_staff() -> None:
    attachment, customer = await in_thread(in_a_message)
    for audience in (customer, uploads.STAFF):
        response = await get(uploads.signed_url(attachment, audience))
        assert response.status_code == 200
    response = await get(uploads.signed_url(attachment, f"customer.{MALLORY}"))
    assert response.status_code == 404


async def test_a_file_in_a_note_opens_for_staff_alone() -> None:
    attachment, customer = await in_thread(in_a_message, kind=Message.Kind.NOTE)
    staffs = await get(uploads.signed_url(attachment, uploads.STAFF))
    customers = await get(uploads.signed_url(attachment, customer))
    assert (staffs.status_code, customers.status_code) == (200, 404)


async def test_a_file_that_is_gone_is_not_found() -> None:
    attachment = await in_thread(stored)
    url = uploads.signed_url(attachment, TO_CORA)
    default_storage.delete(attachment.file.name)
    assert (await get(url)).status_code == 404


async def test_nothing_can_be_posted_to_an_address() -> None:
    url = uploads.signed_url(await in_thread(stored), TO_CORA)
    assert (await AsyncClient().post(url)).status_code == 405


def test_a_page_full_of_addresses_is_made_at_once() -> None:
    attachment = stored()
    start = time.process_time()
    for _ in range(200):
        uploads.attachment_frame(attachment, TO_CORA)
    assert time.process_time() - start < 0.2


def test_the_frame_tells_what_there_is() -> None:
    attachment = stored()
    frame = uploads.attachment_frame(attachment, TO_CORA)
    assert frame.id == str(attachment.pk)
    assert (frame.name, frame.type, frame.size) == (
        "photo.png",
        "image/png",
        attachment.size,
    )
    assert (frame.width, frame.height, frame.duration) == (40, 20, None)


# --- how it is served ------------------------------------------------------------


async def served(data: bytes, name: str, **headers: str) -> HttpResponse:
    attachment = await in_thread(stored, data, name)
    return await get(uploads.signed_url(attachment, TO_CORA), **headers)


async def test_what_we_painted_is_shown_in_place() -> None:
    response = await served(samples.picture(), "photo.png")
    assert response["Content-Disposition"] == 'inline; filename="photo.png"'


@pytest.mark.parametrize("kind", ["pdf", "text", "zip", "docx"])
async def test_a_document_is_only_ever_saved(kind: str) -> None:
    response = await served(samples.TAKEN[kind][0], "thing")
    assert response["Content-Disposition"].startswith("attachment;")


async def test_its_name_survives_in_every_language(server: LiveServer) -> None:
    attachment = await in_thread(stored, samples.pdf(), "发票 “2026”.pdf")
    url = server.url + uploads.signed_url(attachment, TO_CORA)
    response = await asyncio.to_thread(urlopen, url)
    with response:
        disposition = response.headers["Content-Disposition"]
    assert unquote(disposition.partition("utf-8''")[2]) == "发票 “2026”.pdf"


async def test_a_browser_may_neither_guess_nor_run_it() -> None:
    response = await served(b"alert(1)", "a.txt")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"


async def test_nobody_else_keeps_it_or_hears_of_its_address() -> None:
    response = await served(samples.picture(), "photo.png")
    assert response["Cache-Control"].startswith("private")
    assert response["Referrer-Policy"] == "no-referrer"
    assert not response.cookies


TEXT = b"0123456789"


@pytest.mark.parametrize(
    ("wanted", "status", "piece", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, TEXT, "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=3-2", 200, TEXT, None),
        ("bytes=0-1,3-4", 200, TEXT, None),
        ("bytes=-", 200, TEXT, None),
        ("bytes=a-b", 200, TEXT, None),
        ("lines=0-1", 200, TEXT, None),
    ],
)
async def test_a_player_may_ask_for_a_piece(
    wanted: str, status: int, piece: bytes, told: str | None
) -> None:
    response = await served(TEXT, "a.txt", Range=wanted)
    assert response.status_code == status
    assert response.content == piece
    assert response.get("Content-Range") == told
    assert response["Accept-Ranges"] == "bytes"


async def test_a_piece_of_another_file_is_not_mixed_in() -> None:
    response = await served(TEXT, "a.txt", **{"Range": "bytes=0-3", "If-Range": '"x"'})
    assert response.status_code == 200
    assert response.content == TEXT


async def test_what_a_browser_has_is_not_sent_again() -> None:
    url = uploads.signed_url(await in_thread(stored), TO_CORA)
    first = await get(url)
    again = await get(url, **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
