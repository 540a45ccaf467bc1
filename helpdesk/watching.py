"""Looking after the sockets of a process: one task for all of them.

A socket is looked at when its time could be up, and then again when it could be up
next: of thousands who ping as they should, each about every twenty seconds. Only those
to whom something was sent are looked at each time, until all of it has left.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import Refused
from .log import nobody

if TYPE_CHECKING:
    from .consumers import DeskConsumer
    from .desk import Desk

log = logging.getLogger(__name__)

WATCH_SECONDS = 1
CREDENTIALS_SECONDS = 3  # a revoked one closes the socket within five
SOON_MS = 1_000  # to one socket that must begin anew


class Watch:
    """One per desk. Its task lives as long as the desk has sockets."""

    def __init__(self, of: Desk) -> None:
        self.desk = of
        self._loop = of.hub.loop
        self.sent_to: set[DeskConsumer] = set()  # and perhaps not all has left
        self._due: dict[int, set[DeskConsumer]] = defaultdict(set)  # by the second
        self._passed = int(self._loop.time())
        self._task: asyncio.Task[None] | None = None

    def begin(self, socket: DeskConsumer) -> None:
        """Look after it from now on."""
        self.set_time(socket)
        if self._task is None:
            self._task = self._loop.create_task(self._run(), context=nobody())

    def set_time(self, socket: DeskConsumer) -> None:
        """For the next look at it. Idempotent."""
        self._forget(socket)
        socket.due = max(int(socket.next_look()), self._passed) + 1
        self._due[socket.due].add(socket)

    def end(self, socket: DeskConsumer) -> None:
        """Idempotent."""
        self.sent_to.discard(socket)
        self._forget(socket)

    def _forget(self, socket: DeskConsumer) -> None:
        if due := self._due.get(socket.due):
            due.discard(socket)

    async def _run(self) -> None:
        checked = self._loop.time()
        try:
            while self.desk.sockets:
                await asyncio.sleep(WATCH_SECONDS)
                self.look(self._loop.time())
                if self._loop.time() - checked >= CREDENTIALS_SECONDS:
                    checked = self._loop.time()
                    await self.check_credentials()
        finally:
            self._task = None

    def look(self, now: float) -> None:
        """Close those whose time is up, beat for those who have heard nothing."""
        sent_to, self.sent_to = self.sent_to, set()
        for socket in sent_to & self.desk.sockets:
            if code := self._code(socket, socket.look_behind, now):
                socket.dismiss(code)
            elif socket.is_behind:
                self.sent_to.add(socket)
        for second in range(self._passed + 1, int(now) + 1):
            self._passed = second
            # Who has left since is not in the desk any more.
            for socket in self._due.pop(second, set()) & self.desk.sockets:
                if code := self._code(socket, socket.look, now):
                    socket.dismiss(code)
                else:
                    self.set_time(socket)

    def _code(
        self, socket: DeskConsumer, look: Callable[[float], int | None], now: float
    ) -> int | None:
        """A socket that fails harms no other."""
        try:
            return look(now)
        except Exception:
            log.exception("A socket cannot be looked at")
            return socket.failed

    async def check_credentials(self) -> None:
        for kind in {type(socket) for socket in self.desk.sockets}:
            try:
                for socket, code in (await kind.revoked(self.desk)).items():
                    socket.dismiss(code)
                for socket in await kind.outdated(self.desk):
                    socket.send_away("changed", SOON_MS)
            except Refused:
                log.warning("Credentials could not be checked: the database is away")
            except Exception:
                log.exception("Credentials could not be checked")
