"""Offers: they ring until accepted, declined or lapsed, or are withdrawn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from .. import conversations, hub, protocol, reasons, snapshots
from ..database import Outdated, db_now
from ..errors import AlreadyTaken, ConversationUnknown, OfferLapsed
from ..models import Assignment, Conversation
from ..written import Written
from . import holding
from .transfers import come_back, complete

if TYPE_CHECKING:
    from agents.models import Agent

LAPSES_TO_AWAY = 2  # in a row
TYPING_SECONDS = 5  # what one typing frame holds the clock for, at most
PAUSED_SECONDS = 120  # that typing can hold it in all
PASSED: dict[str, Callable[[str], reasons.Because]] = {
    "declined": reasons.OfferDeclined,
    "lapsed": reasons.OfferLapsed,
    "missed": reasons.OfferMissed,
}


def make(conversation: Conversation, agent: Agent, because: reasons.Because) -> None:
    """Ring; takes a slot of the agent. Both rows are locked."""
    now = db_now()
    seconds = conversation.queue.ring_seconds
    # Take the seat before the offer rings. Crash in between: a seat is idle until the
    # offer lapses. The other order: two customers in one chair.
    Assignment.objects.create(
        conversation=conversation,
        agent=agent,
        kind=Assignment.Kind.OFFER,
        because=because,
        started_at=now,
        lapses_at=now + dt.timedelta(seconds=seconds),
        cycle=conversation.cycle,
    )
    holding.agents().filter(pk=agent.pk).update(assigned_at=now)
    conversations.change(conversation, because=because, cycle=conversation.cycle)
    (shown,) = snapshots.many_for_staff([conversation])
    offer = protocol.OfferMade(shown, seconds, shown.why, because)
    frame = protocol.encode(offer)
    hub.announce(hub.Event((f"agent.{agent.pk}",), frame))
    conversations.tell(conversation)


def accept(agent: Agent, frame: protocol.OfferAccept) -> protocol.Frame:
    """Raises ConversationUnknown, AlreadyTaken (telling by whom), OfferLapsed."""
    agent, conversation, offer = _offered(agent, frame.conversation)
    if offer.lapses_at and offer.lapses_at <= db_now():
        raise OfferLapsed
    _end(offer, "accepted")
    holding.agents().filter(pk=agent.pk).update(lapses=0)
    if conversations.pending_transfer(conversation):
        complete(conversation, agent, reasons.TransferAccepted(agent.name))
    else:
        holding.assign(conversation, agent, _with_asked(conversation, offer, agent))
    conversations.tell_agent(agent)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def _with_asked(
    conversation: Conversation, offer: Assignment, agent: Agent
) -> reasons.Because:
    """Why it was offered, and who was asked before and did not take it."""
    passed = conversation.assignments.filter(
        kind=Assignment.Kind.OFFER, ended_why__in=("declined", "lapsed")
    )
    asked = tuple(
        reasons.Asked(each.agent.name, each.ended_why)
        for each in passed.select_related("agent").order_by("started_at")
    )
    if isinstance(offer.because, reasons.Chosen):
        return msgspec.structs.replace(offer.because, asked=asked)
    return offer.because or reasons.TransferAccepted(agent.name)


def decline(agent: Agent, frame: protocol.OfferDecline) -> protocol.Frame:
    """The next agent is asked; a transfer to this agent comes back. Raises as
    `accept`."""
    agent, conversation, offer = _offered(agent, frame.conversation)
    _pass(conversation, offer, "declined")
    holding.agents().filter(pk=agent.pk).update(lapses=0)
    conversations.tell_agent(agent)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def _offered(agent: Agent, wanted: str) -> tuple[Agent, Conversation, Assignment]:
    """The ringing offer, with agent and conversation locked."""
    found = conversations.find(wanted)
    if found is None:
        raise ConversationUnknown
    # A transfer will free the old holder's slot.
    conversations.lock_agents(agent.pk, found.agent_id)
    agent = holding.agents().get(pk=agent.pk)
    conversation = conversations.locked(found.pk)
    offer = ringing(conversation).filter(agent=agent).first()
    if offer is None:
        holder = conversation.agent
        if holder and holder.pk != agent.pk:
            raise _taken_by(holder, conversation, agent)
        raise OfferLapsed
    if conversation.agent_id not in (None, found.agent_id):
        raise Outdated  # the holder's row is not locked
    return agent, conversation, offer


def _taken_by(holder: Agent, conversation: Conversation, agent: Agent) -> AlreadyTaken:
    """By whom is for those who serve its queue, or were asked."""
    asked = conversation.assignments.filter(agent=agent).exists()
    if asked or conversation.queue_id in holding.queues_of(agent.pk):
        return AlreadyTaken(f"{holder.name} has taken this conversation.")
    return AlreadyTaken()


def ringing(conversation: Conversation) -> QuerySet[Assignment]:
    return Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.OFFER, ended_at=None
    ).select_related("agent")


# The offers that ring for an agent, by their conversations' ids.
ringing_for = Written(
    lambda agent_id: (
        Assignment.objects.filter(
            agent_id=agent_id, kind=Assignment.Kind.OFFER, ended_at=None
        )
        .select_related(*(f"conversation__{each}" for each in snapshots.RELATED))
        .order_by("conversation_id")
    )
)


def due(now: dt.datetime) -> QuerySet[Assignment]:
    """The offers whose time is up."""
    return Assignment.objects.filter(
        kind=Assignment.Kind.OFFER, ended_at=None, lapses_at__lte=now
    )


def next_lapse(now: dt.datetime) -> float | None:
    """In how many seconds the next offer lapses."""
    open_offers = Assignment.objects.filter(kind=Assignment.Kind.OFFER, ended_at=None)
    first = open_offers.order_by("lapses_at").values_list("lapses_at", flat=True)[:1]
    return max(0.0, (first[0] - now).total_seconds()) if first and first[0] else None


def lapse(offer_id: int) -> list[int]:
    """Nobody answered: ask the next agent, and after two in a row set this one away.
    Returns the queues to drain. Idempotent: somebody else may have been faster."""
    offer = Assignment.objects.filter(pk=offer_id).first()
    if offer is None:
        return []
    agent = holding.locked(offer.agent_id)
    conversation = conversations.locked(offer.conversation_id)
    still = ringing(conversation).filter(pk=offer_id, lapses_at__lte=db_now()).first()
    if still is None:
        return []
    _pass(conversation, still, "lapsed")
    agent.lapses += 1
    if agent.lapses >= LAPSES_TO_AWAY:
        agent.status = "away"
        agent.status_reason = "Two offers in a row went unanswered."
        agent.status_set_by = None
        agent.lapses = 0
    agent.save(
        update_fields=["lapses", "status", "status_reason", "status_set_by"],
    )
    conversations.tell_agent(agent)
    others = withdraw_from(agent.pk) if agent.status == "away" else []
    return [_line_of(conversation), *others]


def withdraw_from(agent_id: UUID) -> list[int]:
    """The agent is gone, or accepts nothing now: what rings for them goes to the next
    at once. That is no lapse, and once back they may be asked again. Returns the
    queues to drain. Idempotent."""
    if not ringing_for(agent_id):
        return []
    holding.locked(agent_id)
    queues = []
    for offer in ringing_for(agent_id):
        conversation = conversations.locked(offer.conversation_id)
        if still := ringing(conversation).filter(pk=offer.pk).first():
            queues.append(_line_of(conversation))
            _pass(conversation, still, "missed")
    return queues


def _line_of(conversation: Conversation) -> int:
    """In which it is asked for."""
    pending = conversations.pending_transfer(conversation)
    going_to = pending.to_queue_id if pending else None
    return going_to or conversation.queue_id


def _pass(conversation: Conversation, offer: Assignment, why: str) -> None:
    _end(offer, why)
    # To an agent who chose not to be there it is as if declined.
    told = "declined" if why == "missed" else why
    conversations.tell_withdrawn(conversation, offer.agent_id, told)
    pending = conversations.pending_transfer(conversation)
    if pending and pending.to_agent_id == offer.agent_id:
        come_back(conversation, pending, why)
    else:
        conversations.change(conversation, because=PASSED[why](offer.agent.name))
        conversations.tell(conversation)


def _end(offer: Assignment, why: str) -> None:
    offer.ended_at = db_now()
    offer.ended_why = why
    offer.save(update_fields=["ended_at", "ended_why"])


def typed(agent_id: UUID, wanted: str) -> None:
    """The agent has the offer open and types: its clock waits meanwhile."""
    conversation = conversations.find(wanted)
    if conversation is None:
        return
    offer = (
        ringing(conversation)
        .select_for_update(of=("self",), no_key=True)
        .filter(agent_id=agent_id)
        .first()
    )
    if offer is None or offer.lapses_at is None:
        return
    now = db_now()
    since = max(
        offer.typed_at or offer.started_at, now - dt.timedelta(seconds=TYPING_SECONDS)
    )
    end = offer.started_at + dt.timedelta(
        seconds=conversation.queue.ring_seconds + PAUSED_SECONDS
    )
    offer.lapses_at = min(end, offer.lapses_at + (now - since))
    offer.typed_at = now
    offer.save(update_fields=["lapses_at", "typed_at"])
