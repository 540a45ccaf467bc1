"""The writer on PostgreSQL: processes crash, connections die, rows are locked."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest
from django.db import connection as django_connection

from helpdesk import database, writer
from helpdesk.database import in_transaction, reading
from helpdesk.errors import Overloaded
from helpdesk.models import Conversation
from helpdesk.writer import line, postgres

from .writing import add, check_story, hers, holders, new_conversation

T = TypeVar("T")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await writer.close()
    database.close_all()


@pytest.fixture
async def conversation() -> Conversation:
    return await in_transaction(new_conversation)


def address() -> str:
    """Of the database of this test run."""
    now = django_connection.settings_dict
    return f"postgresql://{now['USER']}@{now['HOST']}:{now['PORT']}/{now['NAME']}"


# --- processes


async def postman(
    conversation: Conversation, *words: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.helpdesk.postman", str(conversation.pk), *words),
        env=os.environ | {"DATABASE_URL": address()},
        stdout=asyncio.subprocess.PIPE,
    )


async def test_two_processes_share_a_conversation_without_a_hole(
    conversation: Conversation,
) -> None:
    names = ("first", "second")
    both = [await postman(conversation, name, "150") for name in names]
    for process in both:
        await process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    said = await reading(check_story, conversation)
    for name in names:
        texts = [message.text for message in said if message.text.startswith(name)]
        assert texts == [f"{name} {n}" for n in range(150)]


@pytest.mark.parametrize("after", [1, 20, 41])
async def test_a_process_that_is_killed_loses_nothing_it_acked(
    conversation: Conversation, after: int
) -> None:
    process = await postman(conversation, "cora", "100000")
    assert process.stdout
    acked = [(await process.stdout.readline()).decode().strip() for _ in range(after)]
    process.kill()
    rest, _ = await process.communicate()
    acked += [line.strip() for line in rest.decode().splitlines(keepends=True)[:-1]]
    stored = {message.client_id for message in await reading(check_story, conversation)}
    assert set(acked) <= stored
    # Cora's browser never got the last ack and says it all again.
    for n in range(len(acked) + 2):
        await add(hers(conversation, f"cora {n}", client_id=f"cora-{n:06}"))
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == [f"cora {n}" for n in range(len(said))]


# --- connections


def cut_all_but_mine() -> int:
    with psycopg.connect(address()) as own:
        cut = own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(cut.fetchall())


async def test_connections_that_die_under_load_lose_and_double_nothing() -> None:
    places = [await in_transaction(new_conversation) for _ in range(8)]
    going = True

    async def talk(place: Conversation) -> int:
        count = 0
        while going:
            await add(hers(place, str(count), client_id=f"id-{count:06}"))
            count += 1
        return count

    talks = [asyncio.create_task(talk(place)) for place in places]
    for _ in range(10):
        await asyncio.to_thread(cut_all_but_mine)
        await grown_by(50)
    going = False
    for place, count in zip(places, await asyncio.gather(*talks), strict=True):
        said = await reading_at_last(partial(check_story, place))
        assert [message.text for message in said] == [str(n) for n in range(count)]


async def grown_by(messages: int) -> None:
    before = await reading_at_last(count_messages)
    while await reading_at_last(count_messages) < before + messages:
        pass


async def reading_at_last(work: Callable[[], T]) -> T:
    """Django's own connections were cut as well."""
    while True:
        with suppress(Overloaded):
            return await reading(work)


def count_messages() -> int:
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM helpdesk_message")
        return int(cursor.fetchone()[0])


class Wire:
    """A wire to PostgreSQL that can be cut at the worst moment: when the server has
    been told to COMMIT, before anybody hears that it has."""

    def __init__(self) -> None:
        self.cut_at_commit = False
        self.was_cut = asyncio.Event()

    async def __aenter__(self) -> Wire:
        there = django_connection.settings_dict
        self._there = there["HOST"], int(there["PORT"])
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._settings, self._port = there, there["PORT"]
        there["PORT"] = port
        return self

    async def __aexit__(self, *_: object) -> None:
        self._settings["PORT"] = self._port
        await writer.close()
        self._server.close()

    async def _carry(
        self, here: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        there, on = await asyncio.open_connection(*self._there)
        answers = asyncio.create_task(self._answers(there, back))
        while data := await here.read(65536):
            cut = self.cut_at_commit and b"COMMIT" in data
            if cut:
                answers.cancel()
                await asyncio.wait([answers])
            on.write(data)
            await on.drain()
            if cut:
                await self._commit_heard(there)
                self.cut_at_commit = False
                self.was_cut.set()
                break
        on.close()
        back.close()
        answers.cancel()

    async def _answers(
        self, there: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        while data := await there.read(65536):
            back.write(data)
            await back.drain()
        back.close()

    async def _commit_heard(self, there: asyncio.StreamReader) -> None:
        heard = b""
        while b"COMMIT" not in heard:
            heard += await there.read(65536)


async def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    conversation: Conversation,
) -> None:
    async with Wire() as wire:
        await add(hers(conversation, "before"))
        await writer.close()  # a fresh connection spells its first COMMIT out
        wire.cut_at_commit = True
        posts = [asyncio.create_task(add(hers(conversation, str(n)))) for n in range(5)]
        await asyncio.wait_for(wire.was_cut.wait(), 10)
        answers = await asyncio.gather(*posts)
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["before", "0", "1", "2", "3", "4"]
    assert [answer.place for answer in answers] == [2, 3, 4, 5, 6]


async def test_a_database_that_stays_away_is_no_endless_wait(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "PATIENCE_SECONDS", 0.3)
    # Every context's connection shares these settings.
    monkeypatch.setitem(django_connection.settings_dict, "PORT", 1)
    with pytest.raises(Overloaded):
        await add(hers(conversation))
    monkeypatch.undo()
    await add(hers(conversation))


async def test_a_database_that_hangs_is_hung_up_on(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (line, postgres):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.3)
    await add(hers(conversation, "before"))
    pid = await reading(writers_backend)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Overloaded):
            await add(hers(conversation, "meanwhile"))
    finally:
        os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    await add(hers(conversation, "after"))
    said = [message.text for message in await reading(check_story, conversation)]
    assert said in (["before", "after"], ["before", "meanwhile", "after"])


def writers_backend() -> int:
    with django_connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'COMMIT'"
            " ORDER BY state_change DESC LIMIT 1"
        )
        return int(cursor.fetchone()[0])


# --- locks


@contextmanager
def held(conversation: Conversation) -> Iterator[psycopg.Connection]:
    """Somebody is changing it, as a verb would."""
    with psycopg.connect(address()) as other:
        other.execute(
            "SELECT FROM helpdesk_conversation WHERE id = %s FOR UPDATE",
            [conversation.pk],
        )
        yield other


async def test_a_held_conversation_waits_and_the_others_do_not(
    conversation: Conversation,
) -> None:
    other = await in_transaction(new_conversation)
    with held(conversation):
        waits = asyncio.create_task(add(hers(conversation)))
        for n in range(20):
            await add(hers(other, str(n)))
        assert not waits.done()
    await waits
    assert len(await reading(check_story, conversation)) == 1
    assert len(await reading(check_story, other)) == 20


async def test_what_the_holder_changed_counts(conversation: Conversation) -> None:
    """The look at state and holder comes after the lock."""
    with held(conversation) as other:
        post = asyncio.create_task(add(holders(conversation)))
        await add(hers(await in_transaction(new_conversation)))
        other.execute(
            "UPDATE helpdesk_conversation SET state = 'ended', ended_at = now()"
            " WHERE id = %s",
            [conversation.pk],
        )
        assert not post.done()
    with pytest.raises(Exception, match="ended"):
        await post


async def test_an_unknown_conversation_does_not_wait(
    conversation: Conversation,
) -> None:
    with held(conversation):
        waits = asyncio.create_task(add(hers(conversation)))
        with pytest.raises(Exception, match="no such conversation"):
            await add(holders(conversation, conversation=uuid4()))
        assert not waits.done()
    await waits


# --- one that cannot be stored


async def test_a_post_that_the_database_refuses_spoils_no_other(
    conversation: Conversation,
) -> None:
    posts = [hers(conversation, str(n)) for n in range(30)]
    posts[11] = hers(conversation, "\0")  # the edge refuses it; say it did not
    answers = await asyncio.gather(*map(add, posts), return_exceptions=True)
    assert isinstance(answers[11], psycopg.DataError)
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == [str(n) for n in range(30) if n != 11]
