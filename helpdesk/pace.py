"""How long a wait may be: pure, from when a queue has handed out its latest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

SAMPLES = 20  # hand-outs that the estimate looks back on, at most
FEWEST_SAMPLES = 5  # below it nothing is said


def wait_range(
    position: int, handed_out: Sequence[dt.datetime], now: dt.datetime
) -> tuple[int, int] | None:
    """Between how many and how many seconds somebody at `position` may wait, from the
    queue's own recent hand-outs. The time since the last one counts as well, so that
    a line that stands still does not promise the pace of an hour ago."""
    recent = sorted(handed_out)[-SAMPLES:]
    if len(recent) < FEWEST_SAMPLES:
        return None
    span = (now - recent[0]).total_seconds()
    expected = position * span / len(recent)
    return int(expected * 0.7), int(expected * 1.4) + 1
