"""Daphne's connections, bounded: what a stranger sends is held only up to a size, and a
socket that is spoken to faster than the desk can answer is not read meanwhile. And
without what daphne does for every frame and nobody needs: together about a third of
the event loop's time under load (docs/performance.md)."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet import tcp

from .limits import Bucket

log = logging.getLogger(__name__)

TOO_FAST = 4429  # the contract's close code

FORM_BYTES = 64 * 1024  # around the largest file: the application says 413 itself
PINGS_A_SECOND, PINGS_BURST = 2, 20  # of WebSocket's own; a proxy sends a few a minute
UNREAD_FRAMES = 32  # that wait for the application; then the client is not read
AGAIN_SECONDS = 0.02  # until we look whether it has caught up


class Request(WebRequest):  # type: ignore[misc]
    """Daphne keeps all of a body, on disk and then in memory, before anybody can look
    at it."""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > most_bytes():
            self._cut()

    def handleContentChunk(self, data: bytes) -> None:
        # A body in chunks announces no length.
        if self.content.tell() + len(data) > most_bytes():
            self._cut()
        else:
            super().handleContentChunk(data)

    def _cut(self) -> None:
        if self.channel.transport.disconnecting:
            return
        log.info("a request of too many bytes was cut")
        self.requestHeaders.removeHeader(b"expect")  # no 100 after our 413
        self.channel.transport.write(TOO_BIG)
        self.channel.loseConnection()

    def process(self) -> Any:
        # Daphne decodes both as ASCII, and what is none becomes a traceback. The
        # first moves the application; from whom it may be believed, nobody knows.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        wanted = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
        if not b"".join(wanted).isascii():
            self.requestHeaders.removeHeader(b"sec-websocket-protocol")
        answering = super().process()
        if self.transport is None:  # it was a handshake: a Socket has the connection
            self.channel.requests.clear()  # or this would live as long
        return answering


TOO_BIG = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n"


def most_bytes() -> int:
    return int(settings.HELPDESK_UPLOAD_BYTES) + FORM_BYTES


class Requests(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """Autobahn's formats a coloured debug line for each piece of data, both ways,
    also when nobody logs."""

    maxMessagePayloadSize: int  # in bytes; 0 means any

    # Daphne's say the same, only in Python, wherever a connection is looked up.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self) -> None:
        super().__init__()
        self._pings = Bucket(PINGS_A_SECOND, PINGS_BURST)
        self._waits = False

    def onOpen(self) -> None:
        """What the handshake has left is a quarter of an idle socket's memory."""
        super().onOpen()
        self.http_request_data = self.http_response_data = None
        self.http_headers = self.request.headers = {}
        self.websocket_extensions = self.request.extensions = []

    def check_timeouts(self) -> None:
        """Asked again and again of thousands to whom nothing is due."""
        now = time.time()
        if (
            self.state != self.STATE_OPEN
            or now - self.last_ping > self.server.ping_interval
            or now - self.socket_opened > self.server.websocket_timeout
        ):
            super().check_timeouts()

    def onPing(self, payload: bytes) -> None:
        """Each is answered, also to somebody who reads no answers."""
        if self._pings.take(time.monotonic()) or not settings.HELPDESK_LIMITS:
            super().onPing(payload)
        elif self.state == self.STATE_OPEN:
            log.info("a flood of pings")
            self.sendClose(TOO_FAST)

    def dataReceived(self, data: bytes) -> None:
        """Whole texts, as nearly all that comes, are taken here, in a fraction of the
        time. All else is autobahn's: what comes in pieces, is of another kind or is
        wrong."""
        begin = 0
        while self._awaits_a_text() and (found := text_at(data, begin)):
            begin, text = found
            self.last_ping = time.time()  # daphne's: when it last heard from here
            self.application_queue.put_nowait(
                {"type": "websocket.receive", "text": text}
            )
            self._mind_the_queue()
        if begin < len(data):
            self._dataReceived(data[begin:])

    def _awaits_a_text(self) -> bool:
        return not (
            self.state != self.STATE_OPEN
            or self.data
            or self.current_frame
            or self.inside_message
            or self.autoPingTimeoutCall
            or self.muted
        )

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        self._mind_the_queue()

    def _mind_the_queue(self) -> None:
        if not self._waits and self._is_behind():
            self._waits = True
            self.transport.pauseProducing()
            self._look_again()

    def _is_behind(self) -> bool:
        """The application has more to read than it can take: the database may be away,
        and daphne's queue has no end."""
        return bool(self.application_queue.qsize() > UNREAD_FRAMES)

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(AGAIN_SECONDS, self._go_on)

    def _go_on(self) -> None:
        if self._is_behind() and self.state == self.STATE_OPEN:
            self._look_again()
        else:
            self._waits = False
            self.transport.resumeProducing()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """A text as one frame, without the choices that autobahn has and nobody here
        makes: compression, masks, fragments."""
        if binary or self.state != self.STATE_OPEN or self.send_queue:
            super().serverSend(content, binary)
        else:
            self.transport.write(framed(content.encode()))  # type: ignore[union-attr]

    def sendMessage(self, *args: Any, **options: Any) -> None:
        """The limit is for what clients say. Autobahn would hold us to it as well, and
        a welcome may be larger."""
        most, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(*args, **options)
        finally:
            self.maxMessagePayloadSize = most

    def sendData(self, data: bytes, sync: bool = False, chopsize: Any = None) -> None:
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)


FINAL_TEXT, MASKED = 0x81, 0x80  # RFC 6455, 5.2
TWO_BYTES, EIGHT_BYTES = 126, 127  # of length, which follow


def text_at(data: bytes, begin: int) -> tuple[int, str] | None:
    """The whole text that begins there, and where it ends. None for what must be looked
    at more closely, such as one of 64 KiB, which may be too long."""
    if len(data) < begin + 2 or data[begin] != FINAL_TEXT:
        return None
    length, mask = data[begin + 1] - MASKED, begin + 2
    if length == TWO_BYTES:
        length, mask = int.from_bytes(data[mask : mask + 2]), mask + 2
        if length < TWO_BYTES:
            return None
    elif not 0 <= length < TWO_BYTES:
        return None
    end = mask + 4 + length
    if len(data) < end:
        return None
    try:
        text = unmasked(data[mask : mask + 4], data[mask + 4 : end]).decode()
    except UnicodeDecodeError:
        return None
    return end, text


def unmasked(mask: bytes, payload: bytes) -> bytes:
    length = len(payload)
    over = (mask * (length // 4 + 1))[:length]
    plain = int.from_bytes(payload, "little") ^ int.from_bytes(over, "little")
    return plain.to_bytes(length, "little")


def framed(payload: bytes) -> bytes:
    """As a server's frame of text."""
    length = len(payload)
    if length < TWO_BYTES:
        return bytes((FINAL_TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((FINAL_TEXT, TWO_BYTES)) + length.to_bytes(2) + payload
    return bytes((FINAL_TEXT, EIGHT_BYTES)) + length.to_bytes(8) + payload


class PromptTransport(tcp.Server):
    """Writes at the end of the loop's turn: all that the turn had for the socket, in
    one system call. Twisted's asks the loop to say when the socket takes data, which
    is another turn and two system calls more, though nearly every socket would have
    taken it; it does so here for what is left over.

    And reads without the context that Twisted makes for each piece of data, so that log
    lines might say whose it was, at the price of half the reading."""

    _soon = False

    def startReading(self) -> None:
        super().startReading()  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        loop.add_reader(self.fileno(), self._read_now)  # in place of the reactor's own

    def _read_now(self) -> None:
        self.reactor._readOrWrite(self, True)

    def startWriting(self) -> None:
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._write_now)

    def _write_now(self) -> None:
        """Nearly always the socket takes all, and nobody waits for that."""
        self._soon = False
        if not self.connected or self._aborting:
            return
        if self.dataBuffer or self._is_awaited():
            self._write_as_twisted()
            return
        data = b"".join(self._tempDataBuffer)
        try:
            sent = self.socket.send(data)
        except OSError:
            self._write_as_twisted()  # which meets it again
            return
        self._tempDataBuffer.clear()
        self._tempDataLen = 0
        if sent < len(data):
            self.dataBuffer, self.offset = data, sent
            super().startWriting()  # type: ignore[no-untyped-call]

    def _is_awaited(self) -> bool:
        """Whether something follows once all is written."""
        return bool(
            self.disconnecting
            or self._writeDisconnecting
            or (self.producer and (self.producerPaused or not self.streamingProducer))
        )

    def _write_as_twisted(self) -> None:
        # Whatever is wrong with the connection, or its end, is found again and told
        # to the protocol when the loop writes.
        lost = self.doWrite()  # type: ignore[no-untyped-call]
        if lost is not None or self.dataBuffer or self._tempDataBuffer:
            super().startWriting()  # type: ignore[no-untyped-call]
