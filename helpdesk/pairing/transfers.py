"""Transfers: the old agent keeps the conversation until somebody has accepted it, and
both agents' slots are leased meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import conversations, presence, protocol, reasons, snapshots, writer
from ..database import db_now
from ..errors import AgentUnavailable, Forbidden, Full, QueueUnknown, TooLong
from ..models import Conversation, Message, Queue, Transfer
from . import holding

if TYPE_CHECKING:
    from agents.models import Agent


# By what became of its offer: the reason, and what the old holder reads.
CAME_BACK: dict[str, tuple[Callable[[str], reasons.Because], str]] = {
    "declined": (reasons.TransferDeclined, "declined the transfer"),
    "lapsed": (reasons.TransferLapsed, "did not answer"),
    "missed": (reasons.TransferMissed, "went away before answering"),
}


def transfer(agent: Agent, frame: protocol.Transfer) -> protocol.Frame:
    """Offer the conversation to an agent or a queue of the same site, with a note. A
    transfer that is pending gives way to the new one. A supervisor may transfer what
    others hold, and to themselves, which takes it over at once.

    Raises ConversationUnknown, NotYours, Ended, QueueUnknown, AgentUnavailable, Full,
    TooLong, Forbidden (to nobody, or to who holds it already).
    """
    target = _agent(frame.to.agent)
    conversation = _transferable(agent, frame.conversation, target)
    if target:
        target.refresh_from_db()  # as it is under its lock
    holder = conversation.agent
    assert holder is not None  # noqa: S101 (an active conversation has an agent)
    note = (frame.note or "").strip()
    if len(note) > conversations.text_limit("agent"):
        raise TooLong("note: is too long.")
    conversations.drop_transfer(conversation)
    if target is None:
        _to_queue(conversation, agent, _queue(conversation, frame.to.queue), note)
    elif target.pk == holder.pk:
        raise Forbidden(f"{holder.name} holds it already.")
    elif target.pk == agent.pk:
        _take_over(conversation, target)
    else:
        _to_agent(conversation, agent, target, note)
    if note:
        _say_note(conversation, agent, note)
    if agent.pk != holder.pk:
        holding.audit(agent, "transfer", conversation, to=str(frame.to))
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def _agent(wanted: str | None) -> Agent | None:
    if wanted is None:
        return None
    found = holding.find(wanted)
    if found is None:
        raise AgentUnavailable
    return found


def _queue(conversation: Conversation, wanted: str | None) -> Queue:
    if wanted is None:
        raise Forbidden("to: name an agent or a queue.")
    queues = Queue.objects.filter(site_id=conversation.site_id)
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0
    queue = queues.filter(pk=number).first()
    if queue is None:
        raise QueueUnknown
    return queue


def _transferable(agent: Agent, wanted: str, target: Agent | None) -> Conversation:
    """The conversation, locked after all agents concerned, in the order of ids."""
    found = conversations.find(wanted)
    holder = found.agent_id if found else None
    conversations.lock_agents(agent.pk, holder, target.pk if target else None)
    return conversations.held(agent, wanted, or_supervised=True)


def _to_queue(conversation: Conversation, by: Agent, queue: Queue, note: str) -> None:
    _pend(conversation, by, note, to_queue=queue)
    conversations.change(
        conversation,
        cycle=conversation.cycle + 1,
        because=reasons.Transfers(by.name, queue.name),
    )
    conversations.tell(conversation, moved=True)


def _to_agent(conversation: Conversation, by: Agent, target: Agent, note: str) -> None:
    from . import offers

    queues = Queue.objects.filter(site_id=conversation.site_id)
    if not target.memberships.filter(queue__in=queues).exists():
        raise AgentUnavailable
    if target.status != "online" or target.pk not in presence.connected([target.pk]):
        raise AgentUnavailable(f"{target.name} is not available.")
    if snapshots.load(target.pk, db_now()) >= target.capacity:
        raise Full(f"{target.name} has no room for another conversation.")
    _pend(conversation, by, note, to_agent=target)
    conversation.cycle += 1
    offers.make(conversation, target, reasons.Transfers(by.name, target.name))


def _pend(
    conversation: Conversation,
    by: Agent,
    note: str,
    to_queue: Queue | None = None,
    to_agent: Agent | None = None,
) -> None:
    conversation.pending_transfer = Transfer.objects.create(
        conversation=conversation,
        by=by,
        to_queue=to_queue,
        to_agent=to_agent,
        note=note,
        at=db_now(),
    )


def _take_over(conversation: Conversation, agent: Agent) -> None:
    holding.check_room(agent)
    complete(conversation, agent, reasons.TookOver(agent.name))


def complete(
    conversation: Conversation, agent: Agent, because: reasons.Because
) -> None:
    """The conversation changes hands. Its row and both agents' are locked."""
    former = conversation.agent_id
    pending = conversations.pending_transfer(conversation)
    queue = pending.to_queue if pending and pending.to_queue else conversation.queue
    left = conversation.queue_id
    conversations.release(conversation, db_now(), why="transferred")
    conversations.drop_transfer(conversation)
    holding.hold_all([holding.Gift(conversation, agent, because)])
    conversations.change(
        conversation, agent=agent, queue=queue, because=because, agent_lost_at=None
    )
    conversations.say_event(
        conversation,
        "transferred",
        f"{agent.name} has taken over.",
        {"name": agent.name, "because": reasons.plain(because)},
    )
    also = [former] if former else []
    conversations.tell(conversation, *also, moved=True, left_queue=left)


def come_back(conversation: Conversation, pending: Transfer, why: str) -> None:
    """The agent asked did not accept: the old one keeps it, and reads why."""
    name = pending.to_agent.name if pending.to_agent else ""
    because, said = CAME_BACK[why]
    conversations.drop_transfer(conversation)
    conversations.change(conversation, because=because(name))
    message = writer.say(
        conversation,
        kind=Message.Kind.NOTE,
        author="system",
        event="transfer_back",
        text=f"{name} {said}.",
        data={"name": name, "why": why},
    )
    conversations.announce_message(conversation, message)
    conversations.tell(conversation)


def _say_note(conversation: Conversation, agent: Agent, note: str) -> None:
    message = writer.say(
        conversation,
        kind=Message.Kind.NOTE,
        author="agent",
        sender=agent.pk,
        text=note,
    )
    conversations.announce_message(conversation, message)
