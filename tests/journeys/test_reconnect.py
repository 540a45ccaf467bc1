"""Connections break; nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import pytest

from helpdesk import limits
from tests.customers.test_consumers import fill
from tests.people import Customer, Frame, new_id
from tests.shop import Shop, stored, texts, told


def seqs(messages: list[Frame]) -> list[int]:
    return [message["seq"] for message in messages]


async def test_cora_is_back_and_gets_what_she_missed(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    last = (await ada.posts(here, "Still there?", id="last-seen"))["seq"]
    await cora.hears_message("Still there?")
    cora.vanish()
    await ada.posts(here, "a note", note=True)
    for n in range(3):
        await ada.posts(here, f"{n}")
    back = await shop.again(cora, conversation=here, after=last, last="last-seen")
    assert [m["text"] for m in back.welcome["messages"]] == ["0", "1", "2"]
    assert (back.welcome["more"], "reset" in back.welcome) == (False, False)


async def test_who_missed_nothing_gets_nothing(shop: Shop) -> None:
    cora, _, here = await shop.talk()
    back = await shop.again(cora, conversation=here, after=2)
    assert back.welcome["messages"] == []


FITS_NOT: dict[str, Frame] = {
    "another message stands there": {"after": 2, "last": "something-else"},
    "nothing stands there": {"after": 9, "last": "something-else"},
    "another conversation": {"after": 2, "conversation": str(uuid.uuid4())},
    "no conversation at all": {"after": 2, "conversation": "moon"},
}


@pytest.mark.parametrize("which", FITS_NOT)
async def test_what_does_not_fit_is_begun_anew(shop: Shop, which: str) -> None:
    """The database may have been restored from an older backup."""
    cora, _, _ = await shop.talk()
    back = await shop.again(cora, **FITS_NOT[which])
    assert back.welcome["reset"] is True
    assert seqs(back.welcome["messages"]) == [1, 2]


async def test_without_last_only_the_number_counts(shop: Shop) -> None:
    cora, _, _ = await shop.talk()
    back = await shop.again(cora, after=1)
    assert seqs(back.welcome["messages"]) == [2]
    assert "reset" not in back.welcome


async def test_a_note_is_no_message_to_hold(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    await ada.posts(here, "Psst", note=True, id="the-note-id")
    back = await shop.again(cora, after=2, last="the-note-id")
    assert back.welcome["reset"] is True


@pytest.mark.parametrize(
    ("held", "expected", "more"),
    [
        ({}, range(251, 451), True),
        ({"after": 0}, range(1, 201), True),
        ({"after": 100}, range(101, 301), True),
        ({"after": 250}, range(251, 451), False),
        ({"after": 449}, range(450, 451), False),
    ],
)
async def test_a_page_is_200_messages(
    shop: Shop, held: Frame, expected: range, more: bool
) -> None:
    cora = await shop.customer()
    here = (await cora.starts("1"))["conversation"]["id"]
    await stored(fill, here, 450)
    back = await shop.again(cora, **held)
    assert seqs(back.welcome["messages"]) == list(expected)
    assert back.welcome["more"] is more


async def test_the_newest_conversation_stays_readable_after_its_end(
    shop: Shop,
) -> None:
    cora, ada, here = await shop.talk()
    await ada.ends(here)
    back = await shop.again(cora)
    assert back.welcome["conversation"]["state"] == "ended"
    assert seqs(back.welcome["messages"]) == [1, 2, 3]
    rated = await back.ask("conversation.rate", score=5)
    assert rated["conversation"]["rating"] == 5


async def test_an_unanswered_post_is_sent_again(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    id = new_id()
    await cora.say("message.post", id=id, text="Did this arrive?")
    cora.vanish()
    back = await shop.again(cora)
    ack = await back.posts("Did this arrive?", id=id)
    assert ack["seq"] == 3
    assert (await ada.hears_message("Did this arrive?"))["seq"] == 3
    assert await stored(texts, here) == ["Hello?", "Did this arrive?"]


class Screen:
    """What a client would show: messages by seq, however they came."""

    def __init__(self) -> None:
        self.shown: dict[int, Frame] = {}

    def take(self, frames: list[Frame]) -> None:
        for frame in frames:
            said = frame.get("messages") or [frame.get("message")]
            for message in filter(None, said):
                known = self.shown.setdefault(message["seq"], message)
                assert known == message

    @property
    def held(self) -> Frame:
        after = 0
        while after + 1 in self.shown:
            after += 1
        last = {"last": self.shown[after]["id"]} if after else {}
        return {"after": after, **last}


async def test_however_often_it_breaks_every_message_is_seen_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when the welcome is read before the audience is joined."""
    monkeypatch.setattr(limits, "agent_posts", limits.Limit(1_000, 1_000))
    cora, ada, here = await shop.talk()
    screen = Screen()

    async def speak() -> None:
        for n in range(80):
            await ada.say("message.post", id=new_id(), conversation=here, text=f"{n}")
            await asyncio.sleep(0.01)

    speaking = asyncio.create_task(speak())
    rounds = random.Random(7)
    person: Customer = cora
    while not speaking.done():
        await asyncio.sleep(rounds.uniform(0, 0.1))
        screen.take(person.heard)
        person.vanish()
        person = await shop.again(cora, conversation=here, **screen.held)
        assert "reset" not in person.welcome
    await ada.hears("ack", where=lambda f: f["seq"] == 82)
    screen.take(person.heard)  # the last welcome may have brought it
    if 82 not in screen.shown:
        await person.hears_message("79")
    screen.take(person.heard)
    expected = await stored(told, here)
    assert [(seq, m["text"]) for seq, m in sorted(screen.shown.items())] == expected


async def test_ada_reloads_and_holds_what_she_held(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    ada.vanish()
    await cora.posts("Are you there?")
    back = await shop.agent(shop.ada, after={here: [2, None]})
    assert [each["id"] for each in back.welcome["conversations"]] == [here]
    assert [m["text"] for m in back.welcome["messages"][here]] == ["Are you there?"]
    await back.posts(here, "Yes, a reload")
    await cora.hears_message("Yes, a reload")


def heard_texts(person: Any) -> list[str]:
    return [f["message"]["text"] for f in person.heard if f["type"] == "message.posted"]


async def test_after_a_restart_of_the_server_everything_goes_on(
    shop: Shop, server_process: Any
) -> None:
    process = server_process()
    ada = await shop.agent(shop.ada, at=process)
    cora = await shop.customer(at=process)
    here = (await cora.starts("Hello?"))["conversation"]["id"]
    await cora.sees(state="active")
    assert await asyncio.to_thread(process.stop) == 0
    assert (await cora.closed(), await ada.closed()) == (4012, 4012)
    await asyncio.to_thread(process.start)
    ada = await shop.agent(shop.ada, at=process)
    cora = await shop.customer(at=process, token=cora.token, after=2)
    assert cora.welcome["conversation"]["state"] == "active"
    await ada.posts(here, "Where were we?")
    await cora.hears_message("Where were we?")
