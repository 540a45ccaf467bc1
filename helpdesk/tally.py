"""What this process has counted since it started (metrics.py shows it). Plain numbers:
one of them is raised for every frame, and a metrics library's counter with labels
costs as much as reading the frame does.

They are raised on the event loop and read from other threads; a number that is missed
by one does no harm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
POSTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Histogram:
    """How many values were how large."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds  # ascending; a value belongs to the first not below it
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def take(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Tally:
    """Codes come from our own lists, never from a client: each is kept for ever."""

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.handshakes_refused: Counter[str] = Counter()  # by close code
        self.closed: Counter[str] = Counter()  # by close code, or "client"
        self.refused: Counter[str] = Counter()  # by the refusal's code
        self.commit_seconds = Histogram(SECONDS)
        self.commit_posts = Histogram(POSTS)
        self.commits_failed = 0
        self.post_seconds = Histogram(SECONDS)
        self.delivery_seconds = Histogram(SECONDS)
        self.events_lost = 0
        self.repairs = 0


tally = Tally()
