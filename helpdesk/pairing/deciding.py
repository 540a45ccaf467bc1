"""Who is next and who takes it: decided on plain values, touching nothing, so that
the rules can be tried by the hundred."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from .. import reasons

NEW_CYCLE_SECONDS = 30  # after everybody has passed, before it rings anew
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a queue is served."""

    queue: int
    name: str = ""
    strategy: str = "least_loaded"
    offers: bool = False
    sticky: bool = False
    priority: int = 0
    fallback: int | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent who accepts, and how much room there is. `tiers` are the queues they
    staff, with their priority there: 1 is asked before 2."""

    agent: UUID
    name: str
    load: int
    capacity: int
    idle_since: dt.datetime
    tiers: Mapping[int, int]
    assigned_at: dt.datetime | None = None

    @property
    def free(self) -> bool:
        return self.load < self.capacity


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation in a line; one that is being transferred has a `holder`."""

    id: UUID
    queue: int
    since: dt.datetime
    rescued: bool = False
    priority: int = 0
    overflows: bool = False  # the fallback queue's agents are asked too
    last_agent: UUID | None = None
    holder: UUID | None = None
    passed: frozenset[UUID] = field(default_factory=frozenset)
    passed_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """A decision: this conversation to this agent, and why."""

    conversation: UUID
    agent: UUID
    because: reasons.Chosen
    offer: bool = False
    new_cycle: bool = False


def pair(
    line: Iterable[Waiting],
    seats: Iterable[Seat],
    rules: Mapping[int, Rule],
    now: dt.datetime,
) -> list[Pairing]:
    """First come, first served within a priority, until no seat fits.

    Who finds every seat taken leaves none to those behind who may take the same.
    Those who may take others, since they overflow, are not held up; nor is anybody by
    who waits because everybody with room has just passed: those agents are free for
    the next, and it rings again in a new cycle.
    """
    taken = {seat.agent: seat for seat in seats}
    pairings = []
    stuck: set[tuple[int, bool]] = set()
    for waiting in sorted(line, key=lambda each: turn(each, rules[each.queue])):
        if (waiting.queue, waiting.overflows) in stuck:
            continue
        rule = rules[waiting.queue]
        fitting = ranking(taken.values(), waiting, rule)
        if not fitting:
            if not waiting.holder:  # who may be the one with room for those behind
                stuck.add((waiting.queue, waiting.overflows))
            continue
        ranked, new_cycle = _not_passed(fitting, waiting, now)
        if not ranked:
            continue
        seat = ranked[0]
        because = why(ranked, waiting, rule, now)
        pairings.append(
            Pairing(waiting.id, seat.agent, because, rule.offers, new_cycle)
        )
        taken[seat.agent] = replace(
            seat, load=seat.load + 1, idle_since=now, assigned_at=now
        )
    return pairings


def turn(waiting: Waiting, rule: Rule) -> tuple[object, ...]:
    """The order of a line: the queue's priority, rescues, the customer's priority,
    then who has waited longest."""
    return (
        -rule.priority,
        not waiting.rescued,
        -waiting.priority,
        waiting.since,
        waiting.id,
    )


def ranking(seats: Iterable[Seat], waiting: Waiting, rule: Rule) -> list[Seat]:
    """The seats with room that may take it, the one that should before the others."""
    fitting = [
        seat
        for seat in seats
        if seat.free and seat.agent != waiting.holder and tier(seat, waiting, rule)
    ]
    return sorted(fitting, key=lambda seat: _rank(seat, waiting, rule))


def tier(seat: Seat, waiting: Waiting, rule: Rule) -> tuple[bool, int] | None:
    """Own agents before the fallback queue's; then by their priority in the queue."""
    if waiting.queue in seat.tiers:
        return (False, seat.tiers[waiting.queue])
    if waiting.overflows and rule.fallback is not None and rule.fallback in seat.tiers:
        return (True, seat.tiers[rule.fallback])
    return None


def _rank(seat: Seat, waiting: Waiting, rule: Rule) -> tuple[object, ...]:
    is_last = rule.sticky and seat.agent == waiting.last_agent
    return (not is_last, tier(seat, waiting, rule), *_by_strategy(seat, rule))


def _by_strategy(seat: Seat, rule: Rule) -> tuple[object, ...]:
    """Between equals, whoever has been idle longest."""
    if rule.strategy == "longest_idle":
        return (seat.idle_since, seat.agent)
    if rule.strategy == "round_robin":
        return (seat.assigned_at or LONG_AGO, seat.idle_since, seat.agent)
    return (seat.load / seat.capacity, seat.idle_since, seat.agent)


def _not_passed(
    fitting: Sequence[Seat], waiting: Waiting, now: dt.datetime
) -> tuple[list[Seat], bool]:
    """Those it has not been offered to in this cycle. When everybody has passed, it
    rests for a while and then begins a new cycle."""
    untried = [seat for seat in fitting if seat.agent not in waiting.passed]
    if untried or not waiting.passed_at:
        return untried, False
    rested = (now - waiting.passed_at).total_seconds() >= NEW_CYCLE_SECONDS
    return (list(fitting), True) if rested else ([], False)


def why(
    ranked: Sequence[Seat], waiting: Waiting, rule: Rule, now: dt.datetime
) -> reasons.Chosen:
    first, *rest = ranked
    is_last = rule.sticky and first.agent == waiting.last_agent
    return reasons.Chosen(
        agent=first.name,
        load=first.load,
        capacity=first.capacity,
        idle_seconds=max(0, int((now - first.idle_since).total_seconds())),
        by="sticky" if is_last else rule.strategy,
        next=rest[0].name if rest else None,
        helping=None if waiting.queue in first.tiers else rule.name,
    )
