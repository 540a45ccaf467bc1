"""A conversation, as its customer and as staff may see it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .. import presence, protocol
from ..models import (
    Conversation,
)
from ..protocol import wire_time
from .lines import NO_TURN, Turn, turns_of

if TYPE_CHECKING:
    from customers.models import Customer

TRANSFER = "pending_transfer"
RELATED = ("queue", "agent", "customer", "site", "pending_transfer__by")


def for_customer(
    conversation: Conversation, turn: Turn = NO_TURN
) -> protocol.Conversation:
    return protocol.Conversation(**_public(conversation, turn))


def for_staff(
    conversation: Conversation, turn: Turn = NO_TURN, online: bool = False
) -> protocol.StaffConversation:
    return protocol.StaffConversation(
        **_public(conversation, turn),
        notes=conversation.notes,
        customer=_staff_customer(conversation.customer, online),
        tags=list(conversation.tags),
        why=conversation.why,
        because=conversation.because,
        transfer=_transfer(conversation),
        gone_since=None if online else shown_time(conversation.customer_gone_at),
    )


def _transfer(conversation: Conversation) -> protocol.PendingTransfer | None:
    pending = getattr(conversation, TRANSFER, None)
    if pending is None:
        return None
    to = (
        {"queue": str(pending.to_queue_id)}
        if pending.to_queue_id
        else {"agent": str(pending.to_agent_id)}
    )
    by = protocol.AgentName(str(pending.by_id), pending.by.name)
    return protocol.PendingTransfer(to, by, pending.note)


def many_for_staff(
    conversations: Sequence[Conversation],
) -> list[protocol.StaffConversation]:
    line = turns_of(conversations)
    online = presence.connected({each.customer_id for each in conversations})
    return [
        for_staff(each, line.get(each.pk, NO_TURN), each.customer_id in online)
        for each in conversations
    ]


def waiting_for_customers(ids: Iterable[UUID]) -> dict[UUID, protocol.Conversation]:
    """Without a place yet."""
    found = Conversation.objects.select_related(*RELATED).filter(
        pk__in=tuple(ids), state=Conversation.State.WAITING
    )
    return {each.pk: for_customer(each) for each in found}


def _public(conversation: Conversation, turn: Turn) -> dict[str, Any]:
    agent = conversation.agent
    return {
        "id": str(conversation.pk),
        "version": conversation.version,
        "site": conversation.site.key,
        "queue": protocol.QueueName(
            str(conversation.queue_id), conversation.queue.name
        ),
        "state": conversation.state,
        "outcome": conversation.outcome or None,
        "agent": protocol.AgentName(str(agent.pk), agent.name) if agent else None,
        "position": turn.position,
        "wait_seconds": turn.wait,
        "seq": conversation.seq,
        "read": protocol.Read(
            conversation.read_by_customer, conversation.read_by_agent
        ),
        "rating": conversation.rating,
        "left": conversation.left or None,
        "created_at": wire_time(conversation.created_at),
        "started_at": shown_time(conversation.started_at),
        "ended_at": shown_time(conversation.ended_at),
    }


def _staff_customer(customer: Customer, online: bool) -> protocol.StaffCustomer:
    return protocol.StaffCustomer(
        id=str(customer.pk),
        name=customer.name,
        email=customer.email or None,
        verified=customer.verified,
        page=customer.page,
        locale=customer.locale,
        fields=customer.fields,
        online=online,
        browser=customer.user_agent or None,
    )


def shown_time(at: dt.datetime | None) -> str | None:
    return wire_time(at) if at else None
