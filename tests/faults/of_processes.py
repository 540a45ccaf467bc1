"""Server processes that are killed, restarted or wrong about the time."""

from __future__ import annotations

import asyncio
import functools
import http.client
import json
import signal
from pathlib import Path

from .faults import Scene, fault
from .installation import Process, installed, installed_on_sqlite, until
from .sabotage import JUMPS_SECONDS, STRIKE

DOWN_SECONDS = 1
STRIKE_SECONDS = 30  # until somebody has posted
LEAVE_SECONDS = 8  # that a process may take to end


@fault()
async def a_server_is_killed(scene: Scene) -> None:
    """Three times, at any point."""
    for _ in range(3):
        await kill_one(scene)
        await asyncio.sleep(scene.rng.uniform(0, 2))


@fault(installed_on_sqlite)
async def the_sqlite_edition_is_killed(scene: Scene) -> None:
    for _ in range(3):
        await kill_one(scene)
        await asyncio.sleep(scene.rng.uniform(0, 3))


async def kill_one(scene: Scene) -> None:
    process = scene.rng.choice(scene.house.processes)
    await process.kill()
    await asyncio.sleep(DOWN_SECONDS)
    await process.start()


@fault(functools.partial(installed, bug="dies_after_commit"))
async def a_server_is_killed_between_commit_and_ack(scene: Scene) -> None:
    for number in range(4):
        process = scene.house.processes[number % 2]
        strike(process)
        await until(lambda which=process: not which.is_running, STRIKE_SECONDS)
        await process.start()
        await asyncio.sleep(1)


def strike(process: Process) -> None:
    Path(process.environment[STRIKE]).touch()


@fault(functools.partial(installed, bug="clock_jumps"))
async def one_hosts_clock_jumps(scene: Scene) -> None:
    """By an hour, two hours back, a day ahead and back to what it was."""
    for _ in JUMPS_SECONDS:
        scene.house.processes[0].signal(signal.SIGUSR1)
        await asyncio.sleep(4)


# --- a new version


@fault()
async def a_rolling_restart(scene: Scene) -> None:
    """One after the other, while the road leads to the other one: every socket hears
    `bye`, and no request fails."""
    one, other = scene.house.processes
    one.proxy.otherwise, other.proxy.otherwise = other.port, one.port
    asking = asyncio.create_task(ask_without_end(scene))
    try:
        for process in (one, other):
            await leave_politely(scene, process)
            await process.start()
            await asyncio.sleep(2)
    finally:
        asking.cancel()


async def leave_politely(scene: Scene, process: Process) -> None:
    here = [t for t in scene.workload.tabs if t.road is process.proxy and t.socket]
    told = {tab.name: tab.byes for tab in here}
    began = asyncio.get_running_loop().time()
    status = await process.stop()
    took = asyncio.get_running_loop().time() - began
    if status or took > LEAVE_SECONDS:
        scene.wrong(f"a server left with {status} after {took:.1f} s")
    await asyncio.sleep(0.5)
    silent = [tab.name for tab in here if tab.byes == told[tab.name]]
    # Some break by themselves at any time (workload.reset_share).
    if len(silent) > 1 + len(here) // 4:
        scene.wrong(f"no goodbye to {', '.join(silent)}")


async def ask_without_end(scene: Scene) -> None:
    """Long polls that do not wait, one after the other."""
    while True:
        for road in scene.house.roads:
            status = await asyncio.to_thread(poll, road.url)
            if status != 200:
                scene.wrong(f"a request failed: {status}")
        await asyncio.sleep(0.05)


def poll(url: str) -> int | str:
    """The status of a newcomer's poll, or what came instead."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=15)
    body = json.dumps({"hello": {}, "frames": [], "after": 0})
    words = {"Origin": "https://shop.example", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/widget/shop/poll/", body, words)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
