"""The posts that wait, and the one coroutine that commits them.

No timer: while a batch is on its way to the disk the next one gathers. Everything
here is bounded: the line in posts and bytes, a batch in posts, a wait in seconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from django.db import DEFAULT_DB_ALIAS, connections

from ..errors import Overloaded
from ..log import nobody
from ..tally import tally
from .plan import Answer, Answered, Later, Post, Stored

POSTS = 5_000  # that may wait; at a few thousand a second that is about a second
BYTES = 16 * 1024 * 1024  # of text that may wait
BATCH = 128  # posts a transaction: of more, the loop has too few left meanwhile
ANSWERS = 32  # a turn of the loop
PASSES = 3  # over a post whose conversation is locked elsewhere; then it is waited for
TURNS = 3  # of the loop, as long as each brings more posts for a batch
PATIENCE_SECONDS = 10  # then a post is refused: its client waits no longer for an ack
REST_SECONDS = (0.02, 1.0)  # the first and the longest rest while the database is away

log = logging.getLogger(__name__)


class Away(Exception):
    """The database cannot be reached, or has undone the transaction for reasons of
    its own. Whether the batch was stored is not known: its ids must be looked up."""


class Store(Protocol):
    """A database, as the line sees it."""

    async def commit(self, posts: Sequence[Post], *, patient: bool) -> list[Answer]:
        """Store what can be stored, in one transaction. A patient one waits a moment
        for locked conversations, others pass over them. Raises Away."""

    async def close(self) -> None: ...


async def add(post: Post) -> Stored | Answered:
    """Store a post; returns when it is on disk.

    An id that this sender has used before is answered as the first time, whatever the
    post now says. Raises what the post is refused with: Overloaded when the line is
    full or the database stays away, Forbidden (a customer, in a conversation that is
    not their own, existing or not), ConversationUnknown and NotYours (an agent),
    NotStarted, Ended, AttachmentUnknown. A cancelled call may or may not have stored.
    """
    return await _line().add(post)


async def close() -> None:
    """Commit what this event loop has waiting, as far as the database lets us."""
    line = _lines.pop(asyncio.get_running_loop(), None)
    if line:
        await line.close()


def waiting() -> int:
    """How many posts wait in this event loop's line."""
    line = _lines.get(asyncio.get_running_loop())
    return line.waiting if line else 0


# Connections and futures belong to an event loop, so each loop has a line of its own.
_lines: dict[asyncio.AbstractEventLoop, Line] = {}


def _line() -> Line:
    loop = asyncio.get_running_loop()
    line = _lines.get(loop)
    if line is None:
        line = _lines[loop] = Line(_store(), loop)
    return line


def _store() -> Store:
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        from .postgres import Postgres

        return Postgres()
    from .sqlite import SQLite

    return SQLite()


class Waiting:
    """A post in the line, and whoever waits for its answer."""

    __slots__ = ("future", "passed", "post", "since", "size", "tried")

    def __init__(self, post: Post, future: asyncio.Future[Stored | Answered]) -> None:
        self.post = post
        self.future = future
        self.size = 4 * len(post.text)  # bytes at most
        self.since = future.get_loop().time()
        self.tried = False  # failed once, alone
        self.passed = 0  # how often its conversation was locked elsewhere

    def answer(self, answer: Answer | Exception) -> None:
        """Whoever waited may have gone: the answer is then for nobody."""
        if self.future.done():
            return
        if isinstance(answer, Exception):
            self.future.set_exception(answer)
        elif not isinstance(answer, Later):
            self.future.set_result(answer)


class Line:
    """Posts in the order in which they came, for one event loop."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._waiting: deque[Waiting] = deque()
        self._answers: deque[tuple[Waiting, Answer]] = deque()
        self._bytes = 0
        self._limit = BATCH
        self._rest = REST_SECONDS[0]
        self._worker: asyncio.Task[None] | None = None
        self._nobody = nobody()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def add(self, post: Post) -> Stored | Answered:
        if len(self._waiting) >= POSTS or self._bytes >= BYTES:
            raise Overloaded(retry_ms=random.randint(500, 2000))  # noqa: S311
        waiting = Waiting(post, self._loop.create_future())
        self._waiting.append(waiting)
        self._bytes += waiting.size
        if self._worker is None:
            self._worker = self._loop.create_task(self._work(), context=self._nobody)
        return await waiting.future

    async def close(self) -> None:
        if self._worker:
            await self._worker
        while self._answers:
            self._hand_out()
        await self._store.close()

    async def _work(self) -> None:
        try:
            await self._gather()
            while self._waiting:
                # Before those just answered hear of it: the database would stand idle
                # while their acks are sent.
                await self._commit(self._take())
        finally:
            self._worker = None

    async def _gather(self) -> None:
        """What the loop has read already goes along, since a batch costs as much as
        many of its posts. A few turns are less than a millisecond."""
        before = 0
        for _ in range(TURNS):
            if not before < len(self._waiting) < self._limit:
                return
            before = len(self._waiting)
            await asyncio.sleep(0)

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        while self._waiting and len(batch) < self._limit:
            waiting = self._waiting.popleft()
            self._bytes -= waiting.size
            # Nobody waits: a socket that is gone sends the post again when it is back.
            if not waiting.future.done():
                batch.append(waiting)
        return batch

    async def _commit(self, batch: list[Waiting], *, patient: bool = False) -> None:
        if not batch:
            return
        posts = [waiting.post for waiting in batch]
        began = self._loop.time()
        try:
            answers = await self._store.commit(posts, patient=patient)
        except Away as error:
            tally.commits_failed += 1
            log.warning("The database is away: %s", error)
            await self._wait_for_the_database(batch)
        except Exception as error:  # noqa: BLE001 (one bad post must not stop the rest)
            tally.commits_failed += 1
            self._narrow(batch, error)
        else:
            _count(batch, began, self._loop.time())
            self._rest = REST_SECONDS[0]
            self._limit = min(BATCH, 2 * self._limit)
            later = self._answer(batch, answers)
            if later:
                await self._try_later(later, patient=patient)

    def _answer(self, batch: list[Waiting], answers: list[Answer]) -> list[Waiting]:
        """Give the answers soon; returns those who have to wait for another batch."""
        later = []
        handing_out = bool(self._answers)
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Later):
                later.append(waiting)
            else:
                self._answers.append((waiting, answer))
        if not handing_out:
            self._hand_out()
        return later

    def _hand_out(self) -> None:
        """A few in each turn of the loop, in order. Were all who posted woken at once,
        the loop would not hear the database meanwhile, which would stand idle."""
        for _ in range(min(ANSWERS, len(self._answers))):
            waiting, answer = self._answers.popleft()
            waiting.answer(answer)
        if self._answers:
            self._loop.call_soon(self._hand_out, context=self._nobody)

    def _narrow(self, batch: list[Waiting], error: Exception) -> None:
        """Halve the next batches until the post that fails stands alone. It gets a
        second chance, since another process may just have stored the same id."""
        self._limit = max(1, len(batch) // 2)
        if len(batch) > 1:
            self._put_back(batch)
        elif not batch[0].tried:
            batch[0].tried = True
            self._put_back(batch)
        else:
            post = batch[0].post
            about = {"person": post.sender, "conversation": post.conversation}
            log.error("A post cannot be stored", exc_info=error, extra={"about": about})
            batch[0].answer(error)

    async def _try_later(self, later: list[Waiting], *, patient: bool) -> None:
        """Put back the posts of locked conversations: most are in another process's
        batch, and free by our next one. One that was passed over too often is waited
        for, one conversation at a time, by turns: so that a lock never holds up the
        others for long, and no conversation is passed over for ever."""
        for waiting in later:
            waiting.passed += 1
        first = later[0].post.conversation
        if patient or later[0].passed < PASSES:
            self._put_back(later)
            return
        its = [waiting for waiting in later if waiting.post.conversation == first]
        others = [waiting for waiting in later if waiting.post.conversation != first]
        await self._commit(its, patient=True)
        self._put_back(others)  # ahead of its, if its still wait: their turn is next

    async def _wait_for_the_database(self, batch: list[Waiting]) -> None:
        self._put_back(batch)
        await asyncio.sleep(self._rest * random.uniform(0.5, 1))  # noqa: S311
        self._rest = min(2 * self._rest, REST_SECONDS[1])
        waiting = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._put_back(waiting)

    def _put_back(self, batch: list[Waiting]) -> None:
        """To the front, in their order; those that have waited too long are refused."""
        late = self._loop.time() - PATIENCE_SECONDS
        for waiting in reversed(batch):
            if waiting.since < late:
                waiting.answer(Overloaded())
            else:
                self._waiting.appendleft(waiting)
                self._bytes += waiting.size


def _count(batch: list[Waiting], began: float, now: float) -> None:
    tally.commit_seconds.take(now - began)
    tally.commit_posts.take(len(batch))
    for waiting in batch:
        tally.post_seconds.take(now - waiting.since)
