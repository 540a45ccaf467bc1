"""Who asks at once shares one answer, and nobody waits for company."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from helpdesk import together as module
from helpdesk.errors import Overloaded
from helpdesk.together import MOST, Together, together

Ask = Callable[[Sequence[Any]], Sequence[Any]]


class Slow:
    """A database that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[Any]] = []
        self._may: asyncio.Queue[None] = asyncio.Queue()

    async def cross(self, ask: Ask, questions: list[Any]) -> Sequence[Any]:
        self.asked.append(questions)
        await self._may.get()
        return ask(questions)

    async def answer(self) -> None:
        self._may.put_nowait(None)
        await turns()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def all_of(*asking: Awaitable[Any]) -> asyncio.Future[list[Any]]:
    return asyncio.gather(*asking, return_exceptions=True)


async def test_one_is_asked_at_once_and_those_who_come_meanwhile_together() -> None:
    slow = Slow()
    double = Together(doubled, slow.cross)
    answers = all_of(double(1))
    await turns()
    more = all_of(double(2), double(3))
    await turns()
    assert slow.asked == [[1]]  # what was begun before they asked is not for them
    await slow.answer()
    assert await answers == [2]
    assert slow.asked == [[1], [2, 3]]
    await slow.answer()
    assert await more == [4, 6]
    answers = all_of(double(4))
    await turns()
    assert slow.asked[2:] == [[4]]
    await slow.answer()
    assert await answers == [8]


async def test_not_more_than_so_many_share_one() -> None:
    slow = Slow()
    double = Together(doubled, slow.cross)
    answers = all_of(*(double(number) for number in range(MOST + 2)))
    await turns()
    await slow.answer()
    await slow.answer()
    assert [len(asked) for asked in slow.asked] == [MOST, 2]
    assert await answers == [2 * number for number in range(MOST + 2)]


async def test_what_fails_for_one_fails_for_them_alone() -> None:
    def inverse(numbers: Sequence[int]) -> list[float]:
        return [1 / number for number in numbers]

    async def cross(ask: Ask, questions: list[Any]) -> Sequence[Any]:
        return ask(questions)

    one, none, two = await all_of(*map(Together(inverse, cross), (1, 0, 2)))
    assert (one, two) == (1, 0.5)
    assert isinstance(none, ZeroDivisionError)


async def test_an_answer_may_be_a_refusal() -> None:
    def refuse_odd(numbers: Sequence[int]) -> list[int | Exception]:
        return [LookupError(each) if each % 2 else each for each in numbers]

    async def cross(ask: Ask, questions: list[Any]) -> Sequence[Any]:
        return ask(questions)

    even, odd = await all_of(*map(Together(refuse_odd, cross), (2, 3)))
    assert even == 2
    assert isinstance(odd, LookupError)


async def test_while_the_database_is_away_all_are_told_and_it_is_asked_once() -> None:
    asked = 0

    async def away(ask: Ask, questions: list[Any]) -> Sequence[Any]:
        nonlocal asked
        asked += 1
        raise Overloaded

    double = Together(doubled, away)
    answers = await all_of(double(1), double(2))
    assert [type(each) for each in answers] == [Overloaded, Overloaded]
    assert asked == 1
    with pytest.raises(Overloaded):
        await double(3)


async def test_who_has_gone_keeps_nobody_from_their_answer() -> None:
    slow = Slow()
    double = Together(doubled, slow.cross)
    gone = asyncio.ensure_future(double(1))
    stays = asyncio.ensure_future(double(2))
    await turns()
    gone.cancel()
    await slow.answer()
    assert await stays == 4
    assert gone.cancelled()


@pytest.mark.parametrize("serial", [False, True])
async def test_one_answer_that_is_stuck_holds_up_only_what_acts(
    serial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0)
    stuck = asyncio.Event()

    async def cross(ask: Ask, questions: list[Any]) -> Sequence[Any]:
        if 1 in questions:
            await stuck.wait()
        return ask(questions)

    double = Together(doubled, cross, serial=serial)
    first = asyncio.ensure_future(double(1))
    await turns()
    others = [asyncio.ensure_future(double(number)) for number in (2, 3)]
    await turns()
    assert [each.done() for each in others] == [not serial] * 2
    last = asyncio.ensure_future(double(4))
    await turns()
    assert last.done() is not serial
    stuck.set()
    assert await asyncio.gather(first, *others, last) == [2, 4, 6, 8]
    assert await double(5) == 10


async def test_each_is_refused_by_an_exception_of_its_own() -> None:
    """It is raised in their tasks, and would tell of all of them."""

    async def away(ask: Ask, questions: list[Any]) -> Sequence[Any]:
        raise Overloaded(retry_ms=7)

    double = Together(doubled, away)
    one, two = await all_of(double(1), double(2))
    assert one is not two
    assert one.retry_ms == two.retry_ms == 7


async def test_what_ends_while_it_answers_leaves_nobody_waiting() -> None:
    slow = Slow()
    double = Together(doubled, slow.cross)
    waits = asyncio.ensure_future(double(1))
    await turns()
    for task in asyncio.all_tasks() - {asyncio.current_task(), waits}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits


@pytest.mark.django_db
def test_each_loop_has_its_own() -> None:
    """As in tests and commands, where one ends and another begins."""
    for _ in range(2):
        assert asyncio.run(together(doubled, 4)) == 8
