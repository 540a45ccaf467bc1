"""Who hears of what: system lines, messages that a verb said, and what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .. import hub, protocol, snapshots, writer
from ..database import db_now
from ..models import Conversation, Message
from ..newest import mark_of
from .rows import pending_transfer

if TYPE_CHECKING:
    from agents.models import Agent


def staff_audiences(
    conversation: UUID | str, agent: UUID | str | None
) -> tuple[str, ...]:
    """The holder and the watchers."""
    if agent is None:
        return (f"staff.{conversation}",)
    return (f"agent.{agent}", f"staff.{conversation}")


def tell_withdrawn(conversation: Conversation, agent_id: UUID, why: str) -> None:
    frame = protocol.encode(protocol.OfferWithdrawn(str(conversation.pk), why))
    hub.announce(hub.Event((f"agent.{agent_id}",), frame))


def say_event(
    conversation: Conversation, event: str, text: str, data: dict[str, Any]
) -> None:
    """A system line, in the same transaction as the change it tells of."""
    say_events([writer.SystemLine(conversation, event, text, data)])


def say_events(lines: Sequence[writer.SystemLine]) -> None:
    """One in each of many conversations."""
    for line, message in zip(lines, writer.say_lines(lines), strict=True):
        announce_message(line.conversation, message)


def announce_message(
    conversation: Conversation, message: Message, skip: hub.Listener | None = None
) -> None:
    """Of a message that a verb said; not to `skip`, who hears of it in an ack. A note
    is for staff alone."""
    _announce(conversation, message, skip, staff=True)
    if message.kind != Message.Kind.NOTE:
        _announce(conversation, message, skip, staff=False)


def _announce(
    conversation: Conversation,
    message: Message,
    skip: hub.Listener | None,
    *,
    staff: bool,
) -> None:
    (shown,) = snapshots.messages(conversation, [message], staff=staff)
    frame = protocol.encode(protocol.Posted(str(conversation.pk), shown))
    audiences: tuple[str, ...] = (f"customer.{conversation.customer_id}",)
    if staff:
        audiences = staff_audiences(conversation.pk, conversation.agent_id)
    hub.announce(hub.Event(audiences, frame, mark_of(conversation)), skip=skip)


def tell(
    conversation: Conversation,
    *also: UUID,
    moved: bool = False,
    left_queue: int | None = None,
) -> protocol.StaffConversation:
    """Announce a changed conversation, and return what staff are told. `also`: agents
    who held it until now. `moved`: a line has changed. `left_queue`: in which it stood
    until now."""
    (told,) = tell_all([conversation], also, moved=moved, left_queue=left_queue)
    return told


def tell_all(
    conversations: Sequence[Conversation],
    also: Iterable[UUID] = (),
    *,
    moved: bool = False,
    left_queue: int | None = None,
) -> list[protocol.StaffConversation]:
    former = tuple(f"agent.{agent}" for agent in also)
    told = snapshots.many_for_staff(conversations)
    for conversation, staff in zip(conversations, told, strict=True):
        mark = mark_of(conversation)
        queues = _queues(conversation, left_queue)
        lines = queues if moved else ()
        audiences = (
            *staff_audiences(conversation.pk, conversation.agent_id),
            *(f"queue.{queue}" for queue in queues),
            *former,
        )
        frame = protocol.encode(protocol.Changed(staff))
        hub.announce(hub.Event(audiences, frame, mark, lines))
        turn = snapshots.Turn(staff.position, staff.wait_seconds)
        shown = snapshots.for_customer(conversation, turn)
        frame = protocol.encode(protocol.Changed(shown))
        audience = f"customer.{conversation.customer_id}"
        hub.announce(hub.Event((audience,), frame, mark))
    return told


def _queues(conversation: Conversation, left: int | None) -> tuple[int, ...]:
    """Whose members hear of a change: where it stands, stood, and is going."""
    pending = pending_transfer(conversation)
    going = pending.to_queue_id if pending else None
    concerned = {conversation.queue_id, left, going} - {None}
    return tuple(sorted(queue for queue in concerned if queue is not None))


def tell_agent(agent: Agent) -> None:
    """Announce a changed agent to colleagues, and how their queues are staffed now."""
    tell_agents([agent])


def tell_agents(agents: Sequence[Agent]) -> None:
    """After the caller's commit, and after what it announces itself: an end and what
    it sets off change the same agent twice, and nobody waits to see the load."""
    changed_agents.after_commit({agent.pk for agent in agents})


def announce_agents(ids: Iterable[UUID]) -> None:
    """As they are now."""
    for shown in snapshots.agents(ids, db_now()):
        frame = protocol.encode(protocol.AgentChanged(shown))
        audiences = (f"agent.{shown.id}", *(f"queue.{each}" for each in shown.queues))
        lines = tuple(int(each) for each in shown.queues)
        hub.announce(hub.Event(audiences, frame, lines=lines))


changed_agents = hub.Errand(announce_agents)
