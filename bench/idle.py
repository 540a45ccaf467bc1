"""Measures sockets that say nothing but their heartbeat: memory, CPU, and how fast they
come; beside them a bare application on daphne.

python -m bench.idle            5,000 sockets on one server process; keeps raw results
python -m bench.idle --sockets 500 --seconds 20     to try it
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from typing import Any

import uvloop

from .cases import CASES
from .processes import cpu_seconds, resident_kib
from .services import Server, running
from .sockets import PING_SECONDS, agent, customer, newcomer, open_all, stay
from .stage import START, Stage, arrive, keep, office, pair_up, stage

SOCKETS, SECONDS = 5_000, 60
TALKS_AN_AGENT = 49  # so that one socket in fifty is an agent's
A_QUEUE = 10  # agents, who hear of each other
NEW = 1_000  # of the customers who have not written yet
WARM = 20  # sockets before anything is measured: what is imported late is there
SETTLE_SECONDS = 5
SPARE_FILES = 500


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.idle")
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    words = parser.parse_args()
    had = min(words.sockets, files() - SPARE_FILES)
    with stage() as at:
        measured = {
            "bare": uvloop.run(bare(had, words.seconds)),
            "new": uvloop.run(new(at, min(NEW, had))),
            "product": uvloop.run(product(at, had, words.seconds)),
        }
        settings = {"wanted": words.sockets, "had": had, "seconds": words.seconds}
        keep("idle", measured, settings, at)


def files() -> int:
    """How many a process may now open; its children as well."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def bare(count: int, seconds: float) -> dict[str, float]:
    case = next(case for case in CASES if case.name == "bare_daphne")
    with running(case.serve, {}) as server:
        paths = [{"path": f"/pair/{n}/0"} for n in range(WARM + count)]
        await open_all(server.url, paths[:WARM])
        before = resident_kib([server.pid])
        sockets, took = await open_all(server.url, paths[WARM:])
        return came(count, took) | await rest(server, before, sockets, seconds, None)


async def new(at: Stage, count: int) -> dict[str, float]:
    """Visitors who look and do not write."""
    queue, _agents = await asyncio.to_thread(office, "new", 1, 4)
    with running(START, at.environment) as server:
        people = [newcomer(queue.site) for _ in range(WARM + count)]
        await open_all(server.url, people[:WARM])
        before, used = resident_kib([server.pid]), cpu_seconds([server.pid])
        _sockets, took = await open_all(server.url, people[WARM:])
        used = cpu_seconds([server.pid]) - used
        return came(count, took, used) | {"kib": grown(server, before, count)}


async def product(at: Stage, count: int, seconds: float) -> dict[str, Any]:
    """Agents, then the customers whom they hold, each with a conversation."""
    agents, talks = await asyncio.to_thread(fill, count)
    people = [customer(each) for each in talks]
    # As after a cut: they were here a moment ago, and nobody misses them yet.
    await asyncio.to_thread(arrive, [each.customer_id for each in talks])
    with running(START, at.environment) as server:
        warm, _ = await open_all(server.url, [agents[0], people[0]])
        before = resident_kib([server.pid])
        used = cpu_seconds([server.pid])
        at_desks, took = await open_all(server.url, agents[1:])
        after = cpu_seconds([server.pid])
        measured = {"agents": came(len(at_desks), took, after - used)}
        here = [*warm, *at_desks]  # an agent who falls silent is lost, and all hear it
        alive = asyncio.create_task(stay(here))
        await asyncio.sleep(SETTLE_SECONDS)
        used = cpu_seconds([server.pid])
        customers, took = await open_all(server.url, people[1:])
        after = cpu_seconds([server.pid])
        measured["resuming"] = came(len(customers), took, after - used)
        alive.cancel()
        everybody = [*here, *customers]
        beside = {"postgres": at.postgres.pid, "valkey": at.valkey.pid}
        rested = await rest(server, before, everybody, seconds, beside)
        closed = sum(socket.closed for socket in everybody)
        return measured | rested | {"closed": closed}


def fill(count: int) -> tuple[list[dict[str, Any]], list[Any]]:
    """So many sockets in all, those to warm up with besides."""
    agents, talks = [], []
    number = max(1, count // (TALKS_AN_AGENT + 1))
    for first in range(0, number, A_QUEUE):
        here = min(A_QUEUE, number - first)
        queue, signed_in = office(f"idle-{first}", here, 500)
        agents += [agent(cookie) for _, cookie in signed_in]
        talks += pair_up(queue, signed_in, here * TALKS_AN_AGENT)
    return agents, talks


async def rest(
    server: Server,
    before: float,
    sockets: list[Any],
    seconds: float,
    beside: dict[str, int] | None,
) -> dict[str, float]:
    """What they cost at rest; with `beside`, they have a heartbeat."""
    alive = asyncio.create_task(stay(sockets if beside else []))
    # Until each has pinged after its welcome and may be expected to again.
    await asyncio.sleep(SETTLE_SECONDS + (seconds > PING_SECONDS) * PING_SECONDS)
    pids = {"server": server.pid, **(beside or {})}
    used = {name: cpu_seconds([pid]) for name, pid in pids.items()}
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    spent = {
        f"{name}_core": (cpu_seconds([pid]) - used[name]) / took
        for name, pid in pids.items()
    }
    alive.cancel()
    return {"sockets": len(sockets), "kib": grown(server, before, len(sockets))} | spent


def came(count: int, seconds: float, cpu: float = 0) -> dict[str, float]:
    return {
        "count": count,
        "a_second": count / seconds,
        "cpu_ms": 1000 * cpu / count,  # the server's, for each that came
    }


def grown(server: Server, before: float, count: int) -> float:
    return (resident_kib([server.pid]) - before) / count


if __name__ == "__main__":
    main()
