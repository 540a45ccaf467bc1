"""The writer's short way on PostgreSQL: into conversations that are known already."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any
from unittest.mock import AsyncMock

import psycopg
import pytest
from django.db.models import F

from helpdesk import database, writer
from helpdesk.database import in_transaction, reading
from helpdesk.errors import Ended, NotYours
from helpdesk.models import Conversation, Message, Receipt
from helpdesk.tally import tally
from helpdesk.writer import Answered, claims, line, postgres, remembered
from helpdesk.writer.plan import Post

from .test_writer_postgres import address, held
from .writing import add, check_story, hers, holders, new_conversation, new_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await writer.close()
    database.close_all()


@pytest.fixture
async def conversation() -> Conversation:
    return await in_transaction(new_conversation)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the posts that went the long way, and of whom locks were waited
    for."""
    texts: list[str] = []
    look = postgres._look

    async def spied(pipeline: Any, posts: Sequence[Post], *, patient: bool) -> Any:
        texts.extend(post.text + " patiently" * patient for post in posts)
        return await look(pipeline, posts, patient=patient)

    monkeypatch.setattr(postgres, "_look", spied)
    return texts


def change(conversation: Conversation, **fields: Any) -> None:
    """As a verb does, and only a verb: it raises the version."""
    row = Conversation.objects.filter(pk=conversation.pk)
    row.update(version=F("version") + 1, **fields)


async def test_only_the_first_goes_the_long_way(
    conversation: Conversation, looked: list[str]
) -> None:
    for text in ("one", "two", "three"):
        await add(hers(conversation, text))
    assert looked == ["one"]
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["one", "two", "three"]


async def test_both_ways_say_the_same(conversation: Conversation) -> None:
    known, always_new = conversation, await in_transaction(new_conversation)
    shown = []
    for where in (known, always_new):
        acks = []
        for post in talk(where):
            if where is always_new:
                await writer.close()  # and with its connection, what it remembers
            acks.append(await add(post))
        said = await reading(check_story, where)
        shown.append([told(*both) for both in zip(acks, said, strict=True)])
    assert shown[0] == shown[1]


def talk(where: Conversation) -> list[Post]:
    supervisor = where.pk  # any id
    return [
        hers(where, 'Hello "you"\n你好 \\u0000'),
        holders(where, "VIP", note=True),
        holders(where, "Hi!"),
        hers(where, " "),
        holders(where, "Let me help.", sender=supervisor, joined=True),
        holders(where, "She is right.", note=True),
    ]


def told(ack: writer.Stored, message: Message) -> tuple[Any, ...]:
    assert message.at == ack.at
    assert message.place == ack.place
    return (
        *(ack.place, ack.seq, ack.notes, ack.repeated, ack.version, ack.attachments),
        *(message.kind, message.author, message.text, message.event, message.data),
    )


async def test_the_time_is_the_databases(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await add(hers(conversation))
    monkeypatch.setattr(database, "offset", -dt.timedelta(days=3, seconds=7))
    second = await add(hers(conversation))
    assert second.at.microsecond % 1000 == 0
    earlier = first.at - second.at
    assert dt.timedelta(days=3) < earlier <= dt.timedelta(days=3, seconds=7)


def test_what_is_planned_while_the_tables_are_empty_goes_by_key() -> None:
    with psycopg.connect(address(), options=postgres.OPTIONS, autocommit=True) as own:
        own.execute("VACUUM ANALYZE helpdesk_message, helpdesk_receipt")
        own.execute(f"PREPARE say AS {remembered.SAY}")
        for name in ("claimed", "locked"):
            own.execute(f"SET helpdesk.{name} = '{{}}'")
        rows = own.execute("EXPLAIN EXECUTE say ('[]', '0 s')").fetchall()
    plan = "\n".join(line for (line,) in rows)
    # Both look-ups. (How conversations are joined hangs on whether autovacuum has met
    # them empty; they are planned anew when it has met them full.)
    assert plan.count("Index Cond: ((sender = ") == 2


# --- what was believed and is not so any more


async def test_after_the_end_nothing_more_is_said(
    conversation: Conversation, looked: list[str]
) -> None:
    await add(hers(conversation, "before"))
    ended = {"state": "ended", "ended_at": conversation.created_at}
    await in_transaction(change, conversation, **ended)
    with pytest.raises(Ended):
        await add(hers(conversation, "after"))
    assert looked == ["before", "after"]
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["before"]


async def test_only_who_holds_it_now_may_speak(conversation: Conversation) -> None:
    other = await in_transaction(new_conversation)
    await add(holders(conversation, "Ada"))
    await in_transaction(change, conversation, agent_id=other.agent_id)
    with pytest.raises(NotYours):
        await add(holders(conversation, "Ada again"))
    await add(holders(conversation, "Ben", sender=other.agent_id))
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["Ada", "Ben"]


async def test_what_the_others_of_a_batch_bring_to_light_counts_for_all(
    conversation: Conversation,
) -> None:
    """Cora's file goes the long way, which finds that Ada holds it no more."""
    other = await in_transaction(new_conversation)
    await add(holders(conversation, "Ada"))
    file = await in_transaction(new_file, conversation.customer_id)
    await in_transaction(change, conversation, agent_id=other.agent_id)
    posts = [
        holders(conversation, "Ada again"),
        hers(conversation, "file", attachments=(file.pk,)),
    ]
    answers = await asyncio.gather(*map(add, posts), return_exceptions=True)
    assert isinstance(answers[0], NotYours)
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["Ada", "file"]


async def test_who_may_not_is_refused_with_others_of_the_batch(
    conversation: Conversation,
) -> None:
    """Mallory's post is looked at by the long way, and nobody else's is lost."""
    other = await in_transaction(new_conversation)
    await add(hers(conversation, "one"))
    posts = [
        hers(conversation, "two"),
        holders(conversation, "mallory", sender=other.agent_id),
        holders(conversation, "three"),
    ]
    answers = await asyncio.gather(*map(add, posts), return_exceptions=True)
    assert [isinstance(answer, NotYours) for answer in answers] == [False, True, False]
    said = await reading(check_story, conversation)
    assert {message.text for message in said} == {"one", "two", "three"}


async def test_one_that_is_gone_is_unknown(conversation: Conversation) -> None:
    await add(holders(conversation))
    await in_transaction(Conversation.objects.filter(pk=conversation.pk).delete)
    with pytest.raises(Exception, match="no such conversation"):
        await add(holders(conversation))


async def test_what_is_remembered_has_a_bound(
    conversation: Conversation, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "STANDINGS", 0)
    other = await in_transaction(new_conversation)
    for number, where in enumerate((conversation, other, conversation, conversation)):
        await add(hers(where, str(number)))
    assert looked == ["0", "1", "2"]


# --- ids that were used before


async def test_a_repeated_id_gets_its_first_ack(conversation: Conversation) -> None:
    post = hers(conversation, "once")
    first = await add(post)
    await add(hers(conversation, "then"))
    failed = tally.commits_failed
    again = await add(post)
    assert tally.commits_failed == failed
    assert again.repeated
    assert (again.seq, again.at) == (first.seq, first.at)
    assert len(await reading(check_story, conversation)) == 2


async def test_twice_at_once_it_is_said_once(conversation: Conversation) -> None:
    await add(hers(conversation, "before"))
    post = hers(conversation, "once")
    failed = tally.commits_failed
    both = await asyncio.gather(*(add(post) for _ in range(2)))
    assert tally.commits_failed == failed
    assert [answer.repeated for answer in both] == [False, True]
    assert len(await reading(check_story, conversation)) == 2


async def test_a_commands_id_gets_the_commands_ack(conversation: Conversation) -> None:
    await add(hers(conversation, "before"))
    ack = {"type": "ack", "id": "command1"}
    receipt = {"sender": conversation.customer_id, "client_id": "command1"}
    at = conversation.created_at
    await in_transaction(Receipt.objects.create, ack=ack, at=at, **receipt)
    answer = await writer.add(hers(conversation, client_id="command1"))
    assert answer == Answered(ack)
    assert len(await reading(check_story, conversation)) == 1


async def test_an_id_that_a_command_is_using_waits_for_it(
    conversation: Conversation,
) -> None:
    await add(hers(conversation, "before"))
    ack = '{"type": "ack", "id": "command1"}'
    sender = conversation.customer_id
    key = (claims.KIND, claims.bucket(sender, "command1"))
    with psycopg.connect(address()) as command:
        command.execute("SELECT pg_advisory_xact_lock(%s, %s)", key)
        post = asyncio.create_task(writer.add(hers(conversation, client_id="command1")))
        await add(hers(conversation, "meanwhile"))
        assert not post.done()
        command.execute(
            "INSERT INTO helpdesk_receipt (sender, client_id, ack, at)"
            " VALUES (%s, 'command1', %s, now())",
            (sender, ack),
        )
    assert isinstance(await post, Answered)
    assert len(await reading(check_story, conversation)) == 2


# --- beside others


async def test_a_held_one_is_passed_over_and_still_remembered(
    conversation: Conversation, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    undo = AsyncMock(side_effect=AssertionError("waited for a lock"))
    monkeypatch.setattr(line, "PASSES", 1_000_000)
    monkeypatch.setattr(postgres.Postgres, "_undo", undo)
    other = await in_transaction(new_conversation)
    await asyncio.gather(add(hers(conversation, "1")), add(hers(other, "2")))
    with held(conversation):
        both = [hers(conversation, "waits"), hers(other, "goes")]
        waits, goes = (asyncio.create_task(add(post)) for post in both)
        await goes
        assert not waits.done()
    await waits
    await add(hers(conversation, "after"))
    assert "goes" not in looked
    assert "after" not in looked
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["1", "waits", "after"]


async def test_a_senders_posts_keep_their_order_on_both_ways(
    conversation: Conversation,
) -> None:
    await add(hers(conversation, "0"))
    file = await in_transaction(new_file, conversation.customer_id)
    posts = [
        hers(conversation, "1"),
        hers(conversation, "2", attachments=(file.pk,)),
        hers(conversation, "3", conversation=None),
        hers(conversation, "4"),
    ]
    await asyncio.gather(*map(add, posts))
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == ["0", "1", "2", "3", "4"]
