"""What processes use, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of these processes and their children, also those that have ended."""
    return sum(_ticks(pid) for parent in pids for pid in family(parent)) / TICKS


def loop_seconds(pids: Iterable[int]) -> float:
    """Of the main threads alone, which run the event loops."""
    return sum(_ticks(pid, f"task/{pid}/stat") for pid in pids) / TICKS


def resident_kib(pids: Iterable[int]) -> float:
    """What is their own: shared libraries are not counted again for each."""
    return sum(_rollup(pid, "Pss:") for pid in pids)


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def _ticks(pid: int, name: str = "stat") -> int:
    try:
        words = Path(f"/proc/{pid}/{name}").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(map(int, words[11:15]))  # utime, stime, cutime, cstime


def _rollup(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return float(line.split()[1])
    return 0
