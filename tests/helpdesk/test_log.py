"""What is in the log, and what must never be."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from helpdesk import database, log
from helpdesk.models import Message
from tests.live import ServerProcess
from tests.shop import Shop

ROOT = Path(__file__).parent.parent.parent
FORMATS = [log.Line, log.Json]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    yield from listening(log.Json)


def listening(kind: type[logging.Formatter]) -> Iterator[io.StringIO]:
    """What a log of this kind has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(kind())
    logger = logging.getLogger("tests.log")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def line(kind: type[logging.Formatter], *args: Any, **more: Any) -> str:
    """What becomes of one event."""
    with_handler = listening(kind)
    stream = next(with_handler)
    logging.getLogger("tests.log").error(*args, **more)
    next(with_handler, None)
    return stream.getvalue().removesuffix("\n")


# --- one event, one line


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("character", ["\n", "\r", "\x1b[2J", "\u2028", "\u202e", "\0"])
def test_a_stranger_writes_no_lines(
    kind: type[logging.Formatter], character: str
) -> None:
    told = line(kind, "bad frame: %s", f"x{character}2026 CRITICAL root: all is lost")
    assert character not in told
    assert told.isprintable()
    assert "all is lost" in told


def test_a_line_for_programs_says_what_for_people_stands_in_it() -> None:
    told = json.loads(line(log.Json, "two %s", "words"))
    assert told.pop("time").endswith("Z")
    assert told == {"level": "error", "logger": "tests.log", "message": "two words"}


def test_a_line_for_people_is_one() -> None:
    told = line(log.Line, "two %s", "words")
    assert told.partition("Z ")[2] == "ERROR tests.log: two words"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_message_does_not_fill_the_disk(kind: type[logging.Formatter]) -> None:
    assert len(line(kind, "Invalid host: %s", "x" * 60_000)) < 3_000


@pytest.mark.parametrize("kind", FORMATS)
def test_it_still_writes_when_the_interpreter_ends(
    kind: type[logging.Formatter],
) -> None:
    program = f"""
import logging
from helpdesk import log
handler = logging.StreamHandler()
handler.setFormatter(log.{kind.__name__}())
logging.getLogger().addHandler(handler)
class Last:
    def __del__(self, warn=logging.getLogger("end").warning):
        warn("the\\nend")
last = Last()
last.itself = last
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the\\nend" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- what it is about


def test_a_line_says_which_request_person_and_conversation(
    written: io.StringIO,
) -> None:
    def a_request() -> None:
        log.begin()
        log.known(person="Cora", conversation="c1")
        logging.getLogger("tests.log").error("refused")

    contextvars.copy_context().run(a_request)
    told = json.loads(written.getvalue())
    assert (told["person"], told["conversation"]) == ("Cora", "c1")
    assert len(told["request"]) == 12


def test_what_is_not_known_is_not_said(written: io.StringIO) -> None:
    def a_request() -> None:
        log.begin()
        log.known(person="Cora", conversation="c1")
        log.known(conversation=None)
        logging.getLogger("tests.log").error("refused")

    contextvars.copy_context().run(a_request)
    assert "conversation" not in json.loads(written.getvalue())


@pytest.mark.django_db  # a thread may have kept its connection
async def test_a_thread_knows_what_its_caller_is_about(written: io.StringIO) -> None:
    def work() -> None:
        logging.getLogger("tests.log").error("in a thread")

    async def a_request(name: str) -> None:
        log.begin()
        log.known(person=name)
        await database.reading(work)

    await asyncio.create_task(a_request("Cora"))
    await asyncio.create_task(a_request("Ada"))
    await asyncio.create_task(database.reading(work), context=log.nobody())
    told = [json.loads(each) for each in written.getvalue().splitlines()]
    assert [each.get("person") for each in told] == ["Cora", "Ada", None]


async def test_what_runs_for_all_is_about_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though somebody's socket was the first and started it."""
    heard: list[dict[str, str]] = []
    await shop.customer()
    original = shop.desk._drain

    async def drain() -> None:
        record = logging.makeLogRecord({})
        heard.append(log.facts(record))
        await original()

    monkeypatch.setattr(shop.desk, "_drain", drain)
    ada = await shop.agent(shop.ada)
    await ada.heard_so_far()
    assert heard
    assert all(facts == {} for facts in heard)


# --- what people say, and what opens a door


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "path",
    [
        "/widget/shop/resume/?t=s3cret",
        "/metrics?token=s3cret",
        "/files/s3cret:1q:abc/photo.png",
        "/accounts/password/reset/key/1-s3cret/",
        "/accounts/confirm-email/s3cret/",
    ],
)
def test_what_an_address_opens_is_left_out(
    kind: type[logging.Formatter], path: str
) -> None:
    told = line(kind, "Not Found: %s", path)
    assert "s3cret" not in told
    assert path[:6] in told


@pytest.mark.parametrize("kind", FORMATS)
def test_an_error_says_where(kind: type[logging.Formatter]) -> None:
    try:
        raise KeyError("which\nline")
    except KeyError:
        told = line(kind, "A socket failed", exc_info=True)
    assert "test_log.py" in told
    assert "KeyError" in told
    assert "raise KeyError" in told


@pytest.mark.parametrize("kind", FORMATS)
def test_an_error_says_what_led_to_it(kind: type[logging.Formatter]) -> None:
    try:
        try:
            {}["first"]
        except KeyError as error:
            raise ValueError("then") from error
    except ValueError:
        told = line(kind, "A socket failed", exc_info=True)
    assert told.index("KeyError") < told.index("ValueError")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", FORMATS)
def test_the_row_that_a_database_refuses_is_left_out(
    kind: type[logging.Formatter], hall_conversation: uuid.UUID
) -> None:
    """PostgreSQL prints it below its complaint."""
    row = Message(conversation_id=hall_conversation, text="my password is hunter2")
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        told = line(kind, "A post cannot be stored", exc_info=True)
    assert "IntegrityError" in told
    assert "hunter2" not in told


@pytest.fixture
def hall_conversation(db: None) -> uuid.UUID:
    """Which does not exist."""
    return uuid.uuid4()


@pytest.mark.parametrize("kind", ["json", "text"])
async def test_a_server_keeps_what_people_say_to_itself(
    shop: Shop, server_process: Callable[..., ServerProcess], kind: str
) -> None:
    server = server_process(HELPDESK_LOG=kind, LOG_LEVEL="DEBUG")
    cora = await shop.customer(at=server)
    ada = await shop.agent(shop.ada, at=server)
    await cora.posts("s3cret too early")
    ack = await cora.starts("s3cret hello")
    await cora.posts("s3cret\n2026 CRITICAL root: all is lost")
    await cora.send('{"type":"message.post","id":"s3cret-id-s3cret","text":7}')
    await cora.send('s3cret\n2026 CRITICAL root: all is lost"')
    await ada.posts(ack["conversation"]["id"], "s3cret answer")
    await ada.posts(str(uuid.uuid4()), "s3cret to nobody")
    await shop.long_poll(at=server).posts_body({"token": "s3cret-token"})
    for path in (
        "/widget/nowhere/?token=s3cret",
        "/files/s3cret/photo.png?token=s3cret",
        "/accounts/password/reset/key/1-s3cret/",
        "/metrics?token=s3cret",
        "/%0A2026%20CRITICAL%20root:%20all%20is%20lost",
    ):
        await asyncio.to_thread(fetch, server.url + path)
    await shop.close()
    assert server.stop() == 0
    told = server.log.read_text()
    assert "refused" in told
    assert "s3cret" not in told
    assert cora.token not in told
    assert not [each for each in told.splitlines() if each.startswith("2026 CRIT")]


def fetch(url: str) -> None:
    headers = {"Authorization": "Bearer s3cret", "Cookie": "sessionid=s3cret"}
    try:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers)).close()
    except urllib.error.HTTPError as error:
        error.close()


async def test_a_server_says_whom_it_refused_and_where(
    shop: Shop, server_process: Callable[..., ServerProcess]
) -> None:
    server = server_process()  # production's own choice of format
    ada = await shop.agent(shop.ada, at=server)
    nowhere = str(uuid.uuid4())
    await ada.posts(nowhere, "Hello?")
    await ada.send("{")
    await ada.hears("refused", where=lambda frame: frame["code"] == "bad_frame")
    await shop.close()
    server.stop()
    lines = [json.loads(each) for each in server.log.read_text().splitlines()]
    (refused,) = [each for each in lines if each["message"].startswith("refused")]
    (bad,) = [each for each in lines if each["message"].startswith("bad frame")]
    assert refused["person"] == bad["person"] == str(shop.ada.pk)
    assert refused["conversation"] == nowhere
    assert refused["request"] == bad["request"]
