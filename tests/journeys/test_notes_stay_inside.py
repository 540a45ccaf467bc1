"""A customer cannot tell a conversation with notes from one without."""

from __future__ import annotations

from typing import Any

from tests.customers.test_consumers import file_of
from tests.people import Frame
from tests.shop import Shop, stored

SECRET = "She is a difficult one"


async def seen_by_cora(shop: Shop, notes: bool) -> list[Frame]:
    """Everything that reaches her in a conversation, by every way."""
    cora, ada, here = await shop.talk()

    async def note() -> None:
        if notes:
            file = await stored(file_of, str(shop.ada.pk), shop)
            ack = await ada.posts(here, SECRET, note=True, attachments=[file])
            assert ack["type"] == "ack"

    await note()
    await ada.posts(here, "Hi!")
    await cora.hears_message("Hi!")
    await note()
    await cora.posts("Hm.", id="post-id-1")
    await cora.say("message.read", seq=4)
    await cora.sees(read={"customer": 4, "agent": 0})
    tab = await shop.again(cora)
    poll = shop.long_poll(cora.token)
    frames = await poll.asks(hello={}, after=0)
    history = await cora.ask("history.get", id="history-1")
    later = await cora.ask("history.get", id="history-2", after=1, limit=2)
    await note()
    pong = (await cora.heard_so_far())[-1]
    await ada.ends(here)
    await cora.sees(state="ended")
    return [*cora.heard, tab.welcome, *frames, history, later, pong]


def shape(frames: Any) -> Any:
    """Without what differs between any two conversations."""
    volatile = {"id", "token", "at", "created_at", "started_at", "ended_at"}
    volatile |= {"conversation", "customer", "author", "queues", "queue", "agent"}
    if isinstance(frames, dict):
        return {
            key: shape(value)
            for key, value in frames.items()
            if key not in volatile
            or (key == "conversation" and isinstance(value, dict))
        }
    return [shape(each) for each in frames] if isinstance(frames, list) else frames


def kept(frames: list[Frame]) -> list[Any]:
    """Pongs and positions come when they come."""
    return [shape(f) for f in frames if f["type"] not in ("beat", "pong")]


async def test_a_conversation_with_notes_looks_as_one_without(shop: Shop) -> None:
    with_notes = await seen_by_cora(shop, notes=True)
    without = await seen_by_cora(shop, notes=False)
    last = [
        [f for f in frames if f["type"] == "pong"][-1]
        for frames in (with_notes, without)
    ]
    assert last[0]["seq"] == last[1]["seq"]
    assert [f for f in kept(with_notes) if f["type"] == "message.posted"] == [
        f for f in kept(without) if f["type"] == "message.posted"
    ]
    versions = [
        max(
            f["conversation"]["version"]
            for f in frames
            if f["type"] == "conversation.changed"
        )
        for frames in (with_notes, without)
    ]
    assert versions[0] == versions[1]


async def test_no_word_and_no_count_of_a_note_reaches_her(shop: Shop) -> None:
    frames = str(await seen_by_cora(shop, notes=True))
    assert SECRET not in frames
    assert "'notes'" not in frames
    assert "'note'" not in frames
