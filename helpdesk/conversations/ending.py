"""The end of a conversation, and letting go of what it holds."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from .. import protocol, snapshots
from ..database import db_now
from ..errors import Ended
from ..models import Assignment, Conversation, Transfer
from .rows import change, pending_transfer
from .telling import say_event, tell, tell_agent, tell_withdrawn


def end(
    conversation: Conversation,
    *,
    outcome: str,
    by: str,
    sender: UUID | None = None,
    name: str = "",
) -> protocol.StaffConversation:
    """End a conversation and free its slot; its row and its agent's are locked.
    Returns what staff are told. Raises Ended. The caller nudges the agent's queues
    afterwards (pairing.nudge), since a slot may have become free."""
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    now = db_now()
    release(conversation, now, why="ended")
    if conversation.state == Conversation.State.WAITING:
        withdraw(conversation, "customer_left")
    drop_transfer(conversation)
    change(
        conversation,
        state=Conversation.State.ENDED,
        outcome=outcome,
        ended_at=now,
        agent_lost_at=None,
        customer_gone_at=None,
    )
    say_event(
        conversation,
        "ended",
        _ended_text(by, name),
        {"by": by, "name": name, "outcome": outcome},
    )
    return tell(conversation, moved=not conversation.left)


def _ended_text(by: str, name: str) -> str:
    who = {"customer": "The customer", "agent": name or "The agent"}.get(by)
    return f"{who} ended the conversation." if who else "The conversation has ended."


def release(conversation: Conversation, now: dt.datetime, why: str) -> None:
    """Give up the slot that the conversation holds, if any; after an end it stays
    taken for the queue's wrap-up. Its row and its agent's are locked."""
    seconds = conversation.queue.wrap_up_seconds if why == "ended" else 0
    free_at = now + dt.timedelta(seconds=seconds) if seconds else None
    lease = Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.HOLD, ended_at=None
    )
    freed = lease.update(ended_at=now, ended_why=why, free_at=free_at)
    if freed and conversation.agent:
        conversation.agent.idle_since = now
        conversation.agent.save(update_fields=["idle_since"])
        tell_agent(conversation.agent)


def withdraw(conversation: Conversation, why: str, by: UUID | None = None) -> None:
    """An offer that rings for it, if any, stops ringing. `by` has taken it, and is
    not told so."""
    ringing = Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.OFFER, ended_at=None
    )
    for offer in ringing:
        Assignment.objects.filter(pk=offer.pk).update(
            ended_at=db_now(), ended_why="accepted" if offer.agent_id == by else why
        )
        tell_withdrawn(conversation, offer.agent_id, why)


def drop_transfer(conversation: Conversation) -> None:
    """No transfer is pending any more, and no offer of it rings."""
    if pending := pending_transfer(conversation):
        withdraw(conversation, "taken")
        Transfer.objects.filter(pk=pending.pk).delete()
        conversation._state.fields_cache[snapshots.TRANSFER] = None
