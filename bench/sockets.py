"""A client's socket that asks and waits for the answer, and counts what it costs."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .stage import ORIGIN

CONNECTING = 50  # sockets at a time
PING_SECONDS = 20
PATIENCE_SECONDS = 60
ADDRESSES = 250  # of 127/8, from which sockets come: each has ports of its own
PING = b'{"type":"ping"}'


class Kind(msgspec.Struct):
    type: str
    id: str = ""


logging.getLogger("picows").setLevel(logging.WARNING)  # each coming and going
kind_of = msgspec.json.Decoder(Kind).decode


class Socket(WSListener):  # type: ignore[misc]
    """`on_event` is told of frames that answer nothing. `up` and `down` are bytes as
    they travel, after the handshake."""

    def __init__(self, on_event: Callable[[bytes], None] | None = None) -> None:
        self.on_event = on_event
        self.awaited: dict[str, asyncio.Future[bytes]] = {}
        self.up = self.down = self.frames = 0
        self.closed = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True
        for answer in self.awaited.values():
            if not answer.done():
                answer.set_exception(ConnectionError("closed before the answer"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        text = frame.get_payload_as_bytes()
        self.down += len(text) + header(len(text))
        said = kind_of(text)
        answer = self.awaited.pop(said.id or said.type, None)
        if answer:
            answer.set_result(text)
        elif self.on_event:
            self.on_event(text)

    def say(self, text: bytes) -> None:
        self.up += len(text) + header(len(text)) + 4  # a client's are masked
        self.frames += 1
        self.transport.send(WSMsgType.TEXT, text)

    def ping(self) -> None:
        if not self.closed:
            self.say(PING)

    async def ask(self, frame: dict[str, Any], answer: str = "") -> bytes:
        """The ack, or the frame of the type that answers."""
        if self.closed:
            raise ConnectionError("asked on a closed socket")
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.awaited[answer or frame["id"]] = waiting
        self.say(msgspec.json.encode(frame))
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await waiting

    def leave(self) -> None:
        self.transport.disconnect(graceful=False)


def header(length: int) -> int:
    """Bytes of a WebSocket frame's header without a mask."""
    return 2 if length < 126 else 4 if length < 65_536 else 10


async def open_socket(
    url: str,
    about: dict[str, Any],
    number: int = 0,
    on_event: Callable[[bytes], None] | None = None,
) -> Socket:
    """`about`: path, cookie and hello, as bench.people tells them. Sockets of different
    numbers come from different addresses."""
    socket = Socket(on_event)
    await ws_connect(
        lambda: socket,
        url + about["path"],
        extra_headers={"Origin": ORIGIN, "Cookie": about.get("cookie", "")},
        websocket_handshake_timeout=PATIENCE_SECONDS,
        local_addr=(f"127.0.1.{1 + number % ADDRESSES}", 0),
    )
    if hello := about.get("hello"):
        await socket.ask(hello, "welcome")
    return socket


async def open_all(
    url: str, people: list[dict[str, Any]], at_a_time: int = CONNECTING
) -> tuple[list[Socket], float]:
    """All of them, with how many seconds it took until the last was welcomed."""
    few = asyncio.Semaphore(at_a_time)
    sockets: list[Socket] = []

    async def open_one(number: int, about: dict[str, Any]) -> Socket:
        async with few:
            socket = await open_socket(url, about, number)
            sockets.append(socket)
            return socket

    alive = asyncio.create_task(stay(sockets)) if "hello" in people[0] else None
    began = time.perf_counter()
    opened = await asyncio.gather(*(open_one(*each) for each in enumerate(people)))
    took = time.perf_counter() - began
    if alive:
        alive.cancel()
    return opened, took


class Pinging(Protocol):
    def ping(self) -> None: ...


async def stay(sockets: Sequence[Pinging]) -> None:
    """All ping as the contract wants it, one after the other, in small groups, each
    again after exactly so long. Who is added later is among them from the next round
    on."""
    began = time.monotonic()
    for number in itertools.count():
        everybody = list(sockets)
        groups = max(1, min(len(everybody), PING_SECONDS * 20))
        for first in range(groups):
            for socket in everybody[first::groups]:
                socket.ping()
            due = began + PING_SECONDS * (number + (first + 1) / groups)
            await asyncio.sleep(max(0, due - time.monotonic()))


def customer(conversation: Any) -> dict[str, Any]:
    """Who resumes it."""
    from .stage import token

    return {
        "path": f"/ws/customer/{conversation.site.key}/",
        "hello": {"type": "hello", "token": token(conversation)},
    }


def newcomer(site: Any) -> dict[str, Any]:
    return {"path": f"/ws/customer/{site.key}/", "hello": {"type": "hello"}}


def agent(cookie: str) -> dict[str, Any]:
    return {"path": "/ws/agent/", "cookie": cookie, "hello": {"type": "hello"}}
