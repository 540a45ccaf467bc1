"""What the server processes use, from Linux's /proc and the database."""

from __future__ import annotations

from pathlib import Path

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


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> float:
    """MiB of its own: shared libraries are not counted again for each process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0
