"""The database and the broker: gone, slow, full, or back as they were before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterable

from .faults import Scene, fault
from .installation import family, until

# --- the broker


@fault()
async def the_broker_restarts(scene: Scene) -> None:
    scene.house.valkey.kill()
    await asyncio.sleep(1)
    await scene.house.restart(scene.house.valkey)


@fault()
async def the_broker_is_paused_8_s(scene: Scene) -> None:
    async with paused([scene.house.valkey.child.process.pid]):
        await asyncio.sleep(8)


# --- the database


@fault()
async def the_database_crashes_three_times(scene: Scene) -> None:
    """Twice one backend is killed, on which all start anew; then everything is."""
    for _ in range(2):
        await kill_a_backend(scene)
        await asyncio.sleep(scene.rng.uniform(2, 4))
    await kill_the_database(scene)


async def kill_a_backend(scene: Scene) -> None:
    """Any that works for the desk."""
    found = await scene.house.ledger.query(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    os.kill(scene.rng.choice(found)[0], signal.SIGKILL)
    await until(scene.house.postgres.ready)


async def kill_the_database(scene: Scene) -> None:
    postgres = scene.house.postgres
    everybody = family(postgres.child.process.pid)
    for pid in everybody:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    postgres.child.process.wait()
    await until(lambda: not any(is_alive(pid) for pid in everybody[1:]))
    await asyncio.sleep(1)
    await scene.house.restart(postgres)


@fault()
async def the_database_is_paused_10_s(scene: Scene) -> None:
    """Meanwhile pings are answered, which nobody needs a database for."""
    tab = next(each for each in scene.workload.customers if each.welcomed.is_set())
    async with paused(family(scene.house.postgres.child.process.pid)):
        worst = await slowest_pong(scene, 10)
    if worst > 2:
        scene.wrong(f"a ping of {tab.name} took {worst:.1f} s")


async def slowest_pong(scene: Scene, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while loop.time() < end:
        for tab in scene.workload.tabs:
            if tab.welcomed.is_set():
                worst = max(worst, await tab.pong_seconds())
        await asyncio.sleep(0.3)
    return worst


# --- processes that stand still


@contextlib.asynccontextmanager
async def paused(pids: Iterable[int]) -> AsyncIterator[None]:
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
