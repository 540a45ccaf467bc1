"""The server process: daphne inside it, and a goodbye before it goes.

Import this before anything that imports daphne or Twisted: it chooses their loop.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

from twisted.internet import asyncioreactor

try:
    import uvloop
except ImportError:  # Windows
    new_loop = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop
if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install(new_loop())  # type: ignore[no-untyped-call]

from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from daphne.server import Server as Daphne
from twisted.internet import defer
from twisted.internet import reactor as installed_reactor

from .transport import PromptTransport, Requests, Socket

reactor: Any = installed_reactor

FRAME_BYTES = 65_536  # a longer text closes the socket with 1009
PING_SECONDS = 25  # without a word; clients say one every 20 s, and need no ping then
PONG_SECONDS = 20
TIMEOUTS_SECONDS = 10  # between two looks at who is silent for so long
CLOSE_SECONDS = 5  # for a request to end after its client has gone
GOODBYE_SECONDS = 5  # for a client to answer our close; dropped, it may not hear why
FLUSH_SECONDS = 0.1  # what was written is sent in the reactor's next turns
DRAIN_SECONDS = 15  # for everybody's goodbye; then the rest is dropped

logger = logging.getLogger(__name__)


class Mailbox:
    """What has come for a socket's one reader. An asyncio.Queue is for several, and may
    have an end: it takes a third more time, and 3 KB where this takes 100 bytes."""

    __slots__ = ("_mail", "_reader")

    def __init__(self) -> None:
        self._mail: list[Any] = []
        self._reader: asyncio.Future[None] | None = None  # waits

    def put_nowait(self, message: Any) -> None:
        self._mail.append(message)
        if self._reader and not self._reader.done():
            self._reader.set_result(None)

    def qsize(self) -> int:
        return len(self._mail)

    async def get(self) -> Any:
        while not self._mail:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._mail.pop(0)


class Server(Daphne):  # type: ignore[misc]
    """Daphne with the desk's limits. Ends by `leave`, once and for all: a process
    has one reactor, which cannot be started again."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        drain: Callable[[], Awaitable[None]],
        on_ready: Callable[[int], None] = lambda port: None,
    ) -> None:
        self.connections: dict[Any, dict[str, Any]]
        self.drain = drain
        self.on_ready = on_ready
        self.leaving: asyncio.Task[None] | None = None
        self._noted: set[Any] = set()
        super().__init__(
            application,
            endpoints=build_endpoint_description_strings(host=host, port=port),
            signal_handlers=False,
            websocket_max_message_size=FRAME_BYTES,
            websocket_max_frame_size=FRAME_BYTES,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            application_close_timeout=CLOSE_SECONDS,
            ready_callable=self.listening,
            server_name="helpdesk",
            verbosity=0,
        )

    def listening(self) -> None:
        """Called by daphne between its first listening and its first turn."""
        # Otherwise a text that is too long drops the connection without a word.
        # Daphne lets the origin `null` through to us, which this call would undo.
        self.ws_factory.setProtocolOptions(
            failByDrop=False,
            allowNullOrigin=True,
            closeHandshakeTimeout=GOODBYE_SECONDS,
        )
        self.ws_factory.protocol = Socket
        self.http_factory.__class__ = Requests  # daphne makes and opens it in one step
        loop = reactor._asyncioEventloop
        loop.call_soon(self.on_ready, self.listening_addresses[0][1])

    def listen_success(self, port: Any) -> Any:
        """Daphne's keeps the port for itself, and `_leave` could not close it."""
        super().listen_success(port)
        port.transport = PromptTransport
        return port

    def leave_on(self, *signals: signal.Signals) -> None:
        """Also before the loop runs, when clients may already knock: it then leaves in
        its first turn. uvloop's own handlers forget a signal that comes before that,
        and Twisted's leave SIGINT ignored, as sh starts what is in the background."""

        def told(number: int, frame: FrameType | None) -> None:
            reactor._asyncioEventloop.call_soon_threadsafe(self.leave)

        for number in signals:
            signal.signal(number, told)

    def leave(self) -> None:
        """Say goodbye to everybody, then stop. Called again, stop at once."""
        if self.leaving is None:
            self.leaving = asyncio.ensure_future(self._leave())
        elif reactor.running:
            reactor.stop()

    async def _leave(self) -> None:
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        try:
            await asyncio.wait_for(self.drain(), DRAIN_SECONDS)
            await self._answer()
        except Exception:
            logger.exception("not everybody heard a goodbye")
            raise
        finally:
            if reactor.running:
                reactor.stop()

    async def _answer(self) -> None:
        """Let requests that are under way end, and their last bytes leave."""
        running = [
            task
            for connection, details in self.connections.items()
            if isinstance(connection, WebRequest)
            and (task := details.get("application_instance"))
        ]
        if running:
            await asyncio.wait(running, timeout=CLOSE_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)

    # --- daphne looks at thousands every second, for the few of whom something is due

    def create_application(self, protocol: Any, scope: Any) -> Any:
        """As daphne's, with a lighter queue for sockets."""
        mail: Any = Mailbox() if scope["type"] == "websocket" else asyncio.Queue()
        scope.setdefault("asgi", {"version": "3.0"})
        send = partial(self.handle_reply, protocol)
        started = self.application(scope=scope, receive=mail.get, send=send)
        running = asyncio.ensure_future(started)
        running.add_done_callback(partial(self._note, protocol))
        self.connections[protocol]["application_instance"] = running
        return mail

    def protocol_disconnected(self, protocol: Any) -> None:
        super().protocol_disconnected(protocol)
        self._note(protocol)

    def _note(self, protocol: Any, ended: object = None) -> None:
        self._noted.add(protocol)

    def application_checker(self) -> None:
        """As daphne's, for those who have left or whose application has ended."""
        try:
            for protocol in self._noted & self.connections.keys():
                self._look_after(protocol, self.connections[protocol])
            self._noted &= self.connections.keys()
        finally:
            reactor.callLater(1, self.application_checker)

    def _look_after(self, protocol: Any, details: dict[str, Any]) -> None:
        running = details.get("application_instance")
        left = details.get("disconnected")
        if running and not running.done():
            if left and time.time() - left > self.application_close_timeout:
                logger.warning("An application was ended: its client left long ago")
                running.cancel()
            return
        self._noted.discard(protocol)  # until it leaves
        if running:
            del details["application_instance"]
            if not running.cancelled() and (error := running.exception()):
                logger.error("An application failed", exc_info=error)
                if not left:
                    self._answer_failure(protocol, error)
        if left:
            del self.connections[protocol]

    def _answer_failure(self, protocol: Any, error: BaseException) -> None:
        try:
            protocol.handle_exception(error)
        except Exception:
            # Daphne's fails where an answer has begun.
            logger.exception("A failure could not be answered")
            protocol.transport.loseConnection()

    def timeout_checker(self) -> None:
        """As daphne's, less often than every two seconds."""
        try:
            for protocol in tuple(self.connections):
                protocol.check_timeouts()
        finally:
            reactor.callLater(TIMEOUTS_SECONDS, self.timeout_checker)

    def kill_all_applications(self) -> defer.Deferred[Any]:
        """As daphne's, which stumbles over a connection that idles between two
        requests and then leaves all others running."""
        running = [
            task
            for details in self.connections.values()
            if (task := details.get("application_instance")) and not task.done()
        ]
        for task in running:
            task.cancel()
        gathered = asyncio.gather(*running, return_exceptions=True)
        return defer.Deferred.fromFuture(asyncio.ensure_future(gathered))


def run_until_told_to_leave(
    application: Any,
    *,
    host: str,
    port: int,
    drain: Callable[[], Awaitable[None]],
    on_ready: Callable[[int], None],
) -> None:
    """Serve until SIGTERM or SIGINT, which both leave politely."""
    server = Server(application, host=host, port=port, drain=drain, on_ready=on_ready)
    server.leave_on(signal.SIGTERM, signal.SIGINT)
    server.run()
    if server.abort_start:
        sys.exit(f"Cannot listen on {host}:{port}.")


def is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
