"""What supervisors of a queue can do with what others hold; each act is audited."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from . import conversations, hub, pairing, protocol, snapshots
from .database import db_now
from .errors import ConversationUnknown, Empty, Ended, Forbidden
from .models import AuditEntry, Conversation

if TYPE_CHECKING:
    from agents.models import Agent

BLOCKED = 4403  # close code
REASON_CHARS = 200


def watch(agent: Agent, frame: protocol.Watch) -> protocol.Frame:
    """Raises ConversationUnknown, Forbidden (not a supervisor of its queue)."""
    conversation = supervised(agent, frame.conversation)
    pairing.audit(agent, "watch", conversation)
    return _shown(frame.id, conversation)


def unwatch(agent: Agent, frame: protocol.Unwatch) -> protocol.Frame:
    """Raises ConversationUnknown, Forbidden."""
    conversation = supervised(agent, frame.conversation)
    (shown,) = snapshots.many_for_staff([conversation])
    return protocol.ConversationAck(id=frame.id, conversation=shown)


def join(agent: Agent, frame: protocol.Join) -> protocol.Frame:
    """Speak beside the holder. Raises as `watch`, and Ended."""
    conversation = conversations.locked(supervised(agent, frame.conversation).pk)
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    spoken = _joined_before(agent, conversation)
    pairing.audit(agent, "join", conversation)
    if not spoken:
        conversations.say_event(
            conversation, "agent_joined", f"{agent.name} joined.", {"name": agent.name}
        )
    return _shown(frame.id, conversation)


def _joined_before(agent: Agent, conversation: Conversation) -> bool:
    """A join lasts as long as the socket: whoever comes back after a lost connection
    is not announced again."""
    joins = AuditEntry.objects.filter(by=agent, act="join", conversation=conversation)
    return joins.exists()


def block(agent: Agent, frame: protocol.Block) -> protocol.Frame:
    """Keep a customer out, whose conversation one holds or supervises, or who waits in
    a queue of one's own. Their sockets close, what is open ends. Raises as
    `conversations.held`, Empty."""
    reason = frame.reason.strip()[:REASON_CHARS]
    if not reason:
        raise Empty("reason: say why.")
    conversation = conversations.held(
        agent, frame.conversation, or_supervised=True, or_waiting=True
    )
    customer = conversation.customer
    customer.blocked_until = db_now() + dt.timedelta(seconds=frame.seconds)
    customer.blocked_why = reason
    customer.save(update_fields=["blocked_until", "blocked_why"])
    pairing.audit(
        agent, "block", conversation, reason=reason, until=str(customer.blocked_until)
    )
    shown = conversations.end(
        conversation, outcome="resolved", by="agent", name=agent.name
    )
    hub.announce(hub.Event((f"customer.{customer.pk}",), code=BLOCKED))
    return protocol.ConversationAck(id=frame.id, conversation=shown)


def supervised(agent: Agent, wanted: str) -> Conversation:
    """The conversation, of a queue that the agent supervises. Raises as `watch`."""
    conversation = conversations.find(wanted)
    if conversation is None:
        raise ConversationUnknown
    if not conversations.supervises(agent, conversation):
        raise Forbidden
    return conversation


def _shown(id: str, conversation: Conversation) -> protocol.WatchAck:
    messages, more = snapshots.page(conversation, staff=True)
    (shown,) = snapshots.many_for_staff([conversation])
    return protocol.WatchAck(id=id, conversation=shown, messages=messages, more=more)
