"""Whether somebody runs the clock: every look at it is noted where all processes see
it, and forgotten when none follows. Only the doctor asks."""

from __future__ import annotations

import logging

from django.core.cache import cache

KEY = "clock"
FORGOTTEN_SECONDS = 60  # a look takes place each five

log = logging.getLogger(__name__)


def beat() -> None:
    """The clock was looked at. Never fails: it goes on without its pulse."""
    try:
        cache.set(KEY, True, FORGOTTEN_SECONDS)
    except Exception as error:  # noqa: BLE001 (any fault of any cache)
        log.warning("The clock's pulse is not stored: %r", error)


def beats() -> bool:
    return cache.get(KEY) is not None
