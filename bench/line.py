"""Measures the line: from a slot that is freed to both being told, the drain of a
long line, and what the sweep costs with nothing to do.

python -m bench.line            PostgreSQL, one server process; keeps raw results
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .services import running
from .sockets import stay
from .stage import ORIGIN, START, arrive, keep, office, spread, stage, token, wait

AGENTS, WAITING, SAMPLES = 50, 500, 200
LONG_LINE, MANY_AGENTS, CAPACITY = 1_000, 100, 10
TICKS = 100
CONNECTING = 20  # sockets at a time
SETTLE_SECONDS = 5  # everybody has heard of everybody
PAUSE_SECONDS = 0.05


def main() -> None:
    with stage() as at:
        measured = {
            "drain": drain(),
            "sweep": sweep(),
            "hand_out": hand_out(at.environment),
        }
        settings = {
            "agents": AGENTS,
            "waiting": WAITING,
            "long line": LONG_LINE,
            "its agents × capacity": f"{MANY_AGENTS} × {CAPACITY}",
        }
        keep("line", measured, settings, at)


# --- without sockets


def drain() -> dict[str, Any]:
    """A queue opens with a long line before it: all are given out, none twice, in
    their order."""
    from django.db import transaction

    from helpdesk import pairing, presence
    from helpdesk.models import Assignment

    queue, agents = office("drain", MANY_AGENTS, CAPACITY)
    line = [wait(queue) for _ in range(LONG_LINE)]
    process = arrive(agent.pk for agent, _ in agents)
    began = time.perf_counter()
    batches, given = [], pairing.DRAIN
    while given == pairing.DRAIN:
        batch = time.perf_counter()
        presence.renew(process)  # as a running process does
        with transaction.atomic():
            given = pairing.drain([queue.pk])
        batches.append(time.perf_counter() - batch)
    seconds = time.perf_counter() - began
    held = Assignment.objects.filter(ended_at=None).order_by("started_at", "pk")
    order = list(held.values_list("conversation_id", flat=True))
    # Those of one millisecond are ordered by their ids.
    line.sort(key=lambda each: (each.waiting_since, each.pk))
    if order != [conversation.pk for conversation in line]:
        raise SystemExit(f"Of {len(line)}, {len(order)} given out, or not in order.")
    return {"seconds": seconds, "slowest_batch": max(batches), "given": len(order)}


def sweep() -> dict[str, Any]:
    """CPU of a tick with nothing to do, beside what the drain has left: everybody
    holds conversations and is here."""
    from helpdesk import clock

    clock.tick()
    began = time.process_time()
    for _ in range(TICKS):
        clock.tick()
    return {"cpu_ms": (time.process_time() - began) / TICKS * 1000, "ticks": TICKS}


# --- with sockets


def hand_out(environment: dict[str, str]) -> dict[str, Any]:
    """An agent ends a conversation: when have the next customer and the agent been
    told? Every agent is full, and the line long, all the time."""
    queue, agents = office("handout", AGENTS, 4)
    customers = [wait(queue) for _ in range(AGENTS * 4 + WAITING)]
    with running(START, environment) as server:
        samples = asyncio.run(talk(server.url, queue, agents, customers))
    return {
        "samples": len(samples),
        "freed": spread([told - freed for _, freed, told in samples]),
        "asked": spread([told - asked for asked, _, told in samples]),
    }


class Told:
    """What everybody has been told of who talks with whom, and when."""

    def __init__(self, agents: list[Any]) -> None:
        self.agents = [str(agent.pk) for agent, _ in agents]
        self.held: dict[int, dict[str, None]] = {n: {} for n in range(len(agents))}
        self.seen: dict[str, dict[str, float]] = {}
        self.ended: dict[str, float] = {}
        self.news = asyncio.Event()
        self.welcomed = 0

    def tell(self, who: str, index: int, frame: Frame, now: float) -> None:
        if frame.type == "welcome":
            self.welcomed += 1
            for each in frame.conversations:
                self.held[index][each.id] = None
                self.seen.setdefault(each.id, {})
        elif frame.conversation and frame.conversation.state == "active":
            self._talks(who, index, frame.conversation, now)
        elif frame.conversation and frame.conversation.state == "ended":
            self.ended.setdefault(frame.conversation.id, now)
        self.news.set()

    def _talks(self, who: str, index: int, talk: Talk, now: float) -> None:
        if who == "agent":
            if talk.agent is None or talk.agent.id != self.agents[index]:
                return  # a colleague's
            self.held[index][talk.id] = None
        self.seen.setdefault(talk.id, {}).setdefault(who, now)

    async def until(self, what: Callable[[], Any]) -> Any:
        async with asyncio.timeout(60):
            while not (found := what()):
                self.news.clear()
                await self.news.wait()
        return found

    def both(self, before: set[str], began: float) -> float | None:
        """When the second of the two who now talk was told."""
        for conversation, seen in self.seen.items():
            if conversation not in before and len(seen) == 2:
                latest = max(seen.values())
                if latest > began:
                    return latest
        return None


class Seat(WSListener):  # type: ignore[misc]
    """A socket of a customer or an agent. The time of a frame is taken as it comes."""

    def __init__(self, told: Told, who: str, index: int, hello: Any) -> None:
        self.told, self.who, self.index, self.hello = told, who, index, hello

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.say({"type": "hello"} | self.hello)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now = time.perf_counter()
        if frame.msg_type == WSMsgType.TEXT:
            said = decode(frame.get_payload_as_bytes())
            if said.type in ("welcome", "conversation.changed"):
                self.told.tell(self.who, self.index, said, now)

    def ping(self) -> None:
        self.say({"type": "ping"})

    def say(self, frame: dict[str, Any]) -> None:
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode(frame))


class Person(msgspec.Struct):
    id: str


class Talk(msgspec.Struct):
    id: str
    state: str
    agent: Person | None = None


class Frame(msgspec.Struct):
    """Acks say with `conversation` only an id."""

    type: str
    conversation: Talk | None = None
    conversations: list[Talk] = []


class Kind(msgspec.Struct):
    type: str


def decode(text: bytes) -> Frame:
    kind = kind_of(text).type
    return frame_of(text) if kind in TELLING else Frame(kind)


TELLING = ("welcome", "conversation.changed")
kind_of = msgspec.json.Decoder(Kind).decode
frame_of = msgspec.json.Decoder(Frame).decode


async def talk(
    url: str, queue: Any, agents: list[Any], customers: list[Any]
) -> list[tuple[float, float, float]]:
    """When each end was asked for, when it had freed the slot (the first to hear that
    the conversation has ended), and when both of the next two had been told."""
    told = Told(agents)
    few = asyncio.Semaphore(CONNECTING)

    async def come(who: str, index: int, path: str, cookie: str, hello: Any) -> Seat:
        seat = Seat(told, who, index, hello)
        async with few:
            headers = {"Origin": ORIGIN, "Cookie": cookie}
            await ws_connect(
                lambda: seat,
                url + path,
                extra_headers=headers,
                websocket_handshake_timeout=60,
            )
        return seat

    path = f"/ws/customer/{queue.site.key}/"
    waiting = await asyncio.gather(
        *(
            come("customer", n, path, "", {"token": token(each)})
            for n, each in enumerate(customers)
        )
    )
    await told.until(lambda: told.welcomed == len(customers))
    seats = await asyncio.gather(
        *(
            come("agent", n, "/ws/agent/", cookie, {})
            for n, (_, cookie) in enumerate(agents)
        )
    )
    alive = asyncio.create_task(stay([*waiting, *seats]))
    await told.until(lambda: all(len(each) == 4 for each in told.held.values()))
    await asyncio.sleep(SETTLE_SECONDS)
    samples = []
    for number in range(SAMPLES):
        index = number % len(agents)
        before = {each for each, seen in told.seen.items() if len(seen) == 2}
        oldest = next(iter(told.held[index]))
        del told.held[index][oldest]
        began = time.perf_counter()
        seats[index].say(
            {
                "type": "conversation.end",
                "id": str(uuid.uuid4()),
                "conversation": oldest,
            }
        )
        latest = await told.until(lambda: told.both(before, began))  # noqa: B023
        samples.append((began, told.ended[oldest], latest))
        await asyncio.sleep(PAUSE_SECONDS)
    alive.cancel()
    return samples


if __name__ == "__main__":
    main()
