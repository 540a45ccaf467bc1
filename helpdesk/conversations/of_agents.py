"""What agents do with what they hold, and what they may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import protocol
from ..errors import ConversationUnknown, Ended, Forbidden, NotYours, TooLong
from ..models import Assignment, Conversation, QueueMembership
from .ending import end
from .rows import change, find, locked_with_holder, pending_transfer
from .telling import tell

if TYPE_CHECKING:
    from agents.models import Agent

TAGS, TAG_CHARS = 20, 40


def end_by_agent(agent: Agent, frame: protocol.AgentEnd) -> protocol.Frame:
    """Raises ConversationUnknown, NotYours, Ended."""
    conversation = held(agent, frame.conversation)
    ended = end(
        conversation,
        outcome=frame.outcome or "resolved",
        by="agent",
        sender=agent.pk,
        name=agent.name,
    )
    return protocol.ConversationAck(id=frame.id, conversation=ended)


def held(
    agent: Agent, wanted: str, *, or_supervised: bool = False, or_waiting: bool = False
) -> Conversation:
    """The conversation, locked after its agent, if this agent holds it or, when asked,
    supervises its queue, or it waits in a queue of theirs. Raises as `end_by_agent`."""
    found = find(wanted)
    if found is None:
        raise ConversationUnknown
    conversation = locked_with_holder(found)
    if (
        or_waiting
        and conversation.state == Conversation.State.WAITING
        and agent.memberships.filter(queue=conversation.queue).exists()
    ):
        return conversation
    if conversation.agent_id != agent.pk and not (
        or_supervised and supervises(agent, conversation)
    ):
        raise NotYours
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.state == Conversation.State.WAITING:
        raise NotYours
    return conversation


def supervises(agent: Agent, conversation: Conversation) -> bool:
    supervised = agent.memberships.filter(role=QueueMembership.Role.SUPERVISOR)
    return supervised.filter(queue_id=conversation.queue_id).exists()


def tag(agent: Agent, frame: protocol.Tag) -> protocol.Frame:
    """Replace the tags. Raises as `end_by_agent`, and TooLong."""
    tags = list(dict.fromkeys(filter(None, (each.strip() for each in frame.tags))))
    if len(tags) > TAGS or any(len(each) > TAG_CHARS for each in tags):
        raise TooLong(f"tags: at most {TAGS} of at most {TAG_CHARS} characters.")
    conversation = held(agent, frame.conversation, or_supervised=True)
    change(conversation, tags=tags)
    return protocol.ConversationAck(id=frame.id, conversation=tell(conversation))


def readable(agent: Agent, wanted: str) -> Conversation:
    """An agent may read what they hold or held last, what waits in their queues or is
    offered or transferred to them, and what is in a queue that they supervise. Raises
    ConversationUnknown, Forbidden."""
    conversation = find(wanted)
    if conversation is None:
        raise ConversationUnknown
    if conversation.agent_id == agent.pk or _waits_for(agent, conversation):
        return conversation
    if supervises(agent, conversation):
        return conversation
    raise Forbidden


def _waits_for(agent: Agent, conversation: Conversation) -> bool:
    ringing = conversation.assignments.filter(
        agent=agent, kind=Assignment.Kind.OFFER, ended_at=None
    )
    if ringing.exists():
        return True
    pending = pending_transfer(conversation)
    going_to = pending.to_queue if pending else None
    if not going_to and conversation.state != Conversation.State.WAITING:
        return False
    return agent.memberships.filter(queue=going_to or conversation.queue).exists()
