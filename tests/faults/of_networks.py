"""What lies between the people and the desk."""

from __future__ import annotations

import asyncio

from .faults import Scene, fault


@fault()
async def connections_are_cut(scene: Scene) -> None:
    """Reset, all at once and then again some, in the middle of anything."""
    for share in (1.0, 0.5, 0.5):
        for road in scene.house.roads:
            road.cut(share, scene.rng)
        await asyncio.sleep(1)


@fault()
async def connections_are_half_closed(scene: Scene) -> None:
    """The desk's side says that nothing more will come, and the client's side stays."""
    for road in scene.house.roads:
        road.half_close()
    await asyncio.sleep(1)


@fault()
async def the_network_is_slow(scene: Scene) -> None:
    """Over TCP, loss and reordering show as delay and as stalls."""
    for _ in range(6):
        for road in scene.house.roads:
            road.delay = scene.rng.choice((0.05, 0.2, 0.8))
        await asyncio.sleep(1)
        for road in scene.house.roads:
            road.stall()
        await asyncio.sleep(scene.rng.uniform(0.2, 2))
        for road in scene.house.roads:
            road.mend()


async def down_for(scene: Scene, seconds: float) -> None:
    """What was sent meanwhile is sent again by TCP, and all of it arrives at last."""
    for road in scene.house.roads:
        road.stall()
    await asyncio.sleep(seconds)
    for road in scene.house.roads:
        road.mend()


@fault()
async def the_network_is_down_5_s(scene: Scene) -> None:
    await down_for(scene, 5)


@fault()
async def the_network_is_down_30_s(scene: Scene) -> None:
    await down_for(scene, 30)


@fault()
async def the_network_is_down_90_s(scene: Scene) -> None:
    await down_for(scene, 90)


@fault()
async def connections_are_half_open(scene: Scene) -> None:
    """One side has forgotten them and the other does not know: a laptop that slept, a
    router that was replaced. Both have to find out by silence."""
    for road in scene.house.roads:
        road.unplug()
    await asyncio.sleep(5)
    for road in scene.house.roads:
        road.mend()


@fault()
async def a_laptop_sleeps(scene: Scene) -> None:
    """Longer than the desk waits for a word; then what it had been sent is read."""
    road = scene.house.roads[0]
    road.stall()
    await asyncio.sleep(60)
    road.mend()
