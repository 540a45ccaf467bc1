"""The cheapest faults, one after the other on one desk; `make faults` has all of them,
each alone and for longer."""

from __future__ import annotations

import asyncio
import time

from .faults import Fault, Scene, judge, live
from .history import History
from .installation import Services, installed
from .of_networks import connections_are_cut, connections_are_half_closed
from .of_processes import kill_one
from .of_services import kill_a_backend, the_broker_restarts

SECONDS = 1
RECOVERY_SECONDS = 60  # generous: the promise is 30, on a machine that is not so busy


async def short_set(scene: Scene) -> None:
    for happens in (
        connections_are_cut,
        the_broker_restarts,
        connections_are_half_closed,
        kill_a_backend,
        kill_one,
    ):
        await happens(scene)
        await asyncio.sleep(SECONDS)


async def test_nothing_is_lost(services: Services) -> None:
    history = History(fault="the short set", seed="short")
    fault = Fault(history.fault, short_set, installed, {})
    began = time.monotonic()
    async with installed(services) as house:
        await live(house, history, history.seed, SECONDS, fault)
    result = judge(history, time.monotonic() - began)
    assert result.found == {}
    assert result.messages > 20
    assert result.recovery is not None
    assert result.recovery < RECOVERY_SECONDS
