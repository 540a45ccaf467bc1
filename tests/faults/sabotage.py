"""What happens to a server process from within: faults that nobody outside can time.
Only launcher.py calls these."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from types import FrameType
from typing import Any

STRIKE = "FAULTS_STRIKE"  # a file; once it is there, the next time is the last
JUMPS_SECONDS = (3600, -7200, 86_400, 0)


def dies_after_commit() -> None:
    """Killed when the posts are on disk and nobody has been told."""
    from helpdesk.writer import postgres

    commit = postgres.Postgres.commit
    strike = os.environ[STRIKE]

    async def commit_and_die(self: Any, *args: Any, **words: Any) -> Any:
        answers = await commit(self, *args, **words)
        if os.access(strike, os.F_OK):
            os.unlink(strike)
            os.kill(os.getpid(), signal.SIGKILL)
        return answers

    postgres.Postgres.commit = commit_and_die  # type: ignore[method-assign]


def clock_jumps() -> None:
    """With each SIGUSR1 this host's clock is off by another amount."""
    from django.utils import timezone

    own, own_ns, own_now = time.time, time.time_ns, timezone.now
    off = 0

    def jump(number: int, frame: FrameType | None) -> None:
        nonlocal off
        position = JUMPS_SECONDS.index(off) if off in JUMPS_SECONDS else -1
        off = JUMPS_SECONDS[(position + 1) % len(JUMPS_SECONDS)]

    signal.signal(signal.SIGUSR1, jump)
    time.time = lambda: own() + off
    time.time_ns = lambda: own_ns() + off * 10**9
    timezone.now = lambda: own_now() + timedelta(seconds=off)
