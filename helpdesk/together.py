"""Many who ask at once share one answer.

A question to the database costs a hop to a thread, a way there and back, and what
Django adds to it; fifty of them asked as one hardly cost more. Nobody waits for
company: who asks while nothing is under way is answered at once and alone. Who asks
meanwhile shares the next answer, which is begun after they asked and so is as fresh as
one of their own.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from .database import READERS, reading
from .errors import Refused
from .log import nobody

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 50  # of one answer: who comes later should not wait for too many
LATE_SECONDS = 1.0  # then others are asked beside it
BESIDE = READERS - 1  # one is left for everybody else


class Together(Generic[Q, A]):
    """`ask` is a plain function from questions to their answers, in the same order; one
    that is an exception is raised to whoever asked. `cross` runs it (database.py). When
    an answer is long in coming, later questions are asked beside it; with `serial`
    they wait, since what is asked also acts."""

    def __init__(
        self,
        ask: Callable[[Sequence[Q]], Sequence[A | Exception]],
        cross: Callable[..., Awaitable[Any]] = reading,
        *,
        serial: bool = False,
    ) -> None:
        self._ask = ask
        self._cross = cross
        self._most = 1 if serial else BESIDE
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._at_work: set[asyncio.Task[None] | None] = set()
        self._late = 0  # how many of them
        self._nobody = nobody()

    async def __call__(self, question: Q) -> A:
        """Raises what `ask` raises."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        self._see_to_it()
        return await answer

    def _see_to_it(self) -> None:
        """Unless somebody is at it who is not late."""
        if self._waiting and len(self._at_work) == self._late < self._most:
            loop = asyncio.get_running_loop()
            work = loop.create_task(self._answer_all(), context=self._nobody)
            self._at_work.add(work)

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer_some(some)
        finally:
            self._at_work.discard(asyncio.current_task())

    async def _answer_some(self, some: list[tuple[Q, asyncio.Future[A]]]) -> None:
        late = False

        def be_late() -> None:
            nonlocal late
            late = True
            self._late += 1
            self._see_to_it()

        alarm = asyncio.get_running_loop().call_later(LATE_SECONDS, be_late)
        try:
            await self._answer(some)
        finally:
            alarm.cancel()
            self._late -= late
            for _, waits in some:
                waits.cancel()  # which changes nothing where there is an answer

    async def _answer(self, some: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._cross(self._ask, [question for question, _ in some])
        except Refused as refused:  # the database is away, for all of them
            answers = [copy.copy(refused) for _ in some]
        except Exception as error:  # noqa: BLE001 (it is whoever's asked that)
            if len(some) > 1:  # one of them; the others have their answers
                for each in some:
                    await self._answer([each])
                return
            answers = [error]
        for (_, waits), answer in zip(some, answers, strict=True):
            if waits.done():  # its socket has gone
                continue
            if isinstance(answer, Exception):
                waits.set_exception(answer)
            else:
                waits.set_result(answer)


# Of each event loop: what waits for an answer belongs to one.
_asked: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[Callable[..., Any], Together[Any, Any]]
] = WeakKeyDictionary()


async def together(ask: Callable[[Sequence[Q]], Sequence[A | Exception]], own: Q) -> A:
    """The answer to one's own question, of `ask`, which only reads."""
    here = _asked.setdefault(asyncio.get_running_loop(), {})
    if ask not in here:
        here[ask] = Together(ask)
    answer: A = await here[ask](own)
    return answer
