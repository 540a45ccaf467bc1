"""The socket of a customer or an agent: hello, resume, dispatch, what waits to be
sent, close codes. What can be asked on it is up to customers.consumers and
agents.consumers.

A raw ASGI application: Channels' own consumers hop to a thread and start a task for
every frame (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings

from . import database, desk, limits, protocol, writer
from .errors import BadFrame, Overloaded, Refused
from .log import known
from .sending import Send, buffer_of, daphnes
from .tally import tally
from .voices import Voice

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

# Close codes of the contract, §7.
BAD_FRAMES, NOT_SIGNED_IN, FORBIDDEN, UNKNOWN_SITE = 4400, 4401, 4403, 4404
SILENT, DOES_NOT_READ, TOO_BIG, TOO_FAST = 4408, 4409, 4413, 4429
INTERNAL_ERROR, RESTARTING = 4011, 4012
# With these the server below us closes: no WebSocket, no UTF-8, too big.
BROKEN = (1002, 1007, 1009)

HELLO_SECONDS = 10
SILENT_SECONDS = 50  # without a frame, then the socket is closed
BEAT_SECONDS = 20  # without anything sent, then a beat
BAD_FRAMES_A_MINUTE = 10
UNSENT_BYTES = 256 * 1024
UNSENT_FRAMES = 500
UNSENT_SECONDS = 60
CLOSE_SECONDS = 5  # for a client to take what is left and our close
SOCKETS_PER_ADDRESS = 500  # an office shares one
SOCKETS_PER_PERSON = 10
FRAMES_A_SECOND, FRAMES_BURST = 50, 200  # of any kind; a person needs a few


_closing: set[asyncio.Task[None]] = set()


class Close(Exception):
    """The socket must be closed with a code of the contract."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class DeskConsumer:
    """One socket. It carries what a voice says (voices.py), once hello has told
    whose."""

    role: ClassVar[str]
    failed: ClassVar[int] = INTERNAL_ERROR  # the code of one that cannot be looked at
    hello: ClassVar[type[protocol.Command]]
    voice: Voice

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._write = daphnes(send)
        self._buffered = buffer_of(send)
        self._outbox: list[bytes] = []  # nearly always of none or one
        self._most_unsent = UNSENT_BYTES
        self._unsent = 0
        self._behind_since: float | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._conversing: asyncio.Task[Any] | None = None
        self._held: list[bytes] | None = None
        self._bad: list[float] = []
        self._frames = limits.Bucket(FRAMES_A_SECOND, FRAMES_BURST)
        self._audiences: tuple[str, ...] = ()
        self._counted: list[tuple[Any, ...]] = []
        self._closed = False
        self.due = 0  # when it is looked at next (watching.py)
        self.present: tuple[UUID, ...] = ()  # as whom this socket counts
        self.said_hello = False
        self.batch = False

    @classmethod
    def as_asgi(cls) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            return cls(scope, receive, send).run()

        return application

    # --- for subclasses

    @staticmethod
    def parse(text: str) -> protocol.Command:
        """Raises BadFrame, whose detail names the field."""
        raise NotImplementedError

    async def admit(self) -> None:
        """Before the handshake is answered. Raises Close: the handshake is refused."""

    async def greet(self, frame: Any) -> bytes:
        """Answer hello with the welcome. Joined before anything is read, so that
        what happens meanwhile is delivered after it."""
        raise NotImplementedError

    async def left(self, person: UUID) -> None:
        """The socket is gone, as which this person was present."""

    @property
    def has_left(self) -> bool:
        return self not in self.desk.sockets

    def join(self, *audiences: str) -> None:
        self._audiences = (*{*self._audiences, *audiences},)
        self.desk.hub.join(self, *audiences)

    def unjoin(self, *audiences: str) -> None:
        self._audiences = (*{*self._audiences}.difference(audiences),)
        self.desk.hub.leave(self, *audiences)

    async def arrive(self, person: UUID) -> bool:
        """Count this socket, while it lives, as the person's presence. True when the
        person was not connected through this process before. Idempotent."""
        await self.desk.ready()
        if person in self.present or self._closed:
            return False
        self.present += (person,)
        return await self.desk.arrive(person)

    def count(self, key: tuple[Any, ...], most: float = math.inf) -> None:
        """Count this socket, while it lives, as one of `key`. Raises Close."""
        self.desk.crowd[key] += 1
        self._counted.append(key)
        if self.desk.crowd[key] > most and settings.HELPDESK_LIMITS:
            raise Close(TOO_FAST)

    @property
    def address(self) -> str:
        """The client's network address, or "" on a local socket."""
        return str((self.scope.get("client") or [""])[0])

    # --- the socket's life

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self._receive()  # websocket.connect
        try:
            await self.admit()
        except Close as close:
            tally.handshakes_refused[str(close.code)] += 1
            log.info("handshake refused (%d): %s", close.code, self.scope["path"])
            await self._send({"type": "websocket.close"})  # daphne answers 403
            return
        except Refused:
            # The database is away, which is no reason to stay away for good.
            await self._send({"type": "websocket.accept"})
            await self.close(INTERNAL_ERROR)
            return
        self.desk = desk.current()
        await self._send({"type": "websocket.accept"})
        try:
            self.count(("address", self.address), SOCKETS_PER_ADDRESS)
            await self._converse()
        except Close as close:
            await self.close(close.code)
        finally:
            self._uncount()

    def _uncount(self) -> None:
        for key in self._counted:
            self.desk.crowd[key] -= 1
            if not self.desk.crowd[key]:
                del self.desk.crowd[key]

    async def _converse(self) -> None:
        self.heard_at = self.sent_at = self.loop.time()
        self._conversing = asyncio.current_task()
        hurry = self.loop.call_later(HELLO_SECONDS, self._no_hello)
        self.desk.sockets.add(self)
        self.desk.watch.begin(self)
        try:
            await self._read()
        except Close as close:
            await self.close(close.code)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("A socket failed")
            await self.close(INTERNAL_ERROR)
        finally:
            hurry.cancel()
            self._closed = True
            self.desk.sockets.discard(self)
            self.desk.watch.end(self)
            self.desk.hub.leave(self, *self._audiences)
            await self._leave()

    async def _leave(self) -> None:
        try:
            for person in self.present:
                await self.left(person)
        except Refused:
            # The database is away. The process's lease and the sweep find out.
            log.warning("A socket's end could not be stored")

    async def _read(self) -> None:
        while not self._closed:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                if not self._closed:
                    _count_left(event.get("code"))
                return
            self.heard_at = self.loop.time()
            tally.frames_in += 1
            if not self._frames.take(self.heard_at) and settings.HELPDESK_LIMITS:
                raise Close(TOO_FAST)
            await self._take(event)

    async def _take(self, event: dict[str, Any]) -> None:
        text = event.get("text")
        if text is None:
            self._refuse_bad(BadFrame("Frames are text, not binary."), None)
            return
        if len(text) > protocol.FRAME_BYTES or (
            len(text) * 4 > protocol.FRAME_BYTES
            and len(text.encode(errors="replace")) > protocol.FRAME_BYTES
        ):
            raise Close(TOO_BIG)
        try:
            command = self.parse(text)
        except BadFrame as bad:
            self._refuse_bad(bad, protocol.id_of(text))
            return
        await self._obey(command)

    async def _obey(self, command: protocol.Command) -> None:
        if isinstance(command, self.hello):
            await self._hello(command)
            return
        if not self.said_hello:
            raise Close(SILENT)
        if answer := await self.voice.answer(command):
            self.say(answer)

    def _refuse_bad(self, bad: BadFrame, id: str | None) -> None:
        tally.refused[bad.code] += 1
        log.info("bad frame: %s", bad.detail)
        now = self.loop.time()
        self._bad = [each for each in self._bad if each > now - 60] + [now]
        self.say(protocol.refusal(bad, id))
        if len(self._bad) == BAD_FRAMES_A_MINUTE:
            raise Close(BAD_FRAMES)

    # --- hello

    async def _hello(self, command: Any) -> None:
        if self.said_hello:
            self._refuse_bad(BadFrame("type: hello was said already."), None)
            return
        self._held = []
        try:
            welcome = await self.greet(command)
        except Overloaded:
            # Half a greeting is not taken back: a new socket begins anew.
            raise Close(INTERNAL_ERROR) from None
        except Refused as refused:
            tally.refused[refused.code] += 1
            log.info("hello refused: %s", refused.code)
            self._held = None
            self.say(protocol.refusal(refused))
            return
        self.said_hello = True
        known(person=self.voice.person)
        self.batch = bool(command.batch)
        held, self._held = self._held, None
        self.say(welcome)
        for frame in held:
            self.say(frame)

    def _no_hello(self) -> None:
        # While it is being greeted, `_held` is there: slow are we, not the client.
        if not self.said_hello and self._held is None:
            self.dismiss(SILENT)

    # --- sending

    def deliver(self, frame: bytes) -> None:
        """The hub has an event for this socket."""
        if self._held is None:
            self.say(frame)
        elif len(self._held) < UNSENT_FRAMES:
            self._held.append(frame)
        # Beyond: lost like any event; the first pong shows what is missing.

    def say(self, frame: bytes) -> None:
        """Send soon. A socket that does not read is closed, never waited for."""
        if self._closed:
            return
        self.desk.watch.sent_to.add(self)
        self._outbox.append(frame)
        self._unsent += len(frame)
        # One frame alone, such as a welcome, may be larger than what may wait.
        self._most_unsent = max(self._most_unsent, UNSENT_BYTES + len(frame))
        if self._unsent > self._most_unsent or len(self._outbox) > UNSENT_FRAMES:
            self.dismiss(DOES_NOT_READ)
        elif self._pumping is None:
            if self._write and not self.batch:
                self._send_all(self._write)
            else:
                self._pumping = self.loop.create_task(self._pump())

    def _send_all(self, write: Callable[[str], None]) -> None:
        """Without a task, which costs as much as the sending."""
        try:
            while self._outbox and not self._closed:
                write(self._next())
        except Exception as error:  # noqa: BLE001 (the transport is gone; so is the socket)
            log.debug("not sent: %r", error)
        self._unsent = 0
        if self._buffered() > self._most_unsent:
            self.dismiss(DOES_NOT_READ)

    async def _pump(self) -> None:
        try:
            while self._outbox and not self._closed:
                await self._send({"type": "websocket.send", "text": self._next()})
                self._unsent = sum(map(len, self._outbox)) if self._outbox else 0
            if self._buffered() > self._most_unsent:
                await self.close(DOES_NOT_READ)
        except Exception as error:  # noqa: BLE001 (the transport is gone; so is the socket)
            log.debug("not sent: %r", error)
        finally:
            self._pumping = None

    def _next(self) -> str:
        """What waits, as one text where the client takes that."""
        self.sent_at = self.loop.time()
        if self.batch:
            tally.frames_out += len(self._outbox)
            text = protocol.batch(self._outbox)
            self._outbox.clear()
        else:
            tally.frames_out += 1
            text = self._outbox.pop(0)
        return text.decode()

    def dismiss(self, code: int) -> None:
        """Close, without waiting for a client who takes nothing."""
        self._begin(self.close(code))

    def send_away(self, reason: str, within_ms: int) -> None:
        """As `say_bye`, without waiting."""
        self._begin(self.say_bye(reason, within_ms))

    def _begin(self, closing: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(closing)
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def close(self, code: int) -> None:
        """Idempotent."""
        if self._closed:
            return
        self._closed = True
        tally.closed[str(code)] += 1
        if code != RESTARTING:
            log.info("socket closed with %d", code)
        last = () if code in (DOES_NOT_READ, INTERNAL_ERROR) else tuple(self._outbox)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                for frame in last:
                    await self._send({"type": "websocket.send", "text": frame.decode()})
                await self._send({"type": "websocket.close", "code": code})
        except TimeoutError:
            self._hang_up()
        except Exception as error:  # noqa: BLE001 (closed by the other side meanwhile)
            log.debug("not closed: %r", error)

    def _hang_up(self) -> None:
        """Under a server whose `send` waits for the client, who takes not even our
        close: its application ends, and with it the connection."""
        for task in (self._pumping, self._conversing):
            if task and task is not asyncio.current_task():
                task.cancel()

    async def say_bye(self, reason: str, within_ms: int) -> None:
        """Close, and say when to come back."""
        retry_ms = random.randrange(250, within_ms)  # noqa: S311
        self.say(protocol.encode(protocol.Bye(reason, retry_ms)))
        await self.close(RESTARTING)

    # --- looked at from outside (watching.py)

    def next_look(self) -> float:
        """When its time could be up, by the loop's clock."""
        return min(self.heard_at + SILENT_SECONDS, self.sent_at + BEAT_SECONDS)

    def look(self, now: float) -> int | None:
        """The code with which to close, if this socket's time is up."""
        if now - self.heard_at > SILENT_SECONDS:
            return SILENT
        if now - self.sent_at > BEAT_SECONDS and self.said_hello:
            self.say(BEAT)
        return None

    def look_behind(self, now: float) -> int | None:
        """The same, if what was sent has not left for too long."""
        if not self._outbox and not self._buffered():
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since > UNSENT_SECONDS:
            return DOES_NOT_READ
        return None

    @property
    def is_behind(self) -> bool:
        return self._behind_since is not None

    @classmethod
    def all_of(cls, here: desk.Desk) -> list[Self]:
        """The sockets of this kind that have said hello."""
        return [s for s in here.sockets if type(s) is cls and s.said_hello]

    @classmethod
    async def revoked(cls, here: desk.Desk) -> dict[Any, int]:
        """Which sockets of this kind have lost their credential meanwhile, and the
        codes with which to close them."""
        return {}

    @classmethod
    async def outdated(cls, here: desk.Desk) -> list[Any]:
        """Which of them hear what they should not any more, or miss what they should:
        they are asked to come back at once."""
        return []


def _count_left(code: int | None) -> None:
    """The client has gone. What else it says of why is its own invention."""
    if code in BROKEN:
        tally.closed[str(code)] += 1
        log.info("socket broke the protocol: %d", code)
    else:
        tally.closed["client"] += 1


BEAT = protocol.encode(protocol.Beat())


# --- the process ends

DRAIN_SECONDS = 5
COME_BACK_MS = 10_000  # spread over this time, so that not all return at once


async def drain() -> None:
    """Before the process ends: `bye` to every socket with a time to come back, close
    4012, commit what waits, give up the leases. Idempotent."""
    here = desk.running()
    closing = (
        [socket.say_bye("restarting", COME_BACK_MS) for socket in tuple(here.sockets)]
        if here
        else []
    )
    if here:
        closing.append(_answer_polls(here))
    await asyncio.wait_for(
        asyncio.gather(*closing, return_exceptions=True), DRAIN_SECONDS
    )
    await writer.close()
    await desk.close()
    database.close_all()


async def _answer_polls(here: desk.Desk) -> None:
    """With nothing, which is no failure."""
    for poll in tuple(here.polls):
        poll.dismiss(RESTARTING)
    while here.polls:  # noqa: ASYNC110 (once in a process's life)
        await asyncio.sleep(0.01)
