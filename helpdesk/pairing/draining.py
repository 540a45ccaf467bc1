"""Giving out what waits to whoever has room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from .. import conversations, hub, presence, protocol, snapshots
from ..database import db_now
from ..models import Assignment, Conversation, Queue, QueueMembership
from ..written import Written
from . import holding, offers
from .deciding import Pairing, Rule, Seat, Waiting, pair
from .transfers import complete

if TYPE_CHECKING:
    from agents.models import Agent

NOBODY = UUID(int=0)
DRAIN = 200  # conversations given out in one transaction, at most
BEHIND = 20  # looked at beyond the room there is, since some may have been passed on


def drain(queue_ids: Iterable[int]) -> int:
    """Give out what waits in these queues to whoever has room; returns how many were
    given out. When it is DRAIN, call again: there may be more. Idempotent."""
    queues = _locked(tuple(queue_ids))
    # Who holds what is being transferred; nobody holds what waits.
    holders = _holders([queue.pk for queue in queues])
    if not holders:
        return 0
    now = db_now()
    rules = {queue.pk: rule_of(queue) for queue in queues}
    seats = _seats(rules, holders, now)
    room = sum(seat.capacity - seat.load for seat in seats)
    if not room:
        return 0
    line = _heads(queues, min(room, DRAIN) + BEHIND, now)
    pairings = pair(line, seats, rules, now)[:DRAIN]
    _apply(pairings, rules)
    return len(pairings)


def rule_of(queue: Queue) -> Rule:
    return Rule(
        queue=queue.pk,
        name=queue.name,
        strategy=queue.strategy,
        offers=queue.delivery == Queue.Delivery.OFFER,
        sticky=queue.sticky,
        priority=queue.priority,
        fallback=queue.fallback_id,
    )


# Agents of a queue may also serve those queues that fall back on it.
_locked = Written(
    lambda pks: (
        Queue.objects.filter(Q(pk__in=pks) | Q(fallback_id__in=pks))
        .exclude(strategy=Queue.Strategy.MANUAL)
        .order_by("pk")
        .select_for_update(no_key=True)
    )
)


def _in_line(queue_ids: Sequence[int]) -> Any:
    """Who waits for an agent of these queues and has no offer ringing: the waiting
    ones, and those that are being transferred there."""
    ringing = Assignment.objects.filter(
        conversation=OuterRef("pk"), ended_at=None, kind=Assignment.Kind.OFFER
    )
    return Conversation.objects.filter(
        Q(state="waiting", left=False, queue_id__in=queue_ids)
        | Q(state="active", pending_transfer__to_queue_id__in=queue_ids)
    ).exclude(Exists(ringing))


_holders = Written(
    lambda queue_ids: (
        _in_line(queue_ids).order_by().values_list("agent_id", flat=True).distinct()
    )
)


def _seats(
    rules: Mapping[int, Rule], holders: Iterable[UUID | None], now: dt.datetime
) -> list[Seat]:
    """The accepting agents of these queues and their fallbacks, their rows locked.
    Holders lose a slot's lease: locked as well."""
    fallbacks = {rule.fallback for rule in rules.values() if rule.fallback}
    tiers: dict[UUID, dict[int, int]] = {}
    for agent, queue, tier in _members({*rules, *fallbacks}):
        tiers.setdefault(agent, {})[queue] = tier
    rows = _lock_agents(tiers, [each or NOBODY for each in holders])
    locked = [row for row in rows if row.pk in tiers and row.status == "online"]
    # Load and presence are read after the locks: a slot taken meanwhile counts.
    loads = snapshots.loads((agent.pk for agent in locked), now)
    present = presence.kept(agent.pk for agent in locked)
    return [
        Seat(
            agent.pk,
            agent.name,
            loads.get(agent.pk, 0),
            agent.capacity,
            agent.idle_since,
            tiers[agent.pk],
            agent.assigned_at,
        )
        for agent in locked
        if agent.pk in present and loads.get(agent.pk, 0) < agent.capacity
    ]


_members = Written(
    lambda queue_ids: QueueMembership.objects.filter(
        queue_id__in=queue_ids
    ).values_list("agent_id", "queue_id", "priority")
)
_lock_agents = Written(
    lambda members, holders: (
        holding.agents()
        .filter(Q(pk__in=members, status="online") | Q(pk__in=holders))
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list(
            "pk", "name", "status", "capacity", "idle_since", "assigned_at", named=True
        )
    )
)


def _heads(queues: Sequence[Queue], most: int, now: dt.datetime) -> list[Waiting]:
    """The head of each line, as values."""
    head = _head(1 << most.bit_length())
    rows = [(queue, row) for queue in queues for row in head([queue.pk])[:most]]
    passed = _passed([row for _, row in rows])
    last = _last_agents([row for queue, row in rows if queue.sticky])
    return [_waiting(queue, row, passed, last, now) for queue, row in rows]


@cache
def _head(most: int) -> Written[Any]:
    return Written(
        lambda queue_ids: (
            _in_line(queue_ids)
            .order_by(*snapshots.LINE_ORDER)
            .values_list(
                *("pk", "waiting_since", "rescued", "priority", "cycle", "customer_id"),
                *("agent_id", "pending_transfer__at"),
                named=True,
            )[:most]
        )
    )


def _waiting(
    queue: Queue,
    row: Any,
    passed: Mapping[UUID, tuple[set[UUID], dt.datetime]],
    last: Mapping[UUID, UUID],
    now: dt.datetime,
) -> Waiting:
    agents, passed_at = passed.get(row.pk, (set(), None))
    asked = row.pending_transfer__at or row.waiting_since
    waited = (now - asked).total_seconds()
    return Waiting(
        id=row.pk,
        queue=queue.pk,
        since=row.waiting_since,
        rescued=row.rescued,
        priority=row.priority,
        overflows=waited >= queue.fallback_after_seconds,
        last_agent=last.get(row.pk),
        holder=row.agent_id,
        passed=frozenset(agents),
        passed_at=passed_at,
    )


def _passed(
    rows: Sequence[Any],
) -> dict[UUID, tuple[set[UUID], dt.datetime]]:
    """To whom each was offered in its present cycle, and until when."""
    cycles = {row.pk: row.cycle for row in rows}
    found: dict[UUID, tuple[set[UUID], Any]] = {}
    for conversation, agent, cycle, ended_at in _offers_past(cycles):
        if cycle == cycles[conversation]:
            agents, _ = found.get(conversation, (set(), None))
            found[conversation] = (agents | {agent}, ended_at)
    return found


_offers_past = Written(
    lambda conversation_ids: (
        Assignment.objects.filter(
            conversation_id__in=conversation_ids,
            kind=Assignment.Kind.OFFER,
            ended_at__isnull=False,
        )
        .exclude(ended_why="missed")
        .order_by("ended_at")
        .values_list("conversation_id", "agent_id", "cycle", "ended_at")
    )
)


def _last_agents(rows: Sequence[Any]) -> dict[UUID, UUID]:
    """With whom each customer talked last, in an earlier conversation or this one."""
    customers = {row.customer_id for row in rows}
    held = Assignment.objects.filter(
        conversation__customer_id__in=customers, kind=Assignment.Kind.HOLD
    )
    newest = held.order_by("started_at").values_list(
        "conversation__customer_id", "agent_id"
    )
    by_customer = dict(newest)
    return {
        row.pk: by_customer[row.customer_id]
        for row in rows
        if row.customer_id in by_customer
    }


def _apply(pairings: Sequence[Pairing], rules: Mapping[int, Rule]) -> None:
    rows = conversations.locked_all(pairing.conversation for pairing in pairings)
    agents = holding.agents().in_bulk({pairing.agent for pairing in pairings})
    gifts = []
    for pairing in pairings:
        conversation, agent = rows[pairing.conversation], agents[pairing.agent]
        if not _still_waits(conversation, agent):
            continue
        if pairing.new_cycle:
            conversation.cycle += 1
        if pairing.offer:
            offers.make(conversation, agent, pairing.because)
        elif conversation.state == Conversation.State.WAITING:
            gifts.append(holding.Gift(conversation, agent, pairing.because))
        else:
            former = conversation.agent_id
            complete(conversation, agent, pairing.because)
            # Whoever is rid of it may have a slot for another queue.
            nudge(holding.queues_of(former) if former else ())
    if gifts:
        holding.assign_all(gifts)
    conversations.tell_agents(list(agents.values()))


def _still_waits(conversation: Conversation, agent: Agent) -> bool:
    """It may have ended, or somebody may have taken it, before its row was locked."""
    if conversation.state == Conversation.State.WAITING:
        return True
    pending = conversations.pending_transfer(conversation)
    return bool(pending and conversation.agent_id != agent.pk)


def concerned(agent_id: UUID, frame: protocol.Command) -> set[int]:
    """The queues in which this agent's command may add a slot, their own or that of
    whoever has the conversation or is set to another status, or somebody to a line.
    Ask before obeying: afterwards nobody may have it."""
    people = {agent_id}
    if meant := conversations.find(getattr(frame, "conversation", "")):
        people |= who_has(meant)
    colleague = frame.agent if isinstance(frame, protocol.StatusSet) else None
    if colleague and (found := holding.find(colleague)):
        people.add(found.pk)
    queues = {queue for each in people for queue in holding.queues_of(each)}
    to = frame.to.queue if isinstance(frame, protocol.Transfer) else None
    if to and to.isdecimal():
        queues.add(int(to))
    return queues


def concerned_by_customer(customer_id: UUID) -> set[int]:
    """As `concerned`, of what the customer does with the newest conversation."""
    newest = conversations.customers_newest(customer_id)
    if newest is None:
        return set()
    served = {queue for each in who_has(newest) for queue in holding.queues_of(each)}
    return served | {newest.queue_id}


def who_has(conversation: Conversation) -> set[UUID]:
    """Who holds it and for whom it rings: a slot of theirs is taken."""
    held = {conversation.agent_id} if conversation.agent_id else set()
    return held | {*_rung(conversation.pk)}


_rung = Written(
    lambda conversation: Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.OFFER, ended_at=None
    ).values_list("agent_id", flat=True)
)


# --- draining when something happens


def nudge(queue_ids: Iterable[int]) -> None:
    """Something may have added a slot, or somebody to the line: drain these queues
    after the caller's commit. From any thread."""
    if queues := tuple(queue_ids):
        nudged.after_commit(queues)


def _drain_all(queues: tuple[int, ...]) -> None:
    again = True
    while again:
        with transaction.atomic():
            again = drain(queues) == DRAIN


nudged = hub.Errand(_drain_all)


def with_waiting() -> QuerySet[Queue]:
    """The queues in which somebody waits for an automatic pairing."""
    waiting = Q(conversations__state="waiting", conversations__left=False)
    transferred = Queue.objects.filter(
        pk__in=Conversation.objects.filter(
            pending_transfer__to_queue__isnull=False
        ).values("pending_transfer__to_queue")
    )
    found = (Queue.objects.filter(waiting) | transferred).exclude(strategy="manual")
    return found.order_by().distinct()
