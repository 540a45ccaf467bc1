"""When a queue is open: pure, on a local time and the slots of a week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """From `opens` to `closes` on a weekday (Monday is 0). One that does not end
    later than it begins ends on the next day: 22:00–02:00, or 00:00–00:00 for a
    whole day."""

    weekday: int
    opens: dt.time
    closes: dt.time


def is_open(
    local: dt.datetime, slots: Collection[Slot], holidays: Collection[dt.date]
) -> bool:
    """A queue without slots is open on every day that is no holiday. A night slot
    that began before a holiday still ends in it."""
    if not slots:
        return local.date() not in holidays
    yesterday = local.date() - dt.timedelta(days=1)
    return any(
        _covers(slot, local.date(), local, holidays)
        or _covers(slot, yesterday, local, holidays)
        for slot in slots
    )


def _covers(
    slot: Slot, day: dt.date, local: dt.datetime, holidays: Collection[dt.date]
) -> bool:
    """Whether the slot, begun on `day`, is running."""
    if slot.weekday != day.weekday() or day in holidays:
        return False
    begin = dt.datetime.combine(day, slot.opens)
    end = dt.datetime.combine(day, slot.closes)
    if end <= begin:
        end += dt.timedelta(days=1)
    return begin <= local.replace(tzinfo=None) < end
