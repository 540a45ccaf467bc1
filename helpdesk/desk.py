"""The desk of one server process: its hub, its presence and what runs in the
background. Started on first use, since ASGI servers here speak no lifespan."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from . import (
    clock,
    conversations,
    followups,
    hub,
    newest,
    pairing,
    presence,
    protocol,
    pulse,
    snapshots,
)
from .database import db_now, in_transaction, reading, writing
from .errors import Overloaded
from .log import nobody
from .together import Together
from .watching import Watch

if TYPE_CHECKING:
    from .consumers import DeskConsumer

log = logging.getLogger(__name__)

LINE_SECONDS = 1  # positions are pushed at most so often
LINE_SLICE = 25  # of them in one turn of the loop
GIVE_WAY_SECONDS = 0.5  # to those who are given a conversation, at most
ALARM_SLACK_SECONDS = 0.02  # so that the offer's time is really up
FLICKER_SECONDS = 3  # a page that reloads is back sooner


class Desk:
    """One per process (strictly: per event loop)."""

    def __init__(self) -> None:
        self.hub = hub.current()
        self.newest = newest.Newest(self.hub)
        self.present = presence.Present()
        self.sockets: set[DeskConsumer] = set()
        self.watch = Watch(self)
        self.polls: set[hub.Listener] = set()
        self.crowd: Counter[tuple[Any, ...]] = Counter()  # sockets, by what they share
        self._loop = asyncio.get_running_loop()
        self._dirty_lines: set[int] = set()
        self._dirty_queues: set[int] = set()
        self._dirty_agents: set[UUID] = set()
        self._told: dict[UUID, protocol.Conversation] = {}  # who waits, as last told
        self._once: dict[str, asyncio.Task[None]] = {}
        self._numbers = itertools.count()
        self._closed = False
        self._nobody = nobody()
        self._settled = Together(self._settle, in_transaction, serial=True)
        self.customer_moved = Together(clock.customers_moved, writing, serial=True)
        self._first_renewal = self._loop.create_task(self._renew())
        self._background = [
            self._loop.create_task(_every(seconds, act), name=f"desk-{act.__name__}")
            for seconds, act in (
                (presence.RENEW_SECONDS, self._renew),
                (presence.VOUCH_SECONDS, self._vouch),
                (newest.REFRESH_SECONDS, self.refresh),
                (clock.TICK_SECONDS, self._tick_lines),
                *self._clockwork(),
            )
        ]
        self.hub.observe(self._hear)
        pairing.nudged.takers.append(self._nudged)
        conversations.changed_agents.takers.append(self._agents_changed)

    # --- who is connected through this process

    async def ready(self) -> None:
        """The process's own lease is stored, on which every presence hangs."""
        renewal = self._first_renewal
        if renewal.done() and renewal.exception():  # the database was away
            self._first_renewal = self._loop.create_task(self._renew())
        await asyncio.shield(self._first_renewal)

    async def arrive(self, person: UUID) -> bool:
        """Count a socket, and store it unless another of this person is stored. True
        when it is the person's first here."""
        await self.ready()
        first = self.present.first(person)
        if person not in self.present.stored:
            await self._settled(person)
            self.present.note_stored(person)
        return first

    async def leave(self, person: UUID) -> bool:
        """Count one less. True when the person is now connected nowhere."""
        return self.present.last(person) and await self._settled(person)

    def _settle(self, people: Sequence[UUID]) -> list[bool]:
        """Store whether they are here, as it is by now: who comes and goes quickly is
        settled in that order. Who is connected nowhere?"""
        process = self.present.process
        if not presence.is_known(process):
            self._on_loop(lambda: self._begin("renew", self._renew))
            raise Overloaded
        presence.lock(process, people)
        here = {each for each in people if self.present.sockets(each)}
        presence.arrive_all(process, here)
        gone = presence.leave_all(process, set(people) - here)
        return [each in gone for each in people]

    def later(self, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        """Do something soon that the database's clock would do anyway, only later."""

        def begin() -> None:
            if not self._closed:
                self._begin(f"later-{next(self._numbers)}", act)

        self._loop.call_later(seconds, begin)

    # --- pairing

    def nudge(self, queue_ids: Iterable[int]) -> None:
        """Drain these queues soon. Nudges that come meanwhile make one more drain."""
        self._dirty_queues.update(queue_ids)
        if self._dirty_queues:
            self._begin("drain", self._drain)

    def _nudged(self, queue_ids: tuple[int, ...]) -> bool:
        return self._on_loop(lambda: self.nudge(queue_ids))

    def _on_loop(self, act: Callable[[], object]) -> bool:
        """From any thread; False when the loop does not run."""
        if running := self._loop.is_running():
            self._loop.call_soon_threadsafe(act)
        return running

    async def _drain(self) -> None:
        while self._dirty_queues:
            queues, self._dirty_queues = self._dirty_queues, set()
            if await in_transaction(pairing.drain, queues) == pairing.DRAIN:
                self._dirty_queues |= queues
            if not self._dirty_queues:
                await self._set_alarm()  # a nudge meanwhile makes one more drain

    async def _set_alarm(self) -> None:
        """Offers lapse to the second where a process is up; the tick is the net."""
        seconds = await reading(lambda: pairing.next_lapse(db_now()))
        if seconds is not None and seconds < clock.TICK_SECONDS:
            self.later(seconds + ALARM_SLACK_SECONDS, self._lapse)

    async def _lapse(self) -> None:
        self.nudge(await writing(clock.lapse_offers))

    # --- colleagues

    def _agents_changed(self, ids: Iterable[UUID]) -> bool:
        return self._on_loop(lambda: self._tell_soon(ids))

    def _tell_soon(self, ids: Iterable[UUID]) -> None:
        self._dirty_agents.update(ids)
        self._begin("agents", self._tell_agents)

    async def _tell_agents(self) -> None:
        """Those that change meanwhile are told of together."""
        while self._dirty_agents:
            await self._give_way(self._loop.time() + GIVE_WAY_SECONDS)
            ids, self._dirty_agents = self._dirty_agents, set()
            try:
                await reading(conversations.announce_agents, ids)
            except BaseException:
                self._dirty_agents |= ids  # the next tick tells
                raise

    async def _give_way(self, until: float) -> None:
        """Who is being given a conversation, or to whom, hears of it before all who
        only look on."""
        await asyncio.sleep(0)
        left = until - self._loop.time()
        if left > 0 and (drain := self._once.get("drain")):
            await asyncio.wait((drain,), timeout=left)

    # --- the line

    def _hear(self, event: hub.Event) -> None:
        if event.lines:
            self._dirty_lines.update(event.lines)
            self._begin("lines", self._push_lines)

    async def _push_lines(self) -> None:
        """Tell this process's sockets how the lines stand, at most once a second."""
        while self._dirty_lines:
            queues, self._dirty_lines = self._dirty_lines, set()
            if self.sockets:
                await self._tell_lines(queues)
            await asyncio.sleep(LINE_SECONDS)

    async def _tell_lines(self, queue_ids: set[int]) -> None:
        """A line of hundreds moves every second. What is shown of a conversation is
        read once a version; then only its place is."""
        until = self._loop.time() + GIVE_WAY_SECONDS
        await self._give_way(until)
        shown, places = await reading(_lines, queue_ids)
        for queue in shown:
            frame = protocol.encode(protocol.QueueChanged(queue))
            self.hub.deliver(hub.Event((f"queue.{queue.id}",), frame))
        here = [each for each in places if self.hub.has(f"customer.{each.customer}")]
        fresh = [each for each in here if not self._knows(each)]
        if fresh:
            wanted = [each.conversation for each in fresh]
            self._told |= await reading(snapshots.waiting_for_customers, wanted)
        for number, place in enumerate(here, 1):
            self._tell_place(place)
            if number % LINE_SLICE == 0:
                await self._give_way(until)
        self._forget_but({each.conversation for each in places}, queue_ids)

    def _knows(self, place: snapshots.Place) -> bool:
        told = self._told.get(place.conversation)
        return told is not None and told.version == place.version

    def _tell_place(self, place: snapshots.Place) -> None:
        told = self._told.get(place.conversation)
        if told is None or told.version != place.version:
            return  # it has changed meanwhile, which was told by itself
        shown = place.shown(told)
        if shown != told:
            self._told[place.conversation] = shown
            frame = protocol.encode(protocol.Changed(shown))
            self.hub.deliver(hub.Event((f"customer.{place.customer}",), frame))

    def _forget_but(self, waiting: set[UUID], queue_ids: set[int]) -> None:
        """Who waits in these queues no more."""
        ids = {str(each) for each in queue_ids}
        for conversation, told in tuple(self._told.items()):
            if told.queue.id in ids and conversation not in waiting:
                del self._told[conversation]

    # --- in the background

    async def _renew(self) -> None:
        down = await in_transaction(
            presence.renew, self.present.process, self.present.people()
        )
        if down:
            await in_transaction(lambda: clock.forgive(db_now()))
        process, people = self.present.process, self.present.people()
        astray = await reading(presence.astray, process, people)
        await asyncio.gather(*map(self._settled, astray))

    async def _vouch(self) -> None:
        await in_transaction(presence.vouch, self.present.process)

    async def refresh(self) -> None:
        """Heal the table that answers pings from the database."""
        known = self.newest.followed()
        here = self.hub.people("agent."), self.hub.people("customer.")
        if known or any(here):
            for mark in await reading(newest.read_marks, known, *here):
                self.newest.heal(mark)

    def _clockwork(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        if not settings.HELPDESK_CLOCK:
            return []  # `manage.py clock` does it
        return [
            (clock.TICK_SECONDS, self._tick),
            (clock.TICK_SECONDS, self._send_mails),
        ]

    async def _tick(self) -> None:
        await self.ready()
        self.nudge(await writing(clock.tick))
        await asyncio.to_thread(pulse.beat)
        await self._set_alarm()

    async def _tick_lines(self) -> None:
        """A wait grows and a line stands still without an event."""
        if self._dirty_agents:
            self._tell_soon(())
        if self.sockets and (waiting := await reading(snapshots.queues_with_line)):
            self._hear(hub.Event(lines=tuple(waiting)))

    async def _send_mails(self) -> None:
        # Not on the write executor: a mail server may take its time.
        now = await reading(db_now)
        await asyncio.to_thread(mailing, now)

    def _begin(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        """Run `act` unless it runs already."""
        if name not in self._once:
            run = self._run(name, act)
            self._once[name] = self._loop.create_task(run, context=self._nobody)

    async def _run(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        try:
            await act()
        except Exception:
            # The clock's sweep does later what failed here.
            log.exception("desk: %s failed", name)
        finally:
            self._once.pop(name, None)

    async def close(self) -> None:
        """Stop everything and say that nobody is connected through here any more."""
        self._closed = True
        pairing.nudged.takers.remove(self._nudged)
        conversations.changed_agents.takers.remove(self._agents_changed)
        tasks = [*self._background, *self._once.values(), self._first_renewal]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await in_transaction(presence.retire, self.present.process)
        await self.hub.close()
        _desks.pop(self._loop, None)


def mailing(now: dt.datetime) -> None:
    try:
        followups.send_due(now)
    finally:
        connection.close()


def _lines(
    queue_ids: set[int],
) -> tuple[list[protocol.StaffQueue], list[snapshots.Place]]:
    places = snapshots.places(queue_ids)
    return snapshots.queues_for_staff(queue_ids, db_now()), places


async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except Exception:
            # Outermost loop: the database or the broker is away; look again later.
            log.exception("desk: the clock missed a beat")


_desks: dict[asyncio.AbstractEventLoop, Desk] = {}


def current() -> Desk:
    """This loop's desk."""
    loop = asyncio.get_running_loop()
    if loop not in _desks:
        _desks[loop] = nobody().run(Desk)
    return _desks[loop]


def running() -> Desk | None:
    """This loop's desk, if it has one."""
    return _desks.get(asyncio.get_running_loop())


async def close() -> None:
    """Stop this loop's desk, if it has one."""
    if desk := running():
        await desk.close()
