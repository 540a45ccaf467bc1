"""The line: who is next and who takes it, and why.

The first part decides on plain values and touches nothing. The second part applies
decisions, under locks: queues, then agents, then conversations, each by id. Capacity
is a lease: an open assignment takes a slot from the moment it is made, and it is
made while the agent's row is locked, so no race can exceed it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from . import conversations, hub, presence, protocol, snapshots
from .database import db_now
from .errors import AlreadyTaken, ConversationUnknown, Ended, Forbidden, Full
from .models import Assignment, Conversation, Queue, QueueMembership

if TYPE_CHECKING:
    from agents.models import Agent

DRAIN = 200  # conversations given out in one transaction, at most


# --- deciding


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent who accepts, and how much room there is."""

    agent: UUID
    name: str
    load: int
    capacity: int
    idle_since: dt.datetime
    queues: frozenset[int]

    @property
    def free(self) -> bool:
        return self.load < self.capacity


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation in a line."""

    id: UUID
    queue: int
    rescued: bool
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Pairing:
    """A decision: this conversation to this agent, and why."""

    conversation: UUID
    agent: UUID
    why: str


def pair(
    line: Iterable[Waiting], seats: Iterable[Seat], now: dt.datetime
) -> list[Pairing]:
    """First come, first served, until no seat fits. Who is first in a queue and finds
    no seat holds up those behind in that queue, never those of another."""
    taken = {seat.agent: seat for seat in seats}
    pairings = []
    stuck: set[int] = set()
    for waiting in sorted(line, key=turn):
        if waiting.queue in stuck:
            continue
        ranked = ranking(taken.values(), waiting.queue)
        if not ranked:
            stuck.add(waiting.queue)
            continue
        seat = ranked[0]
        pairings.append(Pairing(waiting.id, seat.agent, why(ranked, now)))
        taken[seat.agent] = replace(seat, load=seat.load + 1, idle_since=now)
    return pairings


def turn(waiting: Waiting) -> tuple[bool, dt.datetime, UUID]:
    """The order of a line: rescues first, then who has waited longest."""
    return (not waiting.rescued, waiting.since, waiting.id)


def ranking(seats: Iterable[Seat], queue: int) -> list[Seat]:
    """The emptiest first, by load for capacity; between equals, the longest idle."""
    free = [seat for seat in seats if seat.free and queue in seat.queues]
    return sorted(
        free, key=lambda seat: (seat.load / seat.capacity, seat.idle_since, seat.agent)
    )


def why(ranked: Sequence[Seat], now: dt.datetime) -> str:
    """“Ada: 1 of 4, idle 3 min; next would be Ben.”"""
    first, *rest = ranked
    minutes = int((now - first.idle_since).total_seconds() // 60)
    sentence = f"{first.name}: {first.load} of {first.capacity}, idle {minutes} min"
    return f"{sentence}; next would be {rest[0].name}." if rest else f"{sentence}."


# --- applying


def drain(queue_ids: Iterable[int]) -> int:
    """Give out what waits in these queues to whoever has room; returns how many were
    given out. When it is DRAIN, call again: there may be more. Idempotent."""
    queues = Queue.objects.select_for_update(no_key=True).order_by("pk")
    automatic = list(queues.filter(pk__in=tuple(queue_ids)).exclude(strategy="manual"))
    served = [queue.pk for queue in automatic]
    if not served or not snapshots.line(served).exists():
        return 0
    now = db_now()
    seats = _seats(served)
    line = _heads(served, sum(seat.capacity - seat.load for seat in seats))
    pairings = pair(line, seats, now)[:DRAIN]
    _apply(pairings)
    return len(pairings)


def _seats(queue_ids: Sequence[int]) -> list[Seat]:
    """The accepting agents of these queues, their rows locked."""
    members = QueueMembership.objects.filter(queue_id__in=queue_ids)
    queues_of: dict[UUID, set[int]] = {}
    for agent_id, queue_id in members.values_list("agent_id", "queue_id"):
        queues_of.setdefault(agent_id, set()).add(queue_id)
    accepting = _agents().filter(pk__in=queues_of, status="online")
    locked = list(accepting.select_for_update(no_key=True).order_by("pk"))
    # Load and presence are read after the locks: a slot taken meanwhile counts.
    loads = _loads(agent.pk for agent in locked)
    present = presence.connected(agent.pk for agent in locked)
    return [
        Seat(
            agent.pk,
            agent.name,
            loads.get(agent.pk, 0),
            agent.capacity,
            agent.idle_since,
            frozenset(queues_of[agent.pk]),
        )
        for agent in locked
        if agent.pk in present and loads.get(agent.pk, 0) < agent.capacity
    ]


def _loads(agent_ids: Iterable[UUID]) -> dict[UUID, int]:
    leases = Assignment.objects.filter(agent_id__in=tuple(agent_ids), ended_at=None)
    counted = leases.order_by().values("agent_id").annotate(load=Count("pk"))
    return {row["agent_id"]: row["load"] for row in counted}


def _heads(queue_ids: Sequence[int], room: int) -> list[Waiting]:
    """As many from the head of each line as there is room."""
    return [
        Waiting(each.pk, queue_id, each.rescued, each.waiting_since)
        for queue_id in queue_ids
        for each in snapshots.line([queue_id])[: min(room, DRAIN)]
    ]


def _apply(pairings: Sequence[Pairing]) -> None:
    ids = sorted(pairing.conversation for pairing in pairings)
    rows = {row.pk: row for row in map(conversations.locked, ids)}
    agents = _agents().in_bulk({pairing.agent for pairing in pairings})
    for pairing in pairings:
        conversation = rows[pairing.conversation]
        # It may have ended, or been taken, before the lock.
        if conversation.state == Conversation.State.WAITING:
            assign(conversation, agents[pairing.agent], pairing.why)
    for agent in {pairing.agent for pairing in pairings}:
        conversations.tell_agent(agents[agent])


def assign(conversation: Conversation, agent: Agent, why: str) -> None:
    """Give a waiting conversation to an agent with room; both rows are locked."""
    now = db_now()
    Assignment.objects.create(
        conversation=conversation, agent=agent, why=why, started_at=now
    )
    _agents().filter(pk=agent.pk).update(idle_since=now)
    conversations.change(
        conversation,
        state=Conversation.State.ACTIVE,
        agent=agent,
        why=why,
        rescued=False,
        started_at=conversation.started_at or now,
    )
    conversations.say_event(
        conversation, "agent_joined", f"{agent.name} joined.", {"name": agent.name}
    )
    conversations.tell(conversation, moved=True)


def take(agent: Agent, frame: protocol.Take) -> protocol.Frame:
    """An agent takes a conversation from the line. Raises ConversationUnknown,
    Forbidden (not a member of its queue), AlreadyTaken, Ended, Full."""
    found = conversations.find(frame.conversation)
    if found is None:
        raise ConversationUnknown
    if not agent.memberships.filter(queue=found.queue).exists():
        raise Forbidden
    agent = _agents().select_for_update(no_key=True).get(pk=agent.pk)
    conversation = conversations.locked(found.pk)
    _check_takeable(conversation)
    load = snapshots.load(agent.pk)
    if load >= agent.capacity:
        raise Full
    why = f"{agent.name} took it from the line: {load} of {agent.capacity} before."
    assign(conversation, agent, why)
    conversations.tell_agent(agent)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def _check_takeable(conversation: Conversation) -> None:
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.agent is not None:
        raise AlreadyTaken(f"{conversation.agent.name} has taken this conversation.")


def requeue(conversation: Conversation, why: str, reason: str) -> None:
    """Back to the front of its line, with its original waiting time. The row is
    locked and active."""
    former = conversation.agent_id
    name = conversation.agent.name if conversation.agent else ""
    conversations.release(conversation, db_now(), why=reason)
    conversations.change(
        conversation,
        state=Conversation.State.WAITING,
        agent=None,
        rescued=True,
        agent_lost_at=None,
        why=why,
    )
    conversations.say_event(
        conversation,
        "requeued",
        "You are back at the front of the line.",
        {"reason": reason, "name": name},
    )
    conversations.tell(conversation, *[former] if former else [], moved=True)


def set_status(agent: Agent, frame: protocol.StatusSet) -> protocol.Frame:
    """What the agent chose. Conversations that are held stay held."""
    reason = (frame.reason or "")[:200]
    row = _agents().select_for_update(no_key=True).get(pk=agent.pk)
    row.status, row.status_reason = frame.status, reason
    row.save(update_fields=["status", "status_reason"])
    conversations.tell_agent(row)
    return protocol.AgentAck(id=frame.id, agent=snapshots.agent(row, db_now()))


def queues_of(agent_id: UUID) -> list[int]:
    """Of which queues the agent is a member."""
    mine = QueueMembership.objects.filter(agent_id=agent_id)
    return list(mine.values_list("queue_id", flat=True))


def nudge(queue_ids: Iterable[int]) -> None:
    """Something may have added a slot, or somebody to the line: drain these queues
    after the caller's commit, and tell their lines. From any thread."""
    queues = tuple(queue_ids)
    if queues:
        transaction.on_commit(lambda: _nudge(queues), robust=True)


def _nudge(queues: tuple[int, ...]) -> None:
    def dirty() -> None:
        for call in nudged:
            call(queues)

    if nudged and hub.call_on_loop(dirty):
        return
    # No server runs in this process (a command): do it here.
    with transaction.atomic():
        while drain(queues) == DRAIN:
            pass


# A running desk registers here to drain in the background (desk.py).
nudged: list[Any] = []


def with_waiting() -> list[int]:
    """The queues in which somebody waits for an automatic pairing."""
    waiting = Q(conversations__state="waiting", conversations__left=False)
    found = Queue.objects.filter(waiting).exclude(strategy="manual").distinct()
    return list(found.values_list("pk", flat=True))


def _agents() -> QuerySet:  # type: ignore[type-arg]
    return apps.get_model("agents", "Agent").objects.all()
