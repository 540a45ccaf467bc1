"""Token buckets for a public door. They are this process's: with several processes
a limit may be reached several times over, which is fine for what they are for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable

from django.conf import settings

from .errors import RateLimited

BUCKETS = 50_000  # a kind; beyond it the longest unused is forgotten


class Bucket:
    """`rate` tokens a second, at most `burst` saved up."""

    __slots__ = ("at", "burst", "rate", "tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.at: float | None = None

    def take(self, now: float) -> bool:
        """`now` in seconds of any clock that does not go back."""
        if self.at is not None:
            grown = self.tokens + (now - self.at) * self.rate
            self.tokens = min(self.burst, grown)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        self.tokens = min(self.burst, self.tokens + 1)

    def retry_ms(self) -> int:
        """When there will be a token again."""
        return max(50, int((1 - self.tokens) / self.rate * 1000) + 1)


class Limit:
    """A bucket for each key: a customer, an agent, a network address."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def take(self, key: Hashable) -> Bucket:
        """Take a token; returns the bucket, so that it can be given back. Raises
        RateLimited with the time to wait."""
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst)
        self._buckets[key] = bucket
        if len(self._buckets) > BUCKETS:
            self._buckets.popitem(last=False)
        if not bucket.take(time.monotonic()) and settings.HELPDESK_LIMITS:
            raise RateLimited(retry_ms=bucket.retry_ms())
        return bucket


HOUR = 3600
customer_posts = Limit(2, 30)
agent_posts = Limit(5, 30)
customer_starts = Limit(10 / HOUR, 10)
address_starts = Limit(200 / HOUR, 200)
polls = Limit(5, 60)
uploads = Limit(0.5, 20)
resumes = Limit(0.2, 20)
address_uploads = Limit(5, 100)  # an office shares one
# Typing, read marks and history: what no ack or commit slows down.
asides = Limit(10, 60)
