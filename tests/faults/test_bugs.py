"""The checker is checked: each of five bugs, in a running desk, is noticed, and the
same workload without one comes out clean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from .bugs import BUGS
from .checking import INVARIANTS
from .history import History
from .installation import Installation, Services, installed, until_async
from .workload import Workload

CAUGHT_SECONDS = 60  # usually a few
WITHOUT_SECONDS = 8
CATCHERS = sorted({each for bug in BUGS.values() for each in bug.caught_by})


@asynccontextmanager
async def working(house: Installation) -> AsyncIterator[History]:
    history = History(seed="bugs")
    workload = Workload(house, history, history.seed, reset_share=0.2)
    try:
        await workload.begin()
        yield history
    finally:
        await workload.close()


async def so_far(house: Installation, history: History) -> History:
    """The database is read after what people did and heard: it may know of more."""
    seen = History(events=list(history.events))
    await house.ledger.read(seen)
    return seen


@pytest.mark.parametrize("name", BUGS)
async def test_a_bug_is_caught(services: Services, name: str) -> None:
    bug = BUGS[name]
    async with (
        installed(services, bug=bug.what, sql=bug.sql) as house,
        working(house) as history,
    ):

        async def is_caught() -> bool:
            seen = await so_far(house, history)
            return any(any(INVARIANTS[each](seen)) for each in bug.caught_by)

        await until_async(is_caught, CAUGHT_SECONDS)


async def test_without_a_bug_nothing_is(services: Services) -> None:
    async with installed(services) as house, working(house) as history:
        await asyncio.sleep(WITHOUT_SECONDS)
        seen = await so_far(house, history)
        assert {each: list(INVARIANTS[each](seen)) for each in CATCHERS} == {
            each: [] for each in CATCHERS
        }
        assert len(seen.rows) > 20
