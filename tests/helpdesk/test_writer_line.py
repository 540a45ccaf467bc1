"""The line of waiting posts, before a shelf that fails, hangs and forgets on demand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from helpdesk.errors import Ended, Overloaded
from helpdesk.writer import line as module
from helpdesk.writer.line import ANSWERS, BATCH, BYTES, PASSES, POSTS, Away, Line
from helpdesk.writer.plan import Answer, Later, Post, Stored

CORA, HERS = uuid4(), uuid4()


class Shelf:
    """A store in memory. `poison` cannot be stored; `locked` conversations wait."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.texts: list[str] = []
        self.poison: set[str] = set()
        self.locked: set[UUID] = set()
        self.refused: set[str] = set()
        self.away = 0  # how many more times
        self.patient = 0
        self.closed = False
        self.open = asyncio.Event()
        self.open.set()

    async def commit(self, posts: Sequence[Post], *, patient: bool) -> list[Answer]:
        await asyncio.sleep(0)
        await self.open.wait()
        self.batches.append([post.text for post in posts])
        self.patient += patient
        if self.away:
            self.away -= 1
            raise Away("gone to lunch")
        if self.poison & {post.text for post in posts}:
            raise ValueError("poison")
        return [self.answer(post) for post in posts]

    def answer(self, post: Post) -> Answer:
        if post.conversation in self.locked:
            return Later()
        if post.text in self.refused:
            return Ended()
        self.texts.append(post.text)
        return stored(post, len(self.texts))

    async def close(self) -> None:
        self.closed = True


def stored(post: Post, seq: int) -> Stored:
    at = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    assert post.conversation
    return Stored(post.conversation, seq, seq, 0, at, False, 1, post.sender, None, 1)


def says(text: str, conversation: UUID = HERS) -> Post:
    return Post(CORA, "customer", conversation, str(uuid4()), text)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def line(shelf: Shelf) -> Line:
    return Line(shelf, asyncio.get_running_loop())


def post_all(line: Line, texts: Sequence[str]) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(line.add(says(text))) for text in texts]


async def turn() -> None:
    """Let everybody who can run do so once."""
    await asyncio.sleep(0)


async def test_what_waits_is_stored_together(line: Line, shelf: Shelf) -> None:
    await asyncio.gather(*post_all(line, "abc"))
    assert shelf.batches == [["a", "b", "c"]]


async def test_what_the_next_turn_brings_goes_along(line: Line, shelf: Shelf) -> None:
    first = asyncio.create_task(line.add(says("a")))
    await turn()
    second = asyncio.create_task(line.add(says("b")))
    await asyncio.gather(first, second)
    assert shelf.batches == [["a", "b"]]


async def test_a_post_does_not_wait_for_all_that_come_after_it(
    line: Line, shelf: Shelf
) -> None:
    first = asyncio.create_task(line.add(says("first")))
    later = []
    while not first.done():
        later.append(asyncio.create_task(line.add(says("later"))))
        await turn()
    assert shelf.batches[0][0] == "first"
    assert len(shelf.batches[0]) <= 5
    await asyncio.gather(*later)


async def test_what_comes_meanwhile_makes_the_next_batch(
    line: Line, shelf: Shelf
) -> None:
    shelf.open.clear()
    first = post_all(line, "a")
    await turn()
    await turn()
    second = post_all(line, "bc")
    await turn()
    shelf.open.set()
    await asyncio.gather(*first, *second)
    assert shelf.batches == [["a"], ["b", "c"]]


async def test_a_batch_has_a_limit(line: Line, shelf: Shelf) -> None:
    await asyncio.gather(*post_all(line, ["x"] * (BATCH + 1)))
    assert [len(batch) for batch in shelf.batches] == [BATCH, 1]


async def test_each_gets_their_own_answer(line: Line, shelf: Shelf) -> None:
    shelf.refused = {"b"}
    answers = await asyncio.gather(*post_all(line, "abc"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Stored, Ended, Stored]


async def test_the_next_batch_leaves_before_all_of_the_last_one_have_heard(
    line: Line, shelf: Shelf
) -> None:
    """The database would otherwise stand idle while their acks are sent."""
    first = post_all(line, ["x"] * BATCH)
    while line.waiting < BATCH:
        await turn()
    while line.waiting:
        await turn()  # the first batch is under way
    second = post_all(line, ["y"] * 2)
    while len(shelf.batches) < 2:
        heard = sum(task.done() for task in first)
        await turn()
    assert 0 < heard < BATCH
    await asyncio.gather(*first, *second)


async def test_all_hear_in_the_order_in_which_they_were_stored(
    line: Line, shelf: Shelf
) -> None:
    heard: list[str] = []

    async def post(text: str) -> None:
        await line.add(says(text))
        heard.append(text)

    texts = [str(number) for number in range(2 * BATCH + ANSWERS + 1)]
    await asyncio.gather(*map(post, texts))
    assert heard == shelf.texts == texts


async def test_one_that_cannot_be_stored_stands_alone(
    line: Line, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.poison = {"13"}
    texts = [str(n) for n in range(40)]
    answers = await asyncio.gather(*post_all(line, texts), return_exceptions=True)
    assert shelf.texts == [text for text in texts if text != "13"]
    assert isinstance(answers[13], ValueError)
    assert "A post cannot be stored" in caplog.text


async def test_batches_grow_again_after_a_bad_one(line: Line, shelf: Shelf) -> None:
    shelf.poison = {"0"}
    texts = [str(n) for n in range(40)]
    await asyncio.gather(*post_all(line, texts), return_exceptions=True)
    shelf.batches.clear()
    await asyncio.gather(*post_all(line, ["x"] * 40))
    assert len(shelf.batches) == 1


async def test_the_order_survives_a_database_that_is_away(
    line: Line, shelf: Shelf
) -> None:
    shelf.away = 2
    texts = [str(n) for n in range(20)]
    await asyncio.gather(*post_all(line, texts))
    assert shelf.texts == texts


async def test_who_waits_too_long_is_told_to_come_again(
    line: Line, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", -1)  # waited too long already
    shelf.away = 1
    with pytest.raises(Overloaded):
        await line.add(says("a"))
    assert shelf.texts == []


async def test_the_line_is_bounded_in_posts(line: Line, shelf: Shelf) -> None:
    shelf.open.clear()
    waiting = post_all(line, ["x"] * POSTS)
    await turn()
    await turn()  # one batch has left the line
    more = post_all(line, ["x"] * BATCH)
    await turn()
    with pytest.raises(Overloaded) as refused:
        await line.add(says("one too many"))
    assert refused.value.retry_ms
    shelf.open.set()
    await asyncio.gather(*waiting, *more)


async def test_the_line_is_bounded_in_bytes(line: Line, shelf: Shelf) -> None:
    shelf.open.clear()
    first = post_all(line, "a")
    await turn()
    await turn()
    waiting = post_all(line, ["x" * (BYTES // 8)] * 2)  # counted at four bytes each
    await turn()
    with pytest.raises(Overloaded):
        await line.add(says("one too many"))
    shelf.open.set()
    await asyncio.gather(*first, *waiting)


async def test_room_is_given_back(line: Line, shelf: Shelf) -> None:
    for _ in range(3):
        await asyncio.gather(*post_all(line, ["x" * (BYTES // 8)] * 2))
    assert len(shelf.texts) == 6


async def test_a_post_whose_socket_is_gone_is_not_stored(
    line: Line, shelf: Shelf
) -> None:
    shelf.open.clear()
    first = post_all(line, "a")
    await turn()
    await turn()
    gone, stays = post_all(line, "bc")
    await turn()
    gone.cancel()
    await turn()
    shelf.open.set()
    await asyncio.gather(*first, stays)
    assert shelf.texts == ["a", "c"]


async def test_a_socket_that_leaves_during_the_commit_spoils_nothing(
    line: Line, shelf: Shelf
) -> None:
    shelf.open.clear()
    gone, stays = post_all(line, "ab")
    await turn()
    while line.waiting:
        await turn()
    gone.cancel()
    await turn()
    shelf.open.set()
    await stays
    assert shelf.texts == ["a", "b"]


async def test_a_locked_conversation_does_not_hold_up_the_others(
    line: Line, shelf: Shelf
) -> None:
    busy = uuid4()
    shelf.locked = {busy}
    waits = asyncio.create_task(line.add(says("busy", busy)))
    await asyncio.gather(*post_all(line, "ab"))
    assert shelf.texts == ["a", "b"]
    shelf.locked.clear()
    await waits
    assert shelf.texts == ["a", "b", "busy"]


async def test_it_is_tried_again_before_it_is_waited_for(
    line: Line, shelf: Shelf
) -> None:
    """Most often another process's batch has it, which is over in a moment."""
    busy = uuid4()
    shelf.locked = {busy}
    waits = asyncio.create_task(line.add(says("busy", busy)))
    while len(shelf.batches) < PASSES - 1:
        await turn()
    shelf.locked.clear()
    await waits
    assert shelf.patient == 0


async def test_it_is_waited_for_apart_from_the_others(line: Line, shelf: Shelf) -> None:
    one, other = uuid4(), uuid4()
    shelf.locked = {one, other}
    tasks = [
        asyncio.create_task(line.add(says(text, where)))
        for text, where in [("1", one), ("a", HERS), ("2", other), ("1", one)]
    ]
    while shelf.patient < 2:
        await turn()
    assert shelf.batches[:6] == [
        ["1", "a", "2", "1"],
        ["1", "2", "1"],
        ["1", "2", "1"],
        ["1", "1"],
        ["2", "1", "1"],
        ["2"],
    ]
    shelf.locked.clear()
    await asyncio.gather(*tasks)


async def test_close_stores_what_waits_and_tells_all(line: Line, shelf: Shelf) -> None:
    texts = [str(number) for number in range(BATCH)]
    tasks = post_all(line, texts)
    await turn()
    await line.close()
    await turn()
    assert shelf.texts == texts
    assert shelf.closed
    assert all(task.done() for task in tasks)
