"""A database that stands still slows what needs it, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.db import connection
from websockets.exceptions import ConnectionClosed

from helpdesk import consumers
from tests.attackers.memory import megabytes
from tests.live import ServerProcess
from tests.shop import Shop, stored

Start = Callable[..., ServerProcess]


def backends_of(name: str) -> list[int]:
    """Of the processes that call themselves so."""
    asked = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    with connection.cursor() as cursor:
        cursor.execute(asked, [name])
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def standing_still(backends: list[int]) -> Iterator[None]:
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)


PAUSE_SECONDS = 4
BIG = '{"type":"history.get","id":"12345678","x":"%s"}' % ("x" * 60_000)


async def test_while_the_database_stands_still_pings_are_answered_and_nothing_piles_up(
    shop: Shop, server_process: Start
) -> None:
    there = server_process(PGAPPNAME="attacked")
    cora, mallory = await shop.customer(at=there), await shop.customer(at=there)
    await cora.starts()
    await mallory.starts()
    before = megabytes(there)
    slowest = 0.0

    async def flood() -> None:
        for _ in range(1_000):
            await mallory.send(BIG)

    backends = await stored(backends_of, "attacked")
    assert backends
    with standing_still(backends):
        flooding = asyncio.create_task(flood())
        end = time.monotonic() + PAUSE_SECONDS
        while time.monotonic() < end:
            asked = time.monotonic()
            await cora.heard_so_far()
            slowest = max(slowest, time.monotonic() - asked)
            await asyncio.sleep(0.1)
        assert slowest < 2
        assert not flooding.done()  # she is not read meanwhile
        assert megabytes(there) < before + 24
    assert await mallory.closed() == consumers.TOO_FAST
    with suppress(ConnectionClosed):
        await flooding
    assert (await cora.posts("Still here"))["type"] == "ack"
