"""Publish and subscribe: how an event finds the sockets that may hear it.

The only file that touches the channel layer. Every process joins one group, and a
turn of the loop publishes what it has as one message; a process finds its own
sockets in a dictionary (docs/decisions/one-group-for-all-processes.md has the
measurement). Delivery is best effort: the database is the truth, and whoever
missed an event sees so in the next pong.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from asgiref.sync import async_to_sync
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers, get_channel_layer
from django.db import connection, transaction

from .log import nobody
from .tally import tally

log = logging.getLogger(__name__)
T = TypeVar("T")
L = TypeVar("L")

GROUP = "desk"
WAITING_EVENTS = 20_000  # to be published; beyond it the oldest are dropped
PUBLISH_SECONDS = 5
RECEIVE_AGAIN_SECONDS = 1
ECHO_SECONDS = 5
ECHOES = 2  # unheard; the first may fall into a moment when the loop stood still
CANCEL_SECONDS = 0.2


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far a conversation is, for the table that answers pings."""

    conversation: str
    seq: int
    place: int
    version: int
    customer: str
    agent: str | None
    state: str = ""
    left: bool = False


class Event(msgspec.Struct, frozen=True, array_like=True):
    """A frame and the audiences that may hear it; a socket in several hears it once.

    Besides a frame it may tell the processes which queues' lines moved, or `code`
    with which the audiences' sockets are to be closed.
    """

    audiences: tuple[str, ...] = ()
    frame: bytes = b""
    mark: Mark | None = None
    lines: tuple[int, ...] = ()
    code: int = 0


class Listener(Protocol):
    def deliver(self, frame: bytes) -> None:
        """Take a frame to send. Must not block and must not raise."""

    def dismiss(self, code: int) -> None:
        """Close, with a code of the contract."""


class Hub:
    """One per process (strictly: per event loop)."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.loop = asyncio.get_running_loop()
        # Its own, so that it can begin anew without disturbing anybody.
        self.layer = new_layer()
        self._heard = False
        self._listeners: dict[str, set[Listener]] = defaultdict(set)
        self._observers: list[Callable[[Event], None]] = []
        self._outgoing: list[Event] = []
        self._publishing: asyncio.Task[None] | None = None
        self._nobody = nobody()
        self._hearing: asyncio.Task[None] | None = None
        self._listening = self.loop.create_task(
            self._listen(), name="hub-listen", context=self._nobody
        )

    # --- who hears what

    def join(self, listener: Listener, *audiences: str) -> None:
        for audience in audiences:
            self._listeners[audience].add(listener)

    def leave(self, listener: Listener, *audiences: str) -> None:
        for audience in audiences:
            heard = self._listeners.get(audience)
            if heard is None:
                continue
            heard.discard(listener)
            if not heard:
                del self._listeners[audience]

    def has(self, audience: str) -> bool:
        """Whether a socket of this process is in the audience."""
        return audience in self._listeners

    def listeners(self, audience: str, kind: type[L]) -> list[L]:
        """Those of this process who are of that kind."""
        heard = self._listeners.get(audience, ())
        return [each for each in heard if isinstance(each, kind)]

    def people(self, kind: str) -> list[str]:
        """The ids behind audiences of a kind, such as "agent."."""
        heard = tuple(self._listeners)
        return [each.removeprefix(kind) for each in heard if each.startswith(kind)]

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Call `observer` with every event of every process, before its delivery."""
        self._observers.append(observer)

    # --- telling

    def publish(self, event: Event, skip: Listener | None = None) -> None:
        """Deliver to this process's sockets now, to the others' soon. Never waits."""
        self.deliver(event, skip)
        if len(self._outgoing) >= WAITING_EVENTS:
            del self._outgoing[: WAITING_EVENTS // 2]
            tally.events_lost += WAITING_EVENTS // 2
            log.warning("hub: dropped events that could not be published in time")
        self._outgoing.append(event)
        if self._publishing is None:
            publishing = self.loop.create_task(self._publish(), context=self._nobody)
            self._publishing = publishing

    def deliver(self, event: Event, skip: Listener | None = None) -> None:
        """Deliver to this process's sockets only."""
        for observer in self._observers:
            observer(event)
        if len(event.audiences) == 1:
            heard: Iterable[Listener] = self._listeners.get(event.audiences[0], ())
        else:
            heard = set().union(
                *(self._listeners.get(audience, ()) for audience in event.audiences)
            )
        for listener in tuple(heard):
            if listener is skip:
                continue
            if event.code:
                listener.dismiss(event.code)
            elif event.frame:
                listener.deliver(event.frame)

    # --- between processes

    async def _publish(self) -> None:
        while self._outgoing:
            events, self._outgoing = self._outgoing, []
            try:
                await self._send(events)
            except Exception as error:  # noqa: BLE001 (any broker fault; see module)
                tally.events_lost += len(events)
                log.warning("hub: %d events not published: %r", len(events), error)
        self._publishing = None

    async def _send(self, events: list[Event]) -> None:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await self.layer.group_send(GROUP, parcel(self.id, events))

    async def _listen(self) -> None:
        while True:
            self._hearing = self.loop.create_task(self._hear(), name="hub-hear")
            try:
                await self._prove(self._hearing)
            except Exception as error:  # noqa: BLE001 (outermost loop: supervise)
                log.warning("hub: not receiving, trying again: %r", error)
            await self._let_go()
            await asyncio.sleep(RECEIVE_AGAIN_SECONDS)

    async def _hear(self) -> None:
        channel = await self.layer.new_channel("desk")
        await self.layer.group_add(GROUP, channel)
        while True:
            self._unpack(await self.layer.receive(channel))

    async def _prove(self, hearing: asyncio.Task[None]) -> None:
        """Raises when `hearing` fails, and also when it is deaf without knowing: a
        firewall may have forgotten its connection, and the client's own task may have
        ended. What a process publishes comes back to it, so that it can tell."""
        asked = 0
        while asked <= ECHOES:
            await asyncio.wait([hearing], timeout=ECHO_SECONDS)
            if hearing.done():
                hearing.result()
            if self._heard:
                self._heard, asked = False, 0
            else:
                await self._send([])
                asked += 1
        raise TimeoutError("not even its own voice is heard")

    async def _let_go(self) -> None:
        """Of the connection and of whoever hears by it."""
        if self._hearing:
            await stop(self._hearing)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self.layer.flush()
        except Exception as error:  # noqa: BLE001 (the client's broken state)
            log.warning("hub: its connection cannot be closed: %r", error)
            self.layer = new_layer()

    def _unpack(self, message: dict[str, Any]) -> None:
        self._heard = True
        if at := message.get("at"):  # not told by a command's, nor by older versions
            tally.delivery_seconds.take(max(0.0, time.time() - at))
        if message["from"] == self.id:
            return
        for event in _decode(message["events"]):
            self.deliver(event)

    async def close(self) -> None:
        """Publish what waits, then stop."""
        if self._publishing:
            await asyncio.wait([self._publishing], timeout=PUBLISH_SECONDS)
        await stop(self._listening)
        await self._let_go()
        _hubs.pop(self.loop, None)


async def stop(task: asyncio.Task[None]) -> None:
    while not task.done():
        # One that meets the client while it connects is swallowed there
        # (https://github.com/python/cpython/issues/86296).
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if not task.cancelled():
        task.exception()  # or asyncio complains that nobody asked


def new_layer() -> Any:
    return channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode
_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def parcel(sender: str, events: list[Event]) -> dict[str, object]:
    return {
        "type": "desk.events",
        "from": sender,
        "at": time.time(),  # of this host's clock, which no decision hangs on
        "events": _encode(events),
    }


def current() -> Hub:
    """This loop's hub, started on first use (ASGI servers here speak no lifespan)."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


async def look() -> None:
    """Raises when the channel layer does not take a message. To a group that nobody
    joins: with several hosts, each look is another one's turn."""
    layer = get_channel_layer()
    if layer is None:
        raise LookupError("CHANNEL_LAYERS has no default")
    await layer.group_send(f"look-{uuid.uuid4().hex[:3]}", {"type": "look"})


def announce(*events: Event, skip: Listener | None = None) -> None:
    """Publish after the caller's transaction commits; at once outside of one. For
    plain code in any thread: verbs, the admin, commands.

    What one transaction announces is published together: where no server runs, each
    publication costs a loop and a connection of its own.
    """
    told = [(event, skip) for event in events]
    for waiting in connection.run_on_commit[-1:]:
        savepoints, hook = waiting[:2]
        # Not across a savepoint: it may yet be undone, and its events with it.
        if isinstance(hook, _Publication) and savepoints == {*connection.savepoint_ids}:
            hook.told += told
            return
    transaction.on_commit(_Publication(told), robust=True)


class _Publication:
    """What a transaction announces when it commits."""

    def __init__(self, told: list[tuple[Event, Listener | None]]) -> None:
        self.told = told

    def __call__(self) -> None:
        if call_on_loop(self._publish):
            return
        layer: Any = get_channel_layer()
        if layer is not None:
            events = [event for event, _ in self.told]
            async_to_sync(layer.group_send)(GROUP, parcel("", events))

    def _publish(self) -> None:
        hub = current()
        for event, skip in self.told:
            hub.publish(event, skip)


def call_on_loop(function: Callable[[], object]) -> bool:
    """Have a running hub's loop call `function` soon; False when there is none."""
    for loop in tuple(_hubs):
        if loop.is_running():
            loop.call_soon_threadsafe(function)
            return True
    return False


class Errand(Generic[T]):
    """Work that the desks of this process do in the background, after the caller's
    commit. Each takes it from any thread and says whether it could; where none does,
    as in a command, it is done at once."""

    def __init__(self, at_once: Callable[[T], object]) -> None:
        self.takers: list[Callable[[T], bool]] = []
        self._at_once = at_once

    def after_commit(self, what: T) -> None:
        transaction.on_commit(partial(self._give, what), robust=True)

    def _give(self, what: T) -> None:
        taken = [take(what) for take in self.takers]
        if not any(taken):
            self._at_once(what)
