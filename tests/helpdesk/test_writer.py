"""The writer on whichever database the run has (PostgreSQL or SQLite)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID, uuid4

import pytest

from helpdesk import database, writer
from helpdesk.database import db_now, in_transaction, reading
from helpdesk.errors import AttachmentUnknown, Ended, Forbidden, NotStarted
from helpdesk.models import Attachment, Conversation, Message, Receipt
from helpdesk.writer import Answered, Post

from .writing import (
    add,
    check_story,
    elsewhere,
    hers,
    holders,
    new_conversation,
    new_file,
    story,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 30


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await writer.close()
    database.close_all()


@pytest.fixture
async def conversation() -> Conversation:
    return await in_transaction(new_conversation)


# --- one post


async def test_it_is_on_disk_when_the_ack_is_given(conversation: Conversation) -> None:
    post = hers(conversation, "Où est ma commande ? 📦")
    stored = await add(post)
    (message,) = await reading(story, conversation)
    assert (message.client_id, message.text) == (post.client_id, post.text)
    assert (message.author, message.sender) == ("customer", post.sender)
    assert (message.kind, message.place, message.at) == ("text", 1, stored.at)


async def test_a_note_is_kept_as_a_note(conversation: Conversation) -> None:
    await add(holders(conversation, note=True))
    (note,) = await reading(check_story, conversation)
    assert (note.kind, note.author, note.seq, note.notes) == ("note", "agent", 0, 1)


async def test_the_time_is_the_databases(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "offset", dt.timedelta(hours=3))
    before = await reading(db_now)
    stored = await add(hers(conversation))
    assert before <= stored.at <= await reading(db_now)
    assert stored.at.microsecond % 1000 == 0


async def test_a_refused_post_leaves_nothing() -> None:
    conversation = await in_transaction(new_conversation, "ended")
    with pytest.raises(Ended):
        await add(hers(conversation))
    assert not await reading(check_story, conversation)


async def test_mallory_learns_nothing_and_says_nothing(
    conversation: Conversation,
) -> None:
    mallory = uuid4()
    details = []
    for place in (conversation.pk, uuid4()):
        with pytest.raises(Forbidden) as refused:
            await add(hers(conversation, sender=mallory, conversation=place))
        details.append(refused.value.detail)
    assert details[0] == details[1]
    assert not await reading(check_story, conversation)


# --- a customer who does not say where


async def test_her_open_conversation_is_found(conversation: Conversation) -> None:
    earlier = {
        "customer": conversation.customer,
        "created_at": conversation.created_at + dt.timedelta(hours=1),
    }
    await in_transaction(new_conversation, "ended", **earlier)
    await in_transaction(new_conversation, "waiting", left=True, **earlier)
    stored = await add(hers(conversation, conversation=None))
    assert stored.conversation == conversation.pk


async def test_she_has_none_open() -> None:
    conversation = await in_transaction(new_conversation, "ended")
    with pytest.raises(Ended):
        await add(hers(conversation, conversation=None))


async def test_she_never_started_one() -> None:
    with pytest.raises(NotStarted):
        await add(Post(uuid4(), "customer", None, "id-000001", "Hello?"))


# --- repeating


async def test_twenty_at_once_with_one_id_are_stored_once(
    conversation: Conversation,
) -> None:
    post = hers(conversation)
    answers = await asyncio.gather(*(add(post) for _ in range(20)))
    assert Counter(answer.repeated for answer in answers) == {True: 19, False: 1}
    assert {answer.seq for answer in answers} == {1}
    assert len(await reading(check_story, conversation)) == 1


async def test_from_two_writers_at_once_too(conversation: Conversation) -> None:
    for turn in range(ROUNDS):
        post = hers(conversation, client_id=f"turn-{turn:06}")
        both = await asyncio.gather(add(post), elsewhere(partial(add, post)))
        assert Counter(answer.repeated for answer in both) == {True: 1, False: 1}
    assert len(await reading(check_story, conversation)) == ROUNDS


async def test_one_id_in_two_conversations_is_stored_in_one() -> None:
    """The row lock does not help here: the unique id does."""
    one = await in_transaction(new_conversation)
    done = {"ended_at": one.created_at, "state": "ended"}
    for turn in range(ROUNDS):
        other = await in_transaction(
            new_conversation, "waiting", customer=one.customer, left=True
        )
        first = hers(one, client_id=f"turn-{turn:06}")
        second = hers(other, client_id=f"turn-{turn:06}")
        both = await asyncio.gather(add(first), elsewhere(partial(add, second)))
        assert both[0].conversation == both[1].conversation
        assert Counter(answer.repeated for answer in both) == {True: 1, False: 1}
        await in_transaction(Conversation.objects.filter(pk=other.pk).update, **done)


async def test_after_the_end_it_still_gets_its_first_ack(
    conversation: Conversation,
) -> None:
    post = hers(conversation)
    first = await add(post)
    await in_transaction(end, conversation)
    again = await add(post)
    assert again.repeated
    assert (again.seq, again.at) == (first.seq, first.at)


async def test_the_id_of_a_start_gets_the_ack_of_the_start(
    conversation: Conversation,
) -> None:
    ack = {"type": "ack", "id": "start-01", "conversation": {"id": "…"}, "seq": 1}
    receipt = {"sender": conversation.customer_id, "client_id": "start-01"}
    at = conversation.created_at
    await in_transaction(Receipt.objects.create, ack=ack, at=at, **receipt)
    answer = await writer.add(hers(conversation, client_id="start-01"))
    assert answer == Answered(ack)


# --- many


async def test_two_writers_share_a_conversation_without_a_hole(
    conversation: Conversation,
) -> None:
    async def say(who: str) -> None:
        for n in range(50):
            await add(hers(conversation, f"{who} {n}"))

    await asyncio.gather(say("here"), elsewhere(partial(say, "there")))
    said = await reading(check_story, conversation)
    for who in ("here", "there"):
        texts = [message.text for message in said if message.text.startswith(who)]
        assert texts == [f"{who} {n}" for n in range(50)]


async def test_one_sender_keeps_their_order(conversation: Conversation) -> None:
    posts = [hers(conversation, str(n)) for n in range(1200)]  # several batches
    await asyncio.gather(*map(add, posts))
    said = await reading(check_story, conversation)
    assert [message.text for message in said] == [post.text for post in posts]


# --- files


async def test_a_file_goes_with_its_message(conversation: Conversation) -> None:
    file = await in_transaction(new_file, conversation.customer_id, width=3)
    post = hers(conversation, "", attachments=(file.pk,))
    stored = await add(post)
    (shown,) = stored.attachments
    assert (shown.id, shown.name, shown.width, shown.height) == (
        file.pk,
        "a.png",
        3,
        None,
    )
    kept = await reading(Attachment.objects.get, message__client_id=post.client_id)
    assert kept == file


async def test_anothers_file_stays_theirs(conversation: Conversation) -> None:
    file = await in_transaction(new_file, uuid4())
    with pytest.raises(AttachmentUnknown):
        await add(hers(conversation, attachments=(file.pk,)))
    await reading(Attachment.objects.get, pk=file.pk, message=None)


async def test_one_file_in_two_places_at_once_goes_to_one(
    conversation: Conversation,
) -> None:
    for _ in range(ROUNDS):
        file = await in_transaction(new_file, conversation.customer_id)
        posts = [hers(conversation, attachments=(file.pk,)) for _ in range(2)]
        outcome = await asyncio.gather(
            add(posts[0]), elsewhere(partial(add, posts[1])), return_exceptions=True
        )
        refused = [answer for answer in outcome if isinstance(answer, Exception)]
        assert [type(refusal) for refusal in refused] == [AttachmentUnknown]


# --- a verb that tells its story


def end(conversation: Conversation) -> Message:
    now = Conversation.objects.select_for_update().get(pk=conversation.pk)
    now.state, now.ended_at = "ended", db_now()
    now.save(update_fields=["state", "ended_at"])
    return writer.say(now, kind="system", author="system", event="ended")


async def test_a_line_is_said_with_the_change(conversation: Conversation) -> None:
    await add(holders(conversation, note=True))
    await add(hers(conversation))
    line = await in_transaction(end, conversation)
    assert (line.seq, line.notes, line.place) == (2, 1, 3)
    assert line.client_id
    await reading(check_story, conversation)


async def test_a_line_is_unsaid_with_the_change(conversation: Conversation) -> None:
    def end_and_regret() -> None:
        end(conversation)
        raise Ended

    with pytest.raises(Ended):
        await in_transaction(end_and_regret)
    assert not await reading(check_story, conversation)


async def test_a_start_brings_its_files(conversation: Conversation) -> None:
    def start(uploader: UUID) -> Message:
        file = new_file(uploader)
        return writer.say(
            conversation,
            kind="text",
            author="customer",
            sender=conversation.customer_id,
            client_id=str(uuid4()),
            attachments=[file.pk],
        )

    message = await in_transaction(start, conversation.customer_id)
    assert await reading(Attachment.objects.filter(message=message).count) == 1
    with pytest.raises(AttachmentUnknown):
        await in_transaction(start, uuid4())


async def test_a_post_races_the_end(conversation: Conversation) -> None:
    """It is stored before the end, or refused; never said after the last line."""
    outcomes: Counter[str] = Counter()
    for _ in range(ROUNDS):
        conversation = await in_transaction(new_conversation)
        posts = [add(hers(conversation, str(n))) for n in range(5)]
        ended, *answers = await asyncio.gather(
            in_transaction(end, conversation), *posts, return_exceptions=True
        )
        assert isinstance(ended, Message)
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, Ended)
            else:
                assert answer.place < ended.place
            outcomes[type(answer).__name__] += 1
        await reading(check_story, conversation)
    assert sum(outcomes.values()) == 5 * ROUNDS
