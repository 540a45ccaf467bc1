"""Measures the line: from a slot that is freed to both being told, the drain of a
long line, and what the sweep costs with nothing to do.

python -m bench.line            PostgreSQL, one server process; keeps raw results
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from .services import Postgres, Valkey, running, scratch

RESULTS = Path(__file__).resolve().parent / "results"
SECRET = "only-for-the-bench-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
ORIGIN = "http://127.0.0.1"
AGENTS, WAITING, SAMPLES = 50, 500, 200
LONG_LINE, MANY_AGENTS, CAPACITY = 1_000, 100, 10
TICKS = 100


def main() -> None:
    with scratch() as folder:
        postgres, valkey = Postgres(folder), Valkey(folder)
        environment = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "DATA": str(folder),
            "STATIC_ROOT": str(folder / "static"),
            "SECRET_KEY": SECRET,
            "DEBUG": "off",
            "PUBLIC_URL": ORIGIN,
            "HELPDESK_LIMITS": "off",
            "EMAIL_URL": "consolemail://",
        }
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "helpdesk.settings"}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        measured = {
            "drain": drain(),
            "sweep": sweep(),
            "hand_out": hand_out(environment),
        }
    keep(measured)


# --- without sockets


def drain() -> dict[str, Any]:
    """A queue opens with a long line before it: all are given out, none twice, in
    their order."""
    from django.db import transaction

    from helpdesk import pairing, presence
    from helpdesk.models import Assignment

    queue, agents = office("drain", MANY_AGENTS, CAPACITY)
    line = [wait(queue) for _ in range(LONG_LINE)]
    process = arrive(agents)
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
    with running(["-m", "helpdesk", "start"], environment) as server:
        samples = asyncio.run(talk(server.url, queue, agents, customers))
    ordered = sorted(samples)
    return {
        "samples": len(ordered),
        "p50_ms": statistics.median(ordered) * 1000,
        "p95_ms": ordered[int(len(ordered) * 0.95)] * 1000,
        "max_ms": ordered[-1] * 1000,
    }


async def talk(
    url: str, queue: Any, agents: list[Any], customers: list[Any]
) -> list[float]:
    """`now` of each frame is taken by one reader a socket; the later of the two that
    tell of the same conversation counts."""
    from websockets.asyncio.client import connect

    told: dict[str, dict[str, float]] = {}
    held: dict[int, dict[str, None]] = {index: {} for index in range(len(agents))}
    news = asyncio.Event()

    async def listen(socket: Any, who: str, index: int) -> None:
        async for text in socket:
            now = time.perf_counter()
            for frame in as_list(json.loads(text)):
                if frame["type"] == "welcome":
                    for each in frame.get("conversations", ()):
                        held[index][each["id"]] = None
                        told.setdefault(each["id"], {})
                    news.set()
                if frame["type"] != "conversation.changed":
                    continue
                conversation = frame["conversation"]
                if conversation["state"] != "active":
                    continue
                mine = told.setdefault(conversation["id"], {})
                if who == "customer" or conversation["agent"]["id"] == str(
                    agents[index][0].pk
                ):
                    if who == "agent":
                        held[index][conversation["id"]] = None
                    mine.setdefault(who, now)
                    news.set()

    tasks = []
    for index, conversation in enumerate(customers):
        socket = await connect(
            f"{url}/ws/customer/{queue.site.key}/",
            additional_headers={"Origin": ORIGIN},
            ping_interval=None,
            max_size=None,
        )
        await socket.send(json.dumps({"type": "hello", "token": token(conversation)}))
        tasks.append(asyncio.create_task(listen(socket, "customer", index)))
    sockets = []
    for index, (_, cookie) in enumerate(agents):
        socket = await connect(
            f"{url}/ws/agent/",
            additional_headers={"Origin": ORIGIN, "Cookie": cookie},
            ping_interval=None,
            max_size=None,
        )
        await socket.send(json.dumps({"type": "hello"}))
        sockets.append(socket)
        tasks.append(asyncio.create_task(listen(socket, "agent", index)))
    while sum(map(len, held.values())) < len(agents) * 4:
        news.clear()
        await news.wait()
    await asyncio.sleep(3)  # everybody has read their welcome
    samples = []
    for number in range(SAMPLES):
        index = number % len(agents)
        before = {each for each, seen in told.items() if len(seen) == 2}
        began = time.perf_counter()
        oldest = next(iter(held[index]))
        del held[index][oldest]
        await end(sockets[index], oldest)
        while not (fresh := both(told, before, began)):
            news.clear()
            await asyncio.wait_for(news.wait(), 20)
        samples.append(fresh - began)
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    return samples


def both(
    told: dict[str, dict[str, float]], before: set[str], began: float
) -> float | None:
    """When the second of the two who now talk was told."""
    for conversation, seen in told.items():
        if conversation not in before and len(seen) == 2:
            latest = max(seen.values())
            if latest > began:
                return latest
    return None


async def end(socket: Any, conversation: str) -> None:
    frame = {"type": "conversation.end", "id": str(uuid.uuid4())}
    await socket.send(json.dumps(frame | {"conversation": conversation}))


def as_list(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


# --- who is there


def office(key: str, count: int, capacity: int) -> tuple[Any, list[Any]]:
    from customers.models import Site
    from helpdesk.models import Queue

    from .people import sign_in

    site = Site.objects.create(key=key, name=key)
    queue = Queue.objects.create(site=site, name=key, line_limit=10_000)
    agents = [sign_in(queue) for _ in range(count)]
    for agent, _ in agents:
        agent.capacity = capacity
        agent.save(update_fields=["capacity"])
    return queue, agents


def arrive(agents: list[Any]) -> uuid.UUID:
    """They are connected, as far as the leases tell."""
    from helpdesk import presence
    from helpdesk.models import new_id

    process = new_id()
    presence.renew(process)
    for agent, _ in agents:
        presence.arrive(process, agent.pk)
    return process


def wait(queue: Any) -> Any:
    from customers.models import Customer
    from helpdesk.database import db_now
    from helpdesk.models import Conversation

    customer = Customer.objects.create(site=queue.site, name="Cora")
    now = db_now()
    return Conversation.objects.create(
        site=queue.site,
        queue=queue,
        customer=customer,
        created_at=now,
        waiting_since=now,
    )


def token(conversation: Any) -> str:
    from customers.identity import make_token

    return make_token(conversation.site, conversation.customer_id)


def keep(measured: dict[str, Any]) -> None:
    settings = {
        "agents": AGENTS,
        "waiting": WAITING,
        "long line": LONG_LINE,
        "its agents × capacity": f"{MANY_AGENTS} × {CAPACITY}",
        "PostgreSQL": ", ".join(Postgres.SETTINGS),
    }
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    record = {"at": at, "machine": f"{os.cpu_count()} cores", "settings": settings}
    path = RESULTS / f"line-{at[:16].replace(':', '')}.json"
    path.write_text(json.dumps(record | measured, indent=1) + "\n")
    sys.stdout.write(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
