"""Measures the same talk three ways: over a WebSocket, over long polls, and by a plain
client that asks every 3.5 seconds.

python -m bench.ways            keeps raw results
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .processes import cpu_seconds
from .services import running
from .sockets import Socket, agent, customer, open_socket, stay
from .stage import ORIGIN, START, Stage, keep, office, pair_up, spread, stage, token

PAIRS, A_QUEUE = 60, 10
SECONDS = 60
PAUSE_SECONDS = (4, 8)  # between two messages of one person
LONG_SECONDS, ASK_SECONDS = 25, 3.5
LAST_SECONDS = 5  # until the last message has been asked for
TEXT = "Where is my parcel? It was to come on Tuesday, and it is not here yet. "
# What a browser says besides; it is most of a request.
HEADERS = (
    f"Origin: {ORIGIN}\r\n"
    f"Referer: {ORIGIN}/\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36\r\n"
    "Accept: */*\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Content-Type: application/json\r\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ways")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    words = parser.parse_args()
    with stage() as at:
        measured = {
            name: measure(at, name, words.pairs, words.seconds)
            for name in ("socket", "long_poll", "asking")
        }
        settings = {
            "pairs": words.pairs,
            "seconds": words.seconds,
            "pause": PAUSE_SECONDS,
            "long": LONG_SECONDS,
            "ask": ASK_SECONDS,
        }
        keep("ways", {"ways": measured}, settings, at)


def measure(at: Stage, way: str, pairs: int, seconds: float) -> dict[str, Any]:
    """On a server of its own."""
    random.seed(1)
    people = []
    for first in range(0, pairs, A_QUEUE):
        here = min(A_QUEUE, pairs - first)
        queue, agents = office(f"{way}-{first}".replace("_", "-"), here, 4)
        people += list(zip(agents, pair_up(queue, agents, here), strict=True))
    with running(START, at.environment) as server:
        pids = {"server": [server.pid], **at.services}
        return asyncio.run(talk(server.url, way, people, seconds, pids))


class Heard:
    """When each text was sent, and how long it took to be heard."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.late: list[float] = []

    def say(self) -> str:
        key = uuid.uuid4().hex
        self.sent[key] = time.perf_counter()
        return TEXT + key

    def hear(self, text: str) -> None:
        if began := self.sent.pop(text[-32:], None):
            self.late.append(time.perf_counter() - began)


async def talk(
    url: str, way: str, people: list[Any], seconds: float, pids: dict[str, list[int]]
) -> dict[str, Any]:
    by_agents, by_customers = Heard(), Heard()
    desks, customers = [], []
    for (_, cookie), conversation in people:
        listening = listen(by_customers)
        desks.append(await open_socket(url, agent(cookie), on_event=listening))
        customers.append(WAYS[way](url, conversation, by_agents))
        await customers[-1].open()
    alive = asyncio.create_task(stay(desks))
    await asyncio.sleep(LAST_SECONDS)
    before = [each.cost() for each in customers]
    used = {name: cpu_seconds(each) for name, each in pids.items()}
    end = time.monotonic() + seconds
    talking = [
        speak(end, by_agents, at_desk(desk, str(each.pk)))
        for desk, (_, each) in zip(desks, people, strict=True)
    ]
    talking += [speak(end, by_customers, each.post) for each in customers]
    posted = sum(await asyncio.gather(*talking))
    await asyncio.sleep(LAST_SECONDS)
    spent = {name: cpu_seconds(each) - used[name] for name, each in pids.items()}
    costs = [
        after - was
        for each, b in zip(customers, before, strict=True)
        for after, was in zip(each.cost(), b, strict=True)
    ]
    alive.cancel()
    for each in customers:
        each.leave()
    return {
        "messages": posted,
        "unheard": len(by_agents.sent) + len(by_customers.sent),
        "to_agent": spread(by_customers.late),
        "to_customer": spread(by_agents.late),
        "requests": sum(costs[0::3]),
        "up": sum(costs[1::3]),
        "down": sum(costs[2::3]),
        "cpu_us": {name: 1e6 * each / posted for name, each in spent.items()},
    }


def at_desk(socket: Socket, conversation: str) -> Callable[[dict[str, Any]], Any]:
    return lambda post: socket.ask(post | {"conversation": conversation})


def listen(heard: Heard) -> Callable[[bytes], None]:
    def on_event(text: bytes) -> None:
        frame = msgspec.json.decode(text)
        if frame["type"] == "message.posted":
            heard.hear(frame["message"]["text"])

    return on_event


async def speak(end: float, heard: Heard, post: Callable[[dict[str, Any]], Any]) -> int:
    """How many messages were posted, at a human's pace."""
    posted = 0
    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS[1]))
    while time.monotonic() < end:
        await post(
            {"type": "message.post", "id": uuid.uuid4().hex, "text": heard.say()}
        )
        posted += 1
        await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    return posted


class BySocket:
    def __init__(self, url: str, conversation: Any, heard: Heard) -> None:
        self.url, self.about, self.heard = url, customer(conversation), heard
        self.socket: Socket

    async def open(self) -> None:
        listening = listen(self.heard)
        self.socket = await open_socket(self.url, self.about, on_event=listening)
        self.alive = asyncio.create_task(stay([self.socket]))

    async def post(self, frame: dict[str, Any]) -> None:
        await self.socket.ask(frame)

    def cost(self) -> tuple[int, int, int]:
        """Requests (here: what the client sent), bytes up, bytes down."""
        return self.socket.frames, self.socket.up, self.socket.down

    def leave(self) -> None:
        self.alive.cancel()
        self.socket.leave()


class ByPoll:
    """As static/chat/poll.js: one request waits, what is said goes beside it."""

    wait, pause = float(LONG_SECONDS), 0.0

    def __init__(self, url: str, conversation: Any, heard: Heard) -> None:
        path = f"/widget/{conversation.site.key}/poll/"
        self.waits, self.says = Web(url, path), Web(url, path)
        self.heard = heard
        self.holds = {
            "token": token(conversation),
            "conversation": str(conversation.pk),
            "after": 0,
            "version": 0,
        }

    async def open(self) -> None:
        await self.ask(self.says, hello={})
        self.asking = asyncio.create_task(self.go_on())

    async def go_on(self) -> None:
        await asyncio.sleep(random.uniform(0, self.pause))
        while True:
            await self.ask(self.waits, wait=self.wait)
            await asyncio.sleep(self.pause)

    async def post(self, frame: dict[str, Any]) -> None:
        await self.ask(self.says, frames=[frame])

    async def ask(self, web: Web, **words: Any) -> None:
        told = await web.post({"wait": 0} | self.holds | words)
        self.holds["after"] = max(self.holds["after"], told["after"])
        for frame in told["frames"]:
            if frame["type"] == "message.posted":
                self.heard.hear(frame["message"]["text"])
            elif frame["type"] == "conversation.changed":
                version = frame["conversation"]["version"]
                self.holds["version"] = max(self.holds["version"], version)

    def cost(self) -> tuple[int, int, int]:
        webs = (self.waits, self.says)
        return (
            sum(web.requests for web in webs),
            sum(web.up for web in webs),
            sum(web.down for web in webs),
        )

    def leave(self) -> None:
        self.asking.cancel()
        self.waits.close()
        self.says.close()


class ByAsking(ByPoll):
    wait, pause = 0.0, ASK_SECONDS


WAYS: dict[str, Any] = {"socket": BySocket, "long_poll": ByPoll, "asking": ByAsking}


class Web:
    """One HTTP connection that is kept, one request at a time. `up` and `down` are
    bytes with their headers."""

    def __init__(self, url: str, path: str) -> None:
        self.port, self.path = urlsplit(url).port, path
        self.requests = self.up = self.down = 0
        self.one = asyncio.Lock()
        self.reader = asyncio.StreamReader()
        self.writer: asyncio.StreamWriter | None = None

    async def post(self, words: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(words, separators=(",", ":")).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"{HEADERS}Content-Length: {len(body)}\r\n\r\n"
        )
        async with self.one:
            return await self._exchange(head.encode() + body)

    async def _exchange(self, request: bytes) -> dict[str, Any]:
        if self.writer is None or self.reader.at_eof():
            self.close()
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port
            )
        self.writer.write(request)
        self.requests += 1
        self.up += len(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split()[0]
        body = await self.reader.readexactly(int(length))
        self.down += len(head) + len(body)
        assert b" 200 " in head[:20], (head, body)
        told: dict[str, Any] = json.loads(body)
        return told

    def close(self) -> None:
        if self.writer:
            with contextlib.suppress(OSError):
                self.writer.close()


if __name__ == "__main__":
    main()
