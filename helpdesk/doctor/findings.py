"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    WELL = "ok"
    POOR = "warning"
    ILL = "FAILED"


@dataclass(frozen=True)
class Finding:
    """`mend` is one line for each way of mending it."""

    what: str
    state: State = State.WELL
    why: str = ""
    mend: tuple[str, ...] = ()


def well(what: str, why: str = "") -> Finding:
    return Finding(what, State.WELL, why)


def poor(what: str, why: str, *mend: str) -> Finding:
    return Finding(what, State.POOR, why, mend)


def ill(what: str, why: str, *mend: str) -> Finding:
    return Finding(what, State.ILL, why, mend)
