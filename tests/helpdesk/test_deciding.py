"""Who is next and who takes it: properties, by the hundred, then each rule alone."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk import whys
from helpdesk.pairing.deciding import (
    NEW_CYCLE_SECONDS,
    Pairing,
    Rule,
    Seat,
    Waiting,
    pair,
    tier,
    turn,
)

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
SALES, BILLING, ABROAD = 1, 2, 3


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


def seat(number: int, *queues: int, **fields: object) -> Seat:
    usual: dict[str, object] = {
        "agent": UUID(int=number),
        "name": ("", "Ada", "Ben", "Cid", "Dot", "Eve")[number],
        "load": 0,
        "capacity": 4,
        "idle_since": ago(60),
        "tiers": dict.fromkeys(queues or (SALES,), 1),
    }
    return Seat(**usual | fields)  # type: ignore[arg-type]


def waiting(number: int, queue: int = SALES, **fields: object) -> Waiting:
    usual: dict[str, object] = {
        "id": UUID(int=1000 + number),
        "queue": queue,
        "since": ago(100 - number),  # the lower number came first
    }
    return Waiting(**usual | fields)  # type: ignore[arg-type]


ADA, BEN, CID = (UUID(int=number) for number in (1, 2, 3))
LATELY = NEW_CYCLE_SECONDS - 1  # seconds: it still rests


# --- any hall at all


@dataclass(frozen=True)
class Hall:
    line: list[Waiting]
    seats: list[Seat]
    rules: dict[int, Rule]

    def pairings(self) -> list[Pairing]:
        return pair(self.line, self.seats, self.rules, NOW)


seconds_ago = st.integers(0, 400).map(ago)
agents = st.integers(1, 5).map(lambda number: UUID(int=number))
queues = st.sampled_from((SALES, BILLING, ABROAD))
strategies = st.sampled_from(("least_loaded", "longest_idle", "round_robin"))
tiers = st.dictionaries(queues, st.integers(1, 2), min_size=1)
passed_agents = st.frozensets(agents)
passed_times = st.integers(0, 60).map(ago)
some_agent = st.none() | agents
some_queue = st.none() | queues
sometime = st.none() | seconds_ago


@st.composite
def halls(draw: st.DrawFn) -> Hall:
    rules = {
        queue: Rule(
            queue=queue,
            name=f"Queue {queue}",
            strategy=draw(strategies),
            offers=draw(st.booleans()),
            sticky=draw(st.booleans()),
            priority=draw(st.integers(0, 1)),
            fallback=draw(some_queue),
        )
        for queue in (SALES, BILLING, ABROAD)
    }
    seats = [
        seat(
            number,
            capacity=(capacity := draw(st.integers(1, 3))),
            load=draw(st.integers(0, capacity + 1)),  # it was lowered meanwhile
            idle_since=draw(seconds_ago),
            assigned_at=draw(sometime),
            tiers=draw(tiers),
        )
        for number in range(1, draw(st.integers(0, 5)) + 1)
    ]
    line = [
        waiting(
            number,
            draw(queues),
            since=draw(seconds_ago),
            rescued=draw(st.booleans()),
            priority=draw(st.integers(0, 1)),
            overflows=draw(st.booleans()),
            last_agent=draw(some_agent),
            holder=draw(some_agent),
            passed=(passed := draw(passed_agents)),
            passed_at=draw(passed_times) if passed else None,
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    return Hall(draw(st.permutations(line)), draw(st.permutations(seats)), rules)


def may_take(who: Seat, what: Waiting, rules: dict[int, Rule]) -> bool:
    """Whether it is this agent's to take at all, room left aside."""
    return who.agent != what.holder and tier(who, what, rules[what.queue]) is not None


def rests(what: Waiting) -> bool:
    return (
        what.passed_at is not None
        and (NOW - what.passed_at).total_seconds() < NEW_CYCLE_SECONDS
    )


many = settings(max_examples=100, deadline=None)


@many
@given(halls())
def test_nobody_is_given_more_than_they_have_room_for(hall: Hall) -> None:
    given_to = Counter(pairing.agent for pairing in hall.pairings())
    for each in hall.seats:
        if given_to[each.agent]:
            assert each.load + given_to[each.agent] <= each.capacity


@many
@given(halls())
def test_a_conversation_goes_to_one_agent(hall: Hall) -> None:
    given = [pairing.conversation for pairing in hall.pairings()]
    assert len(given) == len(set(given))


@many
@given(halls())
def test_it_goes_only_to_agents_whose_it_is(hall: Hall) -> None:
    """Members of its queue; the fallback's once it overflows; never who holds it."""
    seats = {each.agent: each for each in hall.seats}
    line = {each.id: each for each in hall.line}
    for pairing in hall.pairings():
        assert may_take(seats[pairing.agent], line[pairing.conversation], hall.rules)


@many
@given(halls())
def test_nobody_overtakes(hall: Hall) -> None:
    """A4. Who stands behind takes a seat before who stands before them only when it
    is none of the latter's seats, or its agent has passed on the latter just now."""
    given = {pairing.conversation: pairing.agent for pairing in hall.pairings()}
    seats = {each.agent: each for each in hall.seats}
    line = sorted(hall.line, key=lambda each: turn(each, hall.rules[each.queue]))
    for position, before in enumerate(line):
        if before.id in given:
            continue
        for behind in line[position + 1 :]:
            if behind.id not in given:
                continue
            taken = seats[given[behind.id]]
            passed = taken.agent in before.passed and rests(before)
            assert not may_take(taken, before, hall.rules) or passed


@many
@given(halls())
def test_nobody_waits_while_an_agent_has_room(hall: Hall) -> None:
    """But who has been passed on by everybody with room rests for a while."""
    given = {pairing.conversation for pairing in hall.pairings()}
    now_taken = Counter(pairing.agent for pairing in hall.pairings())
    for each in hall.line:
        if each.id in given:
            continue
        for free in hall.seats:
            if free.load + now_taken[free.agent] >= free.capacity:
                continue
            if may_take(free, each, hall.rules):
                assert free.agent in each.passed
                assert rests(each)


@many
@given(halls())
def test_nobody_is_offered_it_twice_in_a_cycle(hall: Hall) -> None:
    line = {each.id: each for each in hall.line}
    for pairing in hall.pairings():
        given = line[pairing.conversation]
        assert pairing.new_cycle == (pairing.agent in given.passed)
        if pairing.new_cycle:
            assert not rests(given)


@many
@given(halls())
def test_own_agents_come_before_helpers(hall: Hall) -> None:
    """And those with 1 before those with 2, unless the last agent is asked first."""
    seats = {each.agent: each for each in hall.seats}
    line = {each.id: each for each in hall.line}
    loads = Counter({each.agent: each.load for each in hall.seats})
    for pairing in hall.pairings():
        what = line[pairing.conversation]
        rule = hall.rules[what.queue]
        chosen = tier(seats[pairing.agent], what, rule)
        assert chosen
        for other in hall.seats:
            if loads[other.agent] >= other.capacity or not may_take(
                other, what, hall.rules
            ):
                continue
            if other.agent in what.passed and not pairing.new_cycle:
                continue
            better = tier(other, what, rule)
            assert better
            if not (rule.sticky and pairing.agent == what.last_agent):
                assert chosen <= better
        loads[pairing.agent] += 1


@many
@given(halls(), st.randoms())
def test_the_order_of_the_rows_decides_nothing(hall: Hall, chance: object) -> None:
    def shuffled(rows: Sequence[object]) -> list[object]:
        again = list(rows)
        chance.shuffle(again)  # type: ignore[attr-defined]
        return again

    other = Hall(shuffled(hall.line), shuffled(hall.seats), hall.rules)  # type: ignore[arg-type]
    assert other.pairings() == hall.pairings()


@many
@given(halls())
def test_every_decision_says_why(hall: Hall) -> None:
    names = {each.agent: each.name for each in hall.seats}
    for pairing in hall.pairings():
        assert pairing.because.agent == names[pairing.agent]
        assert pairing.because.load < pairing.because.capacity


@many
@given(halls())
def test_it_rings_where_the_queue_says_so(hall: Hall) -> None:
    line = {each.id: each for each in hall.line}
    for pairing in hall.pairings():
        rule = hall.rules[line[pairing.conversation].queue]
        assert pairing.offer == rule.offers


# --- each rule alone


def takers(
    line: list[Waiting], seats: list[Seat], *rules: Rule
) -> list[tuple[int, str]]:
    """Which conversation goes to whom, in the order decided."""
    known = {rule.queue: rule for rule in rules} or {SALES: Rule(SALES)}
    names = {each.agent: each.name for each in seats}
    return [
        (pairing.conversation.int - 1000, names[pairing.agent])
        for pairing in pair(line, seats, known, NOW)
    ]


def taker(waits: Waiting, seats: list[Seat], *rules: Rule) -> str | None:
    given = takers([waits], seats, *rules)
    return given[0][1] if given else None


def test_whoever_came_first_is_first() -> None:
    line = [waiting(2), waiting(1), waiting(3)]
    assert takers(line, [seat(1, capacity=2)]) == [(1, "Ada"), (2, "Ada")]


def test_a_rescue_stands_before_the_others() -> None:
    line = [waiting(1, priority=1), waiting(2, rescued=True)]
    assert takers(line, [seat(1, capacity=1)]) == [(2, "Ada")]


def test_the_higher_priority_stands_before_the_lower() -> None:
    line = [waiting(1), waiting(2, priority=1)]
    assert takers(line, [seat(1, capacity=1)]) == [(2, "Ada")]


def test_an_agent_of_several_queues_serves_the_highest_first() -> None:
    line = [waiting(1, SALES, rescued=True), waiting(2, BILLING)]
    rules = (Rule(SALES), Rule(BILLING, priority=1))
    assert takers(line, [seat(1, SALES, BILLING, capacity=1)], *rules) == [(2, "Ada")]


def test_least_loaded_compares_shares_not_counts() -> None:
    seats = [seat(1, load=1, capacity=2), seat(2, load=2, capacity=8)]
    assert taker(waiting(1), seats) == "Ben"


def test_equally_loaded_the_longest_idle_takes_it() -> None:
    seats = [seat(1, idle_since=ago(10)), seat(2, idle_since=ago(20))]
    assert taker(waiting(1), seats) == "Ben"


def test_longest_idle_does_not_look_at_the_load() -> None:
    seats = [seat(1, load=0, idle_since=ago(10)), seat(2, load=3, idle_since=ago(20))]
    assert taker(waiting(1), seats, Rule(SALES, strategy="longest_idle")) == "Ben"


def test_in_turn_means_whoever_was_asked_longest_ago() -> None:
    rule = Rule(SALES, strategy="round_robin")
    seats = [
        seat(1, assigned_at=ago(10)),
        seat(2, load=3, assigned_at=ago(20)),
        seat(3, assigned_at=ago(15)),
    ]
    line = [waiting(number) for number in range(3)]
    assert takers(line, seats, rule) == [(0, "Ben"), (1, "Cid"), (2, "Ada")]


def test_in_turn_begins_with_whoever_was_never_asked() -> None:
    rule = Rule(SALES, strategy="round_robin")
    seats = [seat(1, assigned_at=ago(1000)), seat(2)]
    assert taker(waiting(1), seats, rule) == "Ben"


def test_several_at_once_are_spread() -> None:
    line = [waiting(number) for number in range(4)]
    given = takers(line, [seat(1), seat(2)])
    assert Counter(name for _, name in given) == {"Ada": 2, "Ben": 2}


@pytest.mark.parametrize(("load", "who"), [(3, "Ada"), (4, "Ben")])
def test_the_last_agent_is_first_if_there_is_room(load: int, who: str) -> None:
    seats = [seat(1, load=load), seat(2)]
    rule = Rule(SALES, sticky=True)
    assert taker(waiting(1, last_agent=ADA), seats, rule) == who


def test_the_last_agent_is_like_any_other_where_the_queue_does_not_say_so() -> None:
    assert taker(waiting(1, last_agent=ADA), [seat(1, load=3), seat(2)]) == "Ben"


@pytest.mark.parametrize(("load", "who"), [(3, "Ada"), (4, "Ben")])
def test_members_with_2_are_asked_when_those_with_1_are_full(
    load: int, who: str
) -> None:
    seats = [seat(1, load=load), seat(2, tiers={SALES: 2})]
    assert taker(waiting(1), seats) == who


@pytest.mark.parametrize(("overflows", "who"), [(False, None), (True, "Ben")])
def test_the_fallback_helps_only_after_a_while(overflows: bool, who: str) -> None:
    seats = [seat(1, load=4), seat(2, BILLING)]
    rules = (Rule(SALES, fallback=BILLING), Rule(BILLING))
    assert taker(waiting(1, overflows=overflows), seats, *rules) == who


def test_helpers_are_asked_after_own_agents() -> None:
    seats = [seat(1, load=3), seat(2, BILLING)]
    rules = (Rule(SALES, fallback=BILLING), Rule(BILLING))
    assert taker(waiting(1, overflows=True), seats, *rules) == "Ada"


def test_who_must_wait_for_own_agents_holds_up_nobody_whom_helpers_may_take() -> None:
    line = [waiting(1, priority=1), waiting(2, overflows=True)]
    rules = (Rule(SALES, fallback=BILLING), Rule(BILLING))
    assert takers(line, [seat(2, BILLING)], *rules) == [(2, "Ben")]


def test_who_transfers_it_does_not_get_it_back() -> None:
    assert taker(waiting(1, holder=ADA), [seat(1), seat(2, load=3)]) == "Ben"
    assert taker(waiting(1, holder=ADA), [seat(1)]) is None


def test_a_transfer_without_a_taker_holds_up_nobody() -> None:
    line = [waiting(1, holder=ADA), waiting(2)]
    assert takers(line, [seat(1)]) == [(2, "Ada")]


def test_it_does_not_ring_twice_with_one_agent() -> None:
    passed = {"passed": frozenset({ADA}), "passed_at": ago(LATELY)}
    assert taker(waiting(1, **passed), [seat(1), seat(2, load=3)]) == "Ben"
    assert taker(waiting(1, **passed), [seat(1)]) is None


def test_after_a_rest_it_rings_anew() -> None:
    line = [
        waiting(1, passed=frozenset({ADA, BEN}), passed_at=ago(NEW_CYCLE_SECONDS)),
    ]
    (pairing,) = pair(line, [seat(1, load=1), seat(2)], {SALES: Rule(SALES)}, NOW)
    assert (pairing.agent, pairing.new_cycle) == (BEN, True)


def test_who_rests_holds_up_nobody() -> None:
    line = [waiting(1, passed=frozenset({ADA}), passed_at=ago(LATELY)), waiting(2)]
    assert takers(line, [seat(1, capacity=1)]) == [(2, "Ada")]


# --- why


def sentence(seats: list[Seat], rule: Rule, **fields: object) -> str:
    rules = {SALES: rule, BILLING: Rule(BILLING)}
    (pairing,) = pair([waiting(1, **fields)], seats, rules, NOW)
    return whys.in_english(pairing.because)


def test_why_tells_load_idleness_and_who_would_be_next() -> None:
    seats = [seat(1, load=1, idle_since=ago(185)), seat(2, load=2)]
    assert sentence(seats, Rule(SALES)) == (
        "Ada: 1 of 4, idle 3 min; next would be Ben."
    )


def test_why_names_nobody_next_where_there_is_nobody() -> None:
    assert sentence([seat(1, idle_since=ago(59))], Rule(SALES)) == (
        "Ada: 0 of 4, idle 59 s."
    )


@pytest.mark.parametrize(
    ("rule", "begins"),
    [
        (Rule(SALES, strategy="longest_idle"), "Ada: idle 1 min, 0 of 4"),
        (Rule(SALES, strategy="round_robin"), "Ada: next in turn, 0 of 4"),
        (Rule(SALES, sticky=True), "Ada: talked with this customer last, 0 of 4"),
    ],
)
def test_why_names_the_strategy(rule: Rule, begins: str) -> None:
    assert sentence([seat(1)], rule, last_agent=ADA).startswith(begins)


def test_why_tells_that_somebody_helps_out() -> None:
    rule = Rule(SALES, name="Sales", fallback=BILLING)
    assert "helping out Sales" in sentence([seat(1, BILLING)], rule, overflows=True)


def test_a_clock_that_went_back_makes_nobody_idle_for_less_than_nothing() -> None:
    future = replace(seat(1), idle_since=ago(-5))
    assert "idle 0 s" in sentence([future], Rule(SALES))
