"""What the server processes use, from Linux's /proc and the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.processes import cpu_seconds

from .installation import Installation


async def usage(house: Installation) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, process in enumerate(house.processes):
        found[f"server {number} memory MiB"] = memory(process.pid)
        found[f"server {number} descriptors"] = descriptors(process.pid)
    connections = await house.ledger.connections()
    if connections is not None:
        found["connections"] = connections
    return found


async def cores_used(house: Installation, seconds: float = 5) -> dict[str, float]:
    """By each server process, of one core, over some seconds."""
    before = [cpu_seconds([each.pid]) for each in house.processes]
    await asyncio.sleep(seconds)
    return {
        f"server {number} cores": (cpu_seconds([each.pid]) - used) / seconds
        for number, (each, used) in enumerate(zip(house.processes, before, strict=True))
    }


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> float:
    """MiB of its own: shared libraries are not counted again for each process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0
