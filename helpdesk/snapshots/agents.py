"""Agents, as their colleagues see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db.models import Count, Max, Q

from .. import presence, protocol
from ..models import (
    Assignment,
    QueueMembership,
)
from ..written import Written
from .conversations import shown_time

if TYPE_CHECKING:
    from agents.models import Agent

ACTIVE = dt.timedelta(minutes=10)  # input since then counts as active


def agents(ids: Iterable[UUID], now: dt.datetime) -> list[protocol.Agent]:
    """In the order of their names."""
    found = _agents_by_name(ids)
    everybody = [each.pk for each in found]
    leased = loads(everybody, now)
    wrapping = wrap_ups(everybody, now)
    staffed = _queues_staffed(everybody)
    connected = presence.connected(everybody, now)
    return [
        protocol.Agent(
            id=str(each.pk),
            name=each.name,
            status=each.status,
            connected=each.pk in connected,
            active=each.pk in connected and is_active(each, now),
            load=leased.get(each.pk, 0),
            capacity=each.capacity,
            reason=each.status_reason or None,
            set_by=_agent_name(each.status_set_by),
            wrap_up_until=shown_time(wrapping.get(each.pk)),
            queues=staffed.get(each.pk, []),
        )
        for each in found
    ]


_agents_by_name = Written(
    lambda pks: (
        all_agents().filter(pk__in=pks).order_by("name").select_related("status_set_by")
    )
)


def _agent_name(row: Agent | None) -> protocol.AgentName | None:
    return protocol.AgentName(str(row.pk), row.name) if row else None


def _queues_staffed(agent_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    staffed: dict[UUID, list[str]] = {}
    for agent_id, queue_id in _memberships(agent_ids):
        staffed.setdefault(agent_id, []).append(str(queue_id))
    return staffed


_memberships = Written(
    lambda agent_ids: (
        QueueMembership.objects.filter(agent_id__in=agent_ids)
        .order_by("pk")
        .values_list("agent_id", "queue_id")
    )
)


def is_active(row: Agent, now: dt.datetime) -> bool:
    return row.active_at is not None and row.active_at > now - ACTIVE


def agent(row: Agent, now: dt.datetime) -> protocol.Agent:
    return agents([row.pk], now)[0]


def colleagues(agent_id: UUID) -> set[UUID]:
    """Everybody who shares a queue with the agent, and the agent."""
    return {agent_id, *_colleagues(agent_id)}


_colleagues = Written(
    lambda agent_id: (
        QueueMembership.objects.filter(queue__memberships__agent_id=agent_id)
        .order_by()
        .values_list("agent_id", flat=True)
        .distinct()
    )
)


def loads(agent_ids: Iterable[UUID], now: dt.datetime) -> dict[UUID, int]:
    """How many slots are leased: offers that ring, what is held, and what is being
    wrapped up. To decide on it, lock the agents' rows first."""
    return dict(_loads(now, agent_ids))


_loads = Written(
    lambda now, agent_ids: (
        Assignment.objects.filter(
            Q(ended_at=None) | Q(free_at__gt=now), agent_id__in=agent_ids
        )
        .order_by()
        .values_list("agent_id")
        .annotate(Count("pk"))
    )
)


def wrap_ups(agent_ids: Iterable[UUID], now: dt.datetime) -> dict[UUID, dt.datetime]:
    """Until when agents wrap up: the last of their slots that are not free yet."""
    return dict(_wrap_ups(now, agent_ids))


_wrap_ups = Written(
    lambda now, agent_ids: (
        Assignment.objects.filter(free_at__gt=now, agent_id__in=agent_ids)
        .order_by()
        .values_list("agent_id")
        .annotate(Max("free_at"))
    )
)


def load(agent_id: UUID, now: dt.datetime) -> int:
    return loads([agent_id], now).get(agent_id, 0)


def all_agents() -> Any:
    return apps.get_model("agents", "Agent").objects
