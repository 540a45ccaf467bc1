"""Every fault by its name, and how one is lived through."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from . import installation
from .checking import check, recovery_seconds
from .disks import CannotMount
from .history import Failure, History, Marked, Sent
from .installation import Installation, Services
from .workload import Workload

WARM_UP_SECONDS = 4
HERE_AGAIN_SECONDS = 60  # after the healing; then a tab counts as lost

House = AbstractAsyncContextManager[Installation]
Happens = Callable[["Scene"], Awaitable[None]]


class Scene:
    """What a fault is given: where it happens, who is there, and chance."""

    def __init__(
        self, house: Installation, workload: Workload, history: History, seed: str
    ) -> None:
        self.house = house
        self.workload = workload
        self.history = history
        self.rng = random.Random(f"{seed} strikes")

    def wrong(self, what: str) -> None:
        self.history.add(Failure(what=what))


class Fault(NamedTuple):
    name: str
    happens: Happens
    house: Callable[[Services], House]
    workload: dict[str, float]


FAULTS: dict[str, Fault] = {}


def fault(
    house: Callable[[Services], House] = installation.installed, **workload: float
) -> Callable[[Happens], Happens]:
    """Register what follows under its own name. It returns when all is healed."""

    def register(happens: Happens) -> Happens:
        name = happens.__name__.replace("_", " ")
        FAULTS[name] = Fault(name, happens, house, workload)
        return happens

    return register


class Result(NamedTuple):
    fault: str
    seed: str
    seconds: float
    messages: int
    lost: int
    doubled: int
    out_of_order: int
    recovery: float | None
    found: dict[str, list[str]]
    history: History


async def live_through(
    services: Services, name: str, seed: str, seconds: float
) -> Result:
    """The fault, `seconds` of ordinary life after it, and the judgement."""
    fault = FAULTS[name]
    began = time.monotonic()
    history = History(fault=name, seed=seed)
    try:
        async with fault.house(services) as house:
            await live(house, history, seed, seconds, fault)
    except CannotMount as error:
        history.add(Failure(what=f"not tried: {error}"))
    return judge(history, time.monotonic() - began)


async def live(
    house: Installation, history: History, seed: str, seconds: float, fault: Fault
) -> None:
    workload = Workload(house, history, seed, **fault.workload)  # type: ignore[arg-type]
    try:
        await workload.begin()
        await asyncio.sleep(WARM_UP_SECONDS)
        await workload.measure("before")
        history.add(Marked(what="fault"))
        await fault.happens(Scene(house, workload, history, seed))
        history.add(Marked(what="healed"))
        try:
            await workload.everybody_is_here(HERE_AGAIN_SECONDS)
        except TimeoutError:
            gone = [tab.name for tab in workload.tabs if not tab.welcomed.is_set()]
            history.add(Failure(what=f"not back after a minute: {', '.join(gone)}"))
        await asyncio.sleep(seconds)
        await workload.finish()
    finally:
        await workload.close()


def judge(history: History, seconds: float) -> Result:
    found = check(history)

    def count(*names: str) -> int:
        return sum(len(found.get(name, ())) for name in names)

    return Result(
        fault=history.fault,
        seed=history.seed,
        seconds=seconds,
        messages=len({each.id for each in history.all(Sent)}),
        lost=count("I1", "I6"),
        doubled=count("I2"),
        out_of_order=count("I3", "I5"),
        recovery=recovery_seconds(history),
        found=found,
        history=history,
    )


async def _nothing(scene: Scene) -> None:
    """What the same workload looks like when nothing breaks."""


NOTHING = Fault("nothing", _nothing, installation.installed, {})
FAULTS[NOTHING.name] = NOTHING
