"""Server processes that are killed, restarted or wrong about the time."""

from __future__ import annotations

import asyncio

from .faults import Scene, fault

DOWN_SECONDS = 1


@fault()
async def a_server_is_killed(scene: Scene) -> None:
    """Three times, at any point."""
    for _ in range(3):
        await kill_one(scene)
        await asyncio.sleep(scene.rng.uniform(0, 2))


async def kill_one(scene: Scene) -> None:
    process = scene.rng.choice(scene.house.processes)
    await process.kill()
    await asyncio.sleep(DOWN_SECONDS)
    await process.start()
