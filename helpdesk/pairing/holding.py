"""Who holds a conversation: assigned, taken, back in the line, back at its agent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce

from .. import conversations, protocol, reasons, snapshots, writer
from ..database import Outdated, db_now
from ..errors import AlreadyTaken, ConversationUnknown, Ended, Forbidden, Full
from ..models import Assignment, AuditEntry, Conversation, QueueMembership
from ..written import Written

if TYPE_CHECKING:
    from agents.models import Agent


class Gift(NamedTuple):
    """A conversation that somebody gets, and why."""

    conversation: Conversation
    agent: Agent
    because: reasons.Because


def assign(
    conversation: Conversation,
    agent: Agent,
    because: reasons.Because,
    event: str = "agent_joined",
    text: str = "{} joined.",
) -> None:
    """Give a waiting conversation to an agent with room; both rows are locked."""
    assign_all([Gift(conversation, agent, because)], event, text)


def assign_all(
    gifts: Sequence[Gift], event: str = "agent_joined", text: str = "{} joined."
) -> None:
    """As `assign`, for many at once: a few statements, however many there are."""
    now = hold_all(gifts)
    for conversation, agent, because in gifts:
        conversation.state = Conversation.State.ACTIVE
        conversation.agent, conversation.because = agent, because
        conversation.rescued = False
        conversation.started_at = conversation.started_at or now
        conversation.version += 1
    given = [gift.conversation for gift in gifts]
    Conversation.objects.filter(pk__in=[each.pk for each in given]).update(
        state=Conversation.State.ACTIVE,
        agent=_its_own("agent", {each.pk: each.agent_id for each in given}),
        because=_its_own("because", {each.pk: each.because for each in given}),
        rescued=False,
        started_at=Coalesce("started_at", Value(now)),
        version=F("version") + 1,
    )
    lines = [
        writer.SystemLine(
            gift.conversation,
            event,
            text.format(gift.agent.name),
            {"name": gift.agent.name, "because": reasons.plain(gift.because)},
        )
        for gift in gifts
    ]
    conversations.say_events(lines)
    conversations.tell_all(given, moved=True)


def _its_own(name: str, values: Mapping[UUID, Any]) -> Cast:
    """For each conversation its own value."""
    field: Any = Conversation._meta.get_field(name)
    field = getattr(field, "target_field", field)  # an agent is an id
    each = (
        When(pk=pk, then=Value(value, output_field=field))
        for pk, value in values.items()
    )
    return Cast(Case(*each, output_field=field), output_field=field)


def hold_all(gifts: Sequence[Gift]) -> dt.datetime:
    """Take a slot for each; the agents' rows are locked. Returns when that was."""
    now = db_now()
    Assignment.objects.bulk_create(
        Assignment(
            conversation=conversation,
            agent=agent,
            because=because,
            started_at=now,
            cycle=conversation.cycle,
        )
        for conversation, agent, because in gifts
    )
    busy = agents().filter(pk__in={gift.agent.pk for gift in gifts})
    busy.update(idle_since=now, assigned_at=now)
    return now


def take(agent: Agent, frame: protocol.Take) -> protocol.Frame:
    """An agent takes a conversation from the line, or one that is being transferred
    to a queue of theirs. Raises ConversationUnknown, Forbidden (not a member of its
    queue), AlreadyTaken, Ended, Full."""
    from .transfers import complete

    found = conversations.find(frame.conversation)
    if found is None:
        raise ConversationUnknown
    conversations.lock_agents(agent.pk, found.agent_id)
    agent = agents().get(pk=agent.pk)
    conversation = conversations.locked(found.pk)
    pending = conversations.pending_transfer(conversation)
    going_to = pending.to_queue if pending else None
    if not agent.memberships.filter(queue=going_to or conversation.queue).exists():
        raise Forbidden
    if not going_to or conversation.agent_id == agent.pk:
        _check_takeable(conversation)
    elif conversation.agent_id != found.agent_id:
        raise Outdated  # the holder's row is not locked
    # An offer that rings, here or elsewhere, gives way to who is faster.
    conversations.withdraw(conversation, "taken", by=agent.pk)
    load = check_room(agent)
    because = reasons.Took(agent.name, load, agent.capacity)
    if going_to:
        complete(conversation, agent, because)
    else:
        assign(conversation, agent, because)
    conversations.tell_agent(agent)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def _check_takeable(conversation: Conversation) -> None:
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.agent is not None:
        raise AlreadyTaken(f"{conversation.agent.name} has taken this conversation.")


def check_room(agent: Agent) -> int:
    """The agent's load, their row locked. Raises Full."""
    load = snapshots.load(agent.pk, db_now())
    if load >= agent.capacity:
        raise Full
    return load


def requeue(conversation: Conversation, because: reasons.Because, reason: str) -> None:
    """Back to the front of its line, with its original waiting time. Its row and its
    agent's are locked, and it is active."""
    former = conversation.agent_id
    name = conversation.agent.name if conversation.agent else ""
    conversations.release(conversation, db_now(), why=reason)
    conversations.drop_transfer(conversation)
    conversations.change(
        conversation,
        state=Conversation.State.WAITING,
        agent=None,
        rescued=True,
        agent_lost_at=None,
        cycle=conversation.cycle + 1,
        because=because,
    )
    conversations.say_event(
        conversation,
        "requeued",
        "You are at the front of the line again.",
        {"reason": reason, "name": name, "because": reasons.plain(because)},
    )
    conversations.tell(conversation, *[former] if former else [], moved=True)


def return_to(agent_id: UUID) -> None:
    """The agent is back: what was taken from them for being gone, and nobody has
    taken since, comes back by itself, as far as there is room."""
    from .draining import nudge, who_has

    agent = locked(agent_id)
    lost = Assignment.objects.filter(
        agent=agent,
        kind=Assignment.Kind.HOLD,
        ended_why="agent_lost",
        conversation__state=Conversation.State.WAITING,
        conversation__rescued=True,
    ).order_by("conversation_id")
    for pk in lost.values_list("conversation_id", flat=True).distinct():
        if snapshots.load(agent.pk, db_now()) >= agent.capacity:
            return
        conversation = conversations.locked(pk)
        if conversation.state != Conversation.State.WAITING or not _is_last(
            conversation, agent
        ):
            continue
        for rung in who_has(conversation):
            nudge(queues_of(rung))
        conversations.withdraw(conversation, "taken")
        because = reasons.CameBack(agent.name)
        assign(conversation, agent, because, "agent_back", "{} is back.")


def _is_last(conversation: Conversation, agent: Agent) -> bool:
    held = conversation.assignments.filter(kind=Assignment.Kind.HOLD)
    newest = held.order_by("-started_at", "-pk").first()
    return bool(newest and newest.agent_id == agent.pk)


def set_status(agent: Agent, frame: protocol.StatusSet) -> protocol.Frame:
    """What the agent chose; conversations that are held stay held. A supervisor may
    set a colleague's, which is audited. What rings for who accepts no more goes to
    the next. Raises Forbidden."""
    from .offers import withdraw_from

    row = locked(_whose(agent, frame.agent))
    row.status, row.status_reason = frame.status, (frame.reason or "")[:200]
    row.status_set_by = agent if row.pk != agent.pk else None
    row.lapses = 0
    row.save(
        update_fields=["status", "status_reason", "status_set_by", "lapses"],
    )
    if row.pk != agent.pk:
        audit(agent, "status.set", agent=str(row.pk), status=frame.status)
    if row.status != "online":
        withdraw_from(row.pk)
    conversations.tell_agent(row)
    return protocol.AgentAck(id=frame.id, agent=snapshots.agent(row, db_now()))


def end_wrap_up(agent: Agent, frame: protocol.WrapUpEnd) -> protocol.Frame:
    """The agent is ready before the time is over: the slots are free now."""
    row, now = locked(agent.pk), db_now()
    Assignment.objects.filter(agent=row, free_at__gt=now).update(free_at=now)
    conversations.tell_agent(row)
    return protocol.AgentAck(id=frame.id, agent=snapshots.agent(row, now))


def wrapped_up(now: dt.datetime, within: float) -> QuerySet[Assignment]:
    """Those whose wrap-up ended by itself in the last `within` seconds."""
    begin = now - dt.timedelta(seconds=within)
    return Assignment.objects.filter(free_at__gt=begin, free_at__lte=now)


def note_activity(agent: Agent) -> None:
    """Somebody is at the keyboard. Colleagues are told when it was otherwise before."""
    row = agents().get(pk=agent.pk)
    now = db_now()
    agents().filter(pk=agent.pk).update(active_at=now)
    if not snapshots.is_active(row, now):
        conversations.tell_agent(row)


def fallen_silent(now: dt.datetime, within: float) -> QuerySet[Agent]:
    """Who has stopped counting as active in the last `within` seconds."""
    end = now - snapshots.ACTIVE
    begin = end - dt.timedelta(seconds=within)
    silent: QuerySet[Agent] = agents().filter(active_at__gt=begin, active_at__lte=end)
    return silent


def _whose(agent: Agent, wanted: str | None) -> UUID:
    if wanted is None or wanted == str(agent.pk):
        return agent.pk
    supervised = supervised_queues(agent)
    members = QueueMembership.objects.filter(queue_id__in=supervised)
    for member in members.values_list("agent_id", flat=True):
        if str(member) == wanted:
            return member
    raise Forbidden


def queues_of(agent_id: UUID) -> list[int]:
    """Of which queues the agent is a member."""
    return _queues_of(agent_id)


_queues_of = Written(
    lambda agent_id: QueueMembership.objects.filter(agent_id=agent_id).values_list(
        "queue_id", flat=True
    )
)


def supervised_queues(agent: Agent) -> list[int]:
    return _supervised_queues(agent.pk)


_supervised_queues = Written(
    lambda agent_id: QueueMembership.objects.filter(
        agent_id=agent_id, role=QueueMembership.Role.SUPERVISOR
    ).values_list("queue_id", flat=True)
)


def audit(
    by: Agent, act: str, conversation: Conversation | None = None, **data: Any
) -> None:
    """Write down what a supervisor does."""
    AuditEntry.objects.create(
        by=by, act=act, conversation=conversation, data=data, at=db_now()
    )


def locked(agent_id: UUID) -> Agent:
    row: Agent = agents().select_for_update(no_key=True).get(pk=agent_id)
    return row


def find(wanted: str) -> Agent | None:
    """By the id that a client named, which may be anything."""
    try:
        found: Agent | None = agents().filter(pk=UUID(wanted)).first()
    except ValueError:
        return None
    return found


def agents() -> Any:
    return apps.get_model("agents", "Agent").objects.all()
