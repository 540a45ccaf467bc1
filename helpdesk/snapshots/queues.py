"""Queues, as their members see them, and whether they take anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q

from .. import hours, presence, protocol
from ..database import db_now
from ..models import Conversation, Holiday, OpeningSlot, Queue, QueueMembership
from ..written import Written
from .agents import all_agents, loads
from .lines import line


def queues_for_staff(
    queue_ids: Iterable[int], now: dt.datetime
) -> list[protocol.StaffQueue]:
    ids = tuple(queue_ids)
    queues = _queues(ids)
    opened = open_queues(queues, now)
    lines, talks = _lines(ids), dict(_talks(ids))
    staffed = _staffed(ids, now)
    shown = []
    for queue in queues:
        waiting, longest = lines.get(queue.pk, (0, None))
        shown.append(
            protocol.StaffQueue(
                id=str(queue.pk),
                name=queue.name,
                open=queue.pk in opened,
                waiting=waiting,
                active=talks.get(queue.pk, 0),
                longest_wait_seconds=_seconds(longest, now),
                staffed=staffed.get(queue.pk, 0),
                stands_still=stands_still(queue, longest, now) or None,
            )
        )
    return shown


_queues = Written(lambda pks: Queue.objects.filter(pk__in=pks))


def _lines(queue_ids: Sequence[int]) -> dict[int, tuple[int, dt.datetime]]:
    """How many wait in each queue, and since when the first of them. Like what is
    counted beside it, this looks at open conversations alone: of those that have
    ended there may be millions."""
    return {queue: (many, longest) for queue, many, longest in _counted(queue_ids)}


_counted = Written(
    lambda queue_ids: (
        line(queue_ids)
        .order_by()
        .values_list("queue_id")
        .annotate(Count("pk"), Min("waiting_since"))
    )
)


_talks = Written(
    lambda queue_ids: (
        Conversation.objects.filter(state="active", queue_id__in=queue_ids)
        .order_by()
        .values_list("queue_id")
        .annotate(Count("pk"))
    )
)


def availability(queues: Iterable[int], opened: Collection[int]) -> str:
    """Of these queues, for customers: "open" when an accepting agent is here with room,
    "busy" when there is a wait, "closed" when none of them is among the `opened`."""
    wanted = [queue for queue in queues if queue in opened]
    if not wanted:
        return "closed"
    now = db_now()
    capacities = dict(_capacities(wanted))
    leased = loads(capacities, now)
    here = presence.connected(capacities, now)
    room = any(leased.get(each, 0) < capacities[each] for each in here)
    return "open" if room else "busy"


_capacities = Written(
    lambda queue_ids: (
        all_agents()
        .filter(status="online", memberships__queue_id__in=queue_ids)
        .order_by()
        .values_list("pk", "capacity")
    )
)


def stands_still(queue: Queue, longest: dt.datetime | None, now: dt.datetime) -> bool:
    """Somebody has waited, and nobody was handed out, for the queue's alert time."""
    since = now - dt.timedelta(seconds=queue.alert_after_seconds)
    if longest is None or longest >= since:
        return False
    # What ended before was handed out before; each of the three has its index.
    handed_out = (
        Q(state="waiting") | Q(state="active") | Q(state="ended", ended_at__gte=since)
    )
    return not queue.conversations.filter(handed_out, started_at__gte=since).exists()


def queue_open(queue: Queue, now: dt.datetime) -> bool:
    """By its switch, its opening hours and its holidays, in its time zone."""
    return queue.pk in open_queues([queue], now)


def open_queues(queues: Iterable[Queue], now: dt.datetime) -> set[int]:
    """Which of them are open."""
    switched_on = [queue for queue in queues if queue.is_open]
    ids = [queue.pk for queue in switched_on]
    slots: dict[int, list[hours.Slot]] = {}
    for queue_id, weekday, opens, closes in _slots(ids):
        slots.setdefault(queue_id, []).append(hours.Slot(weekday, opens, closes))
    holidays: dict[int, set[dt.date]] = {}
    for queue_id, date in _holidays(ids):
        holidays.setdefault(queue_id, set()).add(date)
    return {
        queue.pk
        for queue in switched_on
        if hours.is_open(
            now.astimezone(ZoneInfo(queue.time_zone)),
            slots.get(queue.pk, []),
            holidays.get(queue.pk, set()),
        )
    }


_slots = Written(
    lambda queue_ids: OpeningSlot.objects.filter(queue_id__in=queue_ids).values_list(
        "queue_id", "weekday", "opens", "closes"
    )
)
_holidays = Written(
    lambda queue_ids: Holiday.objects.filter(queue_id__in=queue_ids).values_list(
        "queue_id", "date"
    )
)


def _staffed(queue_ids: Iterable[int], now: dt.datetime) -> dict[int, int]:
    """How many accepting agents are connected, by queue."""
    pairs = _accepting(queue_ids)
    connected = presence.connected({agent_id for _, agent_id in pairs}, now)
    counts: dict[int, int] = {}
    for queue_id, agent_id in pairs:
        counts[queue_id] = counts.get(queue_id, 0) + (agent_id in connected)
    return counts


_accepting = Written(
    lambda queue_ids: QueueMembership.objects.filter(
        queue_id__in=queue_ids, agent__status="online"
    ).values_list("queue_id", "agent_id")
)


def _seconds(since: dt.datetime | None, now: dt.datetime) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0
