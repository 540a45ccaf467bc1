"""The load generator, in a process of its own. It speaks the contract: hello, posts
with ids of their own, acks, events. Reads a job from standard input, prints what came
of it:

python -m bench.load < job.json
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .processes import cpu_seconds, loop_seconds, resident_kib
from .services import python
from .sockets import PING, stay
from .stage import ORIGIN

CONNECTING = 50  # sockets at a time
SETTLE_SECONDS = 3  # before memory is looked at
QUIET_SECONDS = 30  # at most
PADDING = "x" * 72  # with id-like time in front: a text of about 100 bytes


class Job(msgspec.Struct):
    """`rate` posts a second, by customers only; without it everybody posts as fast as
    they are acked, `depth` posts in flight each; `in_turns` each waits for the other's
    word, as in a talk. `idle` only connects. A socket may have a `url` of its own;
    those who are `silent` come first and only listen."""

    url: str
    pairs: list[list[dict[str, Any]]]
    processes: dict[str, list[int]]
    silent: list[dict[str, Any]] = []
    depth: int = 2
    rate: int = 0
    in_turns: bool = False
    idle: bool = False
    batch: bool = False
    warm_seconds: float = 2
    seconds: float = 6


class Result(msgspec.Struct):
    messages: int
    seconds: float
    connect_seconds: float
    latency_ms: dict[str, float]
    cpu_us: dict[str, float]  # a message, by process
    memory_kib: float  # the server's, a socket, against before they connected
    lost: int  # acked and not delivered by the end


class Text(msgspec.Struct):
    text: str


class Frame(msgspec.Struct):
    type: str
    message: Text | None = None
    detail: str = ""


one = msgspec.json.Decoder(Frame).decode
several = msgspec.json.Decoder(list[Frame]).decode


class Tally:
    def __init__(self) -> None:
        self.frames = self.acked = self.delivered = 0
        self.late: list[int] = []  # nanoseconds from post to delivery
        self.timed = False


class Side(WSListener):  # type: ignore[misc]
    """One socket of a pair."""

    def __init__(self, about: dict[str, Any], job: Job, tally: Tally) -> None:
        self.about = about
        self.batch = job.batch
        self.tally = tally
        self.on = ""  # the type of the frames that are answered by a post
        self.welcomed = asyncio.get_running_loop().create_future()
        where = about.get("conversation")
        self.where = f',"conversation":"{where}"' if where else ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if hello := self.about.get("hello"):
            told = hello | ({"batch": True} if self.batch else {})
            transport.send(WSMsgType.TEXT, msgspec.json.encode(told))
        else:
            self.welcomed.set_result(None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        text = frame.get_payload_as_bytes()
        if text[0] == 91:  # [
            for each in several(text):
                self.take(each)
        else:
            self.take(one(text))

    def ping(self) -> None:
        self.transport.send(WSMsgType.TEXT, PING)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError("closed before the welcome"))

    def take(self, frame: Frame) -> None:
        self.tally.frames += 1
        if frame.type == "ack":
            self.tally.acked += 1
        elif frame.type == "message.posted":
            self.tally.delivered += 1
            if self.tally.timed and frame.message:
                sent = int(frame.message.text.partition(" ")[0])
                self.tally.late.append(time.monotonic_ns() - sent)
        elif frame.type == "welcome":
            self.welcomed.set_result(None)
        elif frame.type == "refused":
            raise RuntimeError(frame.detail)
        if frame.type == self.on:
            self.post()

    def post(self) -> None:
        # Like a UUID: ids that grow would be kinder to the database's indexes.
        id = f"{random.getrandbits(128):032x}"
        text = f"{time.monotonic_ns():020} {PADDING}"
        self.transport.send(
            WSMsgType.TEXT,
            f'{{"type":"message.post","id":"{id}","text":"{text}"{self.where}}}'.encode(),
        )


def put_to_load(job: Job) -> dict[str, Any]:
    """In a process of its own; what it tells is a Result."""
    done = python(["-m", "bench.load"], {}, msgspec.json.encode(job))
    return msgspec.json.decode(done, type=dict[str, Any])


async def run(job: Job) -> Result:
    tally = Tally()
    server = job.processes["server"]
    before = resident_kib(server)
    started = time.monotonic()
    silent = await connect(job, job.silent, Tally())
    alive = asyncio.create_task(stay(silent))
    sides = await connect(job, [each for pair in job.pairs for each in pair], tally)
    connected = time.monotonic() - started
    if job.idle:
        await asyncio.sleep(SETTLE_SECONDS)
        grown = (resident_kib(server) - before) / len(sides)
        return Result(0, 0, connected, {}, {}, grown, 0)
    await quiet(tally)
    stop = steady(job, sides) if job.rate else everybody(job, sides)
    await asyncio.sleep(job.warm_seconds)
    tally.late.clear()
    tally.timed = True
    acked, delivered = tally.acked, tally.delivered
    before_it = used(job)
    started = time.monotonic()
    await asyncio.sleep(job.seconds)
    seconds = time.monotonic() - started
    messages = min(tally.acked - acked, tally.delivered - delivered)
    spent = {name: now - before_it[name] for name, now in used(job).items()}
    tally.timed = False
    stop()
    alive.cancel()
    await asyncio.sleep(1)
    return Result(
        messages,
        seconds,
        connected,
        percentiles(tally.late),
        {name: 1e6 * used / max(messages, 1) for name, used in spent.items()},
        0,
        tally.acked - tally.delivered,
    )


async def quiet(tally: Tally) -> None:
    """Until nobody hears any more of those who came."""
    for _ in range(QUIET_SECONDS):
        before = tally.frames
        await asyncio.sleep(1)
        if tally.frames == before:
            return


def used(job: Job) -> dict[str, float]:
    """CPU seconds so far."""
    return {
        "loop": loop_seconds(job.processes["server"]),
        "load": time.process_time(),
        **{name: cpu_seconds(pids) for name, pids in job.processes.items()},
    }


async def connect(job: Job, people: list[dict[str, Any]], tally: Tally) -> list[Side]:
    few = asyncio.Semaphore(CONNECTING)

    async def open_one(about: dict[str, Any]) -> Side:
        async with few:
            headers = {"Origin": ORIGIN, "Cookie": about.get("cookie", "")}
            side = Side(about, job, tally)
            await ws_connect(
                lambda: side,
                about.get("url", job.url) + about["path"],
                extra_headers=headers,
                websocket_handshake_timeout=60,
            )
            await asyncio.wait_for(side.welcomed, 60)
            return side

    return await asyncio.gather(*map(open_one, people))


def everybody(job: Job, sides: list[Side]) -> Callable[[], None]:
    for side in sides:
        side.on = "message.posted" if job.in_turns else "ack"
    for side in sides[:: 2 if job.in_turns else 1]:
        for _ in range(job.depth):
            side.post()

    def stop() -> None:
        for side in sides:
            side.on = ""

    return stop


def steady(job: Job, sides: list[Side]) -> Callable[[], None]:
    """Customers post by turns, at even times. What is late is sent at once."""
    customers = sides[::2]
    loop = asyncio.get_running_loop()
    start = loop.time()
    sent = 0
    going = True

    def tick() -> None:
        nonlocal sent
        due = int((loop.time() - start) * job.rate)
        while sent < due:
            customers[sent % len(customers)].post()
            sent += 1
        if going:
            loop.call_later(0.001, tick)

    def stop() -> None:
        nonlocal going
        going = False

    tick()
    return stop


def percentiles(nanoseconds: list[int]) -> dict[str, float]:
    ordered = sorted(nanoseconds)
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {
        name: ordered[round(last * part)] / 1e6
        for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


if __name__ == "__main__":
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    result = uvloop.run(run(work))
    sys.stdout.buffer.write(msgspec.json.encode(result))
    sys.stdout.flush()
    os._exit(0)  # the sockets need no goodbye
