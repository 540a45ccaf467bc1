"""Giving out what waits to whoever has room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from .. import conversations, hub, presence, protocol, snapshots
from ..database import db_now
from ..models import Assignment, Conversation, Queue, QueueMembership
from . import holding, offers
from .deciding import Pairing, Rule, Seat, Waiting, pair
from .transfers import complete

if TYPE_CHECKING:
    from agents.models import Agent

DRAIN = 200  # conversations given out in one transaction, at most
BEHIND = 20  # looked at beyond the room there is, since some may have been passed on


def drain(queue_ids: Iterable[int]) -> int:
    """Give out what waits in these queues to whoever has room; returns how many were
    given out. When it is DRAIN, call again: there may be more. Idempotent."""
    queues = _locked(_with_fallen_back(queue_ids))
    if not queues or not _in_line([queue.pk for queue in queues]).exists():
        return 0
    now = db_now()
    rules = {queue.pk: rule_of(queue) for queue in queues}
    seats = _seats(rules, now)
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


def _with_fallen_back(queue_ids: Iterable[int]) -> set[int]:
    """Agents of a queue may also serve those queues that fall back on it."""
    given = set(queue_ids)
    falling = Queue.objects.filter(fallback_id__in=given)
    return given | set(falling.values_list("pk", flat=True))


def _locked(queue_ids: Iterable[int]) -> list[Queue]:
    automatic = Queue.objects.exclude(strategy=Queue.Strategy.MANUAL)
    rows = automatic.filter(pk__in=tuple(queue_ids)).order_by("pk")
    return list(rows.select_for_update(no_key=True))


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


def _seats(rules: Mapping[int, Rule], now: dt.datetime) -> list[Seat]:
    """The accepting agents of these queues and their fallbacks, their rows locked."""
    fallbacks = {rule.fallback for rule in rules.values() if rule.fallback}
    members = QueueMembership.objects.filter(queue_id__in={*rules, *fallbacks})
    tiers: dict[UUID, dict[int, int]] = {}
    for agent, queue, tier in members.values_list("agent_id", "queue_id", "priority"):
        tiers.setdefault(agent, {})[queue] = tier
    # Who holds what is being transferred loses a slot's lease: locked as well.
    holders = _in_line([*rules]).exclude(agent=None).values_list("agent_id", flat=True)
    concerned = holding.agents().filter(
        Q(pk__in=tiers, status="online") | Q(pk__in=list(holders))
    )
    rows = list(concerned.select_for_update(no_key=True).order_by("pk"))
    locked = [row for row in rows if row.pk in tiers and row.status == "online"]
    # Load and presence are read after the locks: a slot taken meanwhile counts.
    loads = snapshots.loads((agent.pk for agent in locked), now)
    present = presence.connected(agent.pk for agent in locked)
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


def _heads(queues: Sequence[Queue], most: int, now: dt.datetime) -> list[Waiting]:
    """The head of each line, as values."""
    rows = []
    for queue in queues:
        line = _in_line([queue.pk]).select_related("pending_transfer")
        rows += [(queue, row) for row in line.order_by(*snapshots.LINE_ORDER)[:most]]
    passed = _passed([row for _, row in rows])
    last = _last_agents([row for queue, row in rows if queue.sticky])
    return [_waiting(queue, row, passed, last, now) for queue, row in rows]


def _waiting(
    queue: Queue,
    row: Conversation,
    passed: Mapping[UUID, tuple[set[UUID], dt.datetime]],
    last: Mapping[UUID, UUID],
    now: dt.datetime,
) -> Waiting:
    agents, passed_at = passed.get(row.pk, (set(), None))
    pending = conversations.pending_transfer(row)
    asked = pending.at if pending else row.waiting_since
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
    rows: Sequence[Conversation],
) -> dict[UUID, tuple[set[UUID], dt.datetime]]:
    """To whom each was offered in its present cycle, and until when."""
    cycles = {row.pk: row.cycle for row in rows}
    made = Assignment.objects.filter(
        conversation_id__in=cycles,
        kind=Assignment.Kind.OFFER,
        ended_at__isnull=False,
    ).exclude(ended_why="missed")
    found: dict[UUID, tuple[set[UUID], dt.datetime]] = {}
    for each in made.order_by("ended_at"):
        if each.cycle == cycles[each.conversation_id] and each.ended_at:
            agents, _ = found.get(each.conversation_id, (set(), None))
            found[each.conversation_id] = (agents | {each.agent_id}, each.ended_at)
    return found


def _last_agents(rows: Sequence[Conversation]) -> dict[UUID, UUID]:
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
            complete(conversation, agent, pairing.because)
    if gifts:
        holding.assign_all(gifts)
    conversations.tell_agents(list(agents.values()))


def _still_waits(conversation: Conversation, agent: Agent) -> bool:
    """It may have ended, or somebody may have taken it, before its row was locked."""
    if conversation.state == Conversation.State.WAITING:
        return True
    pending = conversations.pending_transfer(conversation)
    return bool(pending and conversation.agent_id != agent.pk)


def queues_of(agent_id: UUID) -> list[int]:
    """Of which queues the agent is a member."""
    mine = QueueMembership.objects.filter(agent_id=agent_id)
    return list(mine.values_list("queue_id", flat=True))


def concerned(agent_id: UUID, frame: protocol.Command) -> set[int]:
    """The queues in which this agent's command may add a slot, their own or that of
    whoever holds the conversation or is set to another status, or somebody to a line.
    Ask before obeying: afterwards nobody may hold it."""
    people = {agent_id}
    held = conversations.find(getattr(frame, "conversation", ""))
    if held and held.agent_id:
        people.add(held.agent_id)
    colleague = frame.agent if isinstance(frame, protocol.StatusSet) else None
    if colleague and (found := holding.find(colleague)):
        people.add(found.pk)
    queues = {queue for each in people for queue in queues_of(each)}
    to = frame.to.queue if isinstance(frame, protocol.Transfer) else None
    if to and to.isdecimal():
        queues.add(int(to))
    return queues


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


def with_waiting() -> list[int]:
    """The queues in which somebody waits for an automatic pairing."""
    waiting = Q(conversations__state="waiting", conversations__left=False)
    transferred = Queue.objects.filter(
        pk__in=Conversation.objects.filter(
            pending_transfer__to_queue__isnull=False
        ).values("pending_transfer__to_queue")
    )
    found = (Queue.objects.filter(waiting) | transferred).exclude(strategy="manual")
    return list(found.order_by().values_list("pk", flat=True).distinct())
