"""From rows to what frames carry: the one place that decides what a customer may
see of a conversation and what staff see besides."""

from .agents import ACTIVE, agent, agents, colleagues, is_active, load, loads, wrap_ups
from .conversations import (
    RELATED,
    TRANSFER,
    for_customer,
    for_staff,
    many_for_staff,
    waiting_for_customers,
)
from .lines import (
    LINE_ORDER,
    NO_TURN,
    PACE_SECONDS,
    Place,
    Turn,
    line,
    places,
    queues_with_line,
    turn,
    turns,
)
from .messages import (
    SYSTEM,
    Known,
    agent_names,
    limits,
    messages,
    page,
    pages_for_staff,
)
from .queues import availability, queue_open, queues_for_staff, stands_still

__all__ = [
    "ACTIVE",
    "LINE_ORDER",
    "NO_TURN",
    "PACE_SECONDS",
    "Known",
    "Place",
    "RELATED",
    "SYSTEM",
    "TRANSFER",
    "Turn",
    "agent",
    "agent_names",
    "agents",
    "availability",
    "colleagues",
    "for_customer",
    "for_staff",
    "is_active",
    "limits",
    "line",
    "load",
    "loads",
    "many_for_staff",
    "messages",
    "page",
    "pages_for_staff",
    "places",
    "queue_open",
    "queues_for_staff",
    "queues_with_line",
    "stands_still",
    "turn",
    "turns",
    "waiting_for_customers",
    "wrap_ups",
]
