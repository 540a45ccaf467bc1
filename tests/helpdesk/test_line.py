"""The line on the real database, whatever happens in whatever order: hypothesis plays
customers, agents, their networks, an administrator and the clock, and after every step
the invariants of the line are looked up in the rows."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents.models import Agent
from customers.models import Customer
from helpdesk import database, pairing, presence, protocol, reasons, snapshots
from helpdesk.errors import QueueClosed, Refused
from helpdesk.models import (
    Assignment,
    Conversation,
    Message,
    Queue,
    QueueMembership,
    Transfer,
)
from helpdesk.pairing.deciding import NEW_CYCLE_SECONDS
from tests.helpdesk.hall import THOROUGH, Hall, load, new_id

pick = st.integers(0, 1000)  # one of those there are, by its remainder


class Line(RuleBasedStateMachine):
    """Every rule may happen at any time; one for which there is nobody does nothing."""

    @initialize(
        delivery=st.sampled_from(("offer", "direct", "offer")),
        strategy=st.sampled_from(("least_loaded", "longest_idle", "round_robin")),
        sticky=st.booleans(),
        wrap_up=st.sampled_from((0, 30)),
    )
    def opens(self, delivery: str, strategy: str, sticky: bool, wrap_up: int) -> None:
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.hall = hall = Hall()
        hall.after_hop = self.it_keeps_its_promises
        served = {
            "delivery": delivery,
            "strategy": strategy,
            "sticky": sticky,
            "wrap_up_seconds": wrap_up,
            "line_limit": 5,
        }
        self.abroad = hall.queue("Abroad", priority=1, **served)
        Queue.objects.filter(pk=hall.sales.pk).update(
            fallback=self.abroad, fallback_after_seconds=40, **served
        )
        self.agents = [
            hall.agent("Ada", hall.sales, hall.billing, capacity=1),
            hall.agent("Ben", hall.sales, self.abroad, capacity=2),
            hall.agent("Cid", self.abroad, capacity=1, here=False),
            hall.supervisor("Sue", hall.sales, hall.billing, tier=2, capacity=1),
        ]
        self.customers: list[Customer] = []
        self.since: dict[UUID, dt.datetime] = {}
        self.versions: dict[UUID, int] = {}
        self.said: dict[UUID, int] = {}
        self.known: set[int] = set()  # assignments
        self.last: tuple[Agent, Any, Any, bytes] | None = None
        for number in range(4):
            self.a_customer_comes(number, number)

    def teardown(self) -> None:
        database.offset = dt.timedelta(0)
        if hasattr(self, "undo"):
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # --- customers

    @rule(which=pick, queue=pick)
    def a_customer_comes(self, which: int, queue: int) -> None:
        free = [each for each in self.customers if not self.open_of(each)]
        if len(self.customers) < 7:
            name = f"Customer {len(self.customers)}"
            mail = "x@example.com" if which % 5 == 0 else ""
            proven = name if which % 4 == 0 else None
            free = [self.hall.customer(name, email=mail, external_id=proven)]
            self.customers += free
        if not free:
            return
        queues = (self.hall.sales, self.abroad, self.hall.billing)
        with contextlib.suppress(QueueClosed):
            self.hall.starts(free[which % len(free)], queues[queue % 3])

    @rule(which=pick, here=st.booleans())
    def a_customer_is_here_or_not(self, which: int, here: bool) -> None:
        customer = self.customers[which % len(self.customers)]
        (self.hall.arrives if here else self.hall.vanishes)(customer)

    @rule(which=pick)
    def a_customer_leaves(self, which: int) -> None:
        there = self.conversations("waiting", "active")
        if there:
            self.hall.leaves(there[which % len(there)])

    # --- agents

    @rule(which=pick, here=st.booleans())
    def an_agent_is_here_or_not(self, which: int, here: bool) -> None:
        agent = self.agents[which % 4]
        (self.hall.arrives if here else self.hall.vanishes)(agent)

    @rule(which=pick)
    def a_process_dies_with_an_agent(self, which: int) -> None:
        """Nobody learns of it before its lease lapses."""
        agent = self.agents[which % 4]
        process = self.hall.starts_process()
        self.hall.arrives(agent, through=process)
        self.hall.vanishes(agent)
        self.hall.dies(process)

    @rule(which=pick, status=st.sampled_from(("online", "online", "away", "offline")))
    def an_agent_chooses(self, which: int, status: str) -> None:
        self.hall.chooses(self.agents[which % 4], status)

    @rule(which=pick, capacity=st.integers(0, 3))
    def a_capacity_is_set(self, which: int, capacity: int) -> None:
        agent = self.agents[which % 4]
        Agent.objects.filter(pk=agent.pk).update(capacity=capacity)
        self.hall.drain(pairing.queues_of(agent.pk))

    @rule(which=pick)
    def an_agent_takes(self, which: int) -> None:
        agent = self.connected(which)
        there = self.conversations("waiting", "active")
        if agent and there:
            what = there[which % len(there)]
            frame = protocol.Take(id=new_id(), conversation=str(what.pk))
            self.tries(agent, pairing.take, frame)

    @rule(which=pick, answer=st.sampled_from(("accept", "decline", "decline")))
    def an_agent_answers(self, which: int, answer: str) -> None:
        if offer := self.ringing(which):
            what = str(offer.conversation_id)
            if answer == "accept":
                accept = protocol.OfferAccept(id=new_id(), conversation=what)
                self.tries(offer.agent, pairing.accept, accept)
            else:
                decline = protocol.OfferDecline(id=new_id(), conversation=what)
                self.tries(offer.agent, pairing.decline, decline)

    @rule(which=pick)
    def an_agent_types(self, which: int) -> None:
        if offer := self.ringing(which):
            self.hall.types(offer.agent, offer.conversation)

    @rule(which=pick)
    def an_agent_ends(self, which: int) -> None:
        held = self.conversations("active")
        if held:
            what = held[which % len(held)]
            assert what.agent
            self.hall.ends(what.agent, what)

    @rule(which=pick, to=pick, by_supervisor=st.booleans())
    def somebody_transfers(self, which: int, to: int, by_supervisor: bool) -> None:
        held = self.conversations("active")
        if not held:
            return
        what = held[which % len(held)]
        by = self.agents[3] if by_supervisor else what.agent
        assert by
        if by.pk not in presence.connected([by.pk]):
            return
        targets = [*self.agents, self.hall.sales, self.hall.billing, self.abroad]
        with contextlib.suppress(Refused):
            self.hall.transfers(by, what, targets[to % len(targets)], "Please.")

    @precondition(lambda self: self.last is not None)
    @rule()
    def an_agent_repeats_an_id(self) -> None:
        """As a client does whose ack got lost: the same ack, and nothing else."""
        assert self.last
        agent, verb, frame, ack = self.last
        before = self.rows()
        again = self.hall.does(agent, verb, frame)
        assert protocol.decode(again) == protocol.decode(ack)
        assert self.rows() == before

    # --- an administrator

    @rule(
        which=pick,
        fields=st.sampled_from(
            (
                {"delivery": "direct"},
                {"delivery": "offer"},
                {"is_open": False},
                {"is_open": True},
            )
        ),
    )
    def a_queue_is_changed(self, which: int, fields: dict[str, Any]) -> None:
        queue = (self.hall.sales, self.abroad, self.hall.billing)[which % 3]
        Queue.objects.filter(pk=queue.pk).update(**fields)
        self.hall.drain([queue.pk])

    # --- the clock

    @rule(seconds=st.sampled_from((1, 5, 21, 31, 47, 65, 130)))
    def time_passes(self, seconds: int) -> None:
        self.hall.passes(seconds)

    @rule(seconds=st.integers(1, 44), rest=st.integers(1, 59))
    def the_desk_is_killed_and_restarted(self, seconds: int, rest: int) -> None:
        """Quicker than leases lapse. Nobody is punished for it, nor soon after; but
        what rings only since then may lapse."""
        before, killed = self.punishments(), database.db_now()
        here = presence.connected(agent.pk for agent in self.agents)
        self.hall.restarts(after=seconds)
        for agent in self.agents:
            if agent.pk in here:
                self.hall.arrives(agent)
        self.hall.passes(rest)
        assert self.punishments(given_by=killed) == before

    @rule(minutes=st.integers(1, 40))
    def the_desk_was_down(self, minutes: int) -> None:
        """Nobody is punished for it."""
        before = self.punishments()
        self.hall.outage(minutes * 60)
        assert self.punishments() == before

    # --- what the rules ask for

    def conversations(self, *states: str) -> list[Conversation]:
        found = Conversation.objects.filter(state__in=states, site=self.hall.site)
        return list(found.select_related("agent").order_by("created_at", "pk"))

    def open_of(self, customer: Customer) -> bool:
        open_ones = customer.conversations.filter(state__in=("waiting", "active"))
        return open_ones.exists()

    def connected(self, which: int) -> Agent | None:
        agent = self.agents[which % 4]
        return agent if agent.pk in presence.connected([agent.pk]) else None

    def ringing(self, which: int) -> Assignment | None:
        offers = Assignment.objects.filter(kind="offer", ended_at=None)
        here = [
            each
            for each in offers.select_related("agent").order_by("pk")
            if each.agent_id in presence.connected([each.agent_id])
        ]
        return here[which % len(here)] if here else None

    def tries(self, agent: Agent, verb: Any, frame: Any) -> None:
        with contextlib.suppress(Refused):
            self.last = (agent, verb, frame, self.hall.does(agent, verb, frame))

    def rows(self) -> list[Any]:
        return [
            list(Conversation.objects.order_by("pk").values()),
            list(Assignment.objects.order_by("pk").values()),
            Message.objects.count(),
        ]

    def punishments(self, given_by: dt.datetime | None = None) -> int:
        """Of what was given by a moment, by default until now."""
        outcomes = Conversation.objects.filter(outcome__in=("abandoned", "expired"))
        by_clock = outcomes.filter(messages__data__by="clock").count()
        given = Assignment.objects.filter(started_at__lte=given_by or database.db_now())
        return by_clock + given.filter(ended_why__in=("lapsed", "agent_lost")).count()

    # --- what must hold after every step, and after every hop of the clock

    @invariant()
    def it_keeps_its_promises(self) -> None:
        new = self.new_leases()
        self.members = set(QueueMembership.objects.values_list("agent", "queue"))
        self.line = self.waiting()
        self.state_and_leases_agree()
        self.nobody_new_is_beyond_capacity(new)
        self.nobody_absent_is_given_anything(new)
        self.nobody_waits_while_an_agent_has_room()
        self.nobody_was_overtaken(new)
        self.nobody_is_asked_twice_in_a_cycle()
        self.the_story_has_no_hole()
        self.nothing_goes_back()
        self.positions_are_the_line()
        self.known = set(Assignment.objects.values_list("pk", flat=True))

    def state_and_leases_agree(self) -> None:
        """A1, and nothing open is forgotten: it is held by one agent or in a line."""
        leases = defaultdict(list)
        for lease in Assignment.objects.filter(ended_at=None):
            leases[lease.conversation_id, lease.kind].append(lease.agent_id)
        pending = set(Transfer.objects.values_list("conversation_id", flat=True))
        for row in Conversation.objects.all():
            holds, offers = leases[row.pk, "hold"], leases[row.pk, "offer"]
            assert holds == ([row.agent_id] if row.state == "active" else [])
            assert len(offers) <= 1
            if offers:
                assert row.state == "waiting" or row.pk in pending
                assert offers != holds
            if row.pk in pending:
                assert row.state == "active"

    def new_leases(self) -> list[Assignment]:
        """Made in this step and still open; an accepted offer's slot is not new."""
        made = Assignment.objects.exclude(pk__in=self.known).filter(ended_at=None)
        return [
            lease
            for lease in made.select_related("agent", "conversation")
            if not (lease.kind == "hold" and self.was_accepted(lease))
        ]

    def was_accepted(self, lease: Assignment) -> bool:
        offers = Assignment.objects.filter(kind="offer", ended_why="accepted")
        return offers.filter(
            agent=lease.agent,
            conversation=lease.conversation,
            ended_at=lease.started_at,
        ).exists()

    def nobody_new_is_beyond_capacity(self, new: list[Assignment]) -> None:
        """A2. Where capacity was lowered below the load, nothing is taken away."""
        for agent in {lease.agent for lease in new}:
            assert load(agent) <= agent.capacity, agent.name

    def nobody_absent_is_given_anything(self, new: list[Assignment]) -> None:
        """A5. Status binds what is given out, not what an agent takes or gets back."""
        agents = {lease.agent_id for lease in new}
        assert agents <= presence.connected(agents)

    def nobody_waits_while_an_agent_has_room(self) -> None:
        """But who has been passed on a moment ago by everybody with room. Who is given
        to must have a lease that outlives the COMMIT (presence.kept)."""
        soon = database.db_now() + dt.timedelta(seconds=presence.COMMIT_SECONDS)
        here = presence.connected([agent.pk for agent in self.agents], soon)
        accepting = Agent.objects.filter(pk__in=here, status="online")
        free = [agent for agent in accepting if load(agent) < agent.capacity]
        for row in self.line:
            for agent in free:
                if self.may_take(agent, row):
                    assert self.has_passed(agent, row), f"{agent} has room for {row}"

    def nobody_was_overtaken(self, new: list[Assignment]) -> None:
        """A4. Of what was given out just now, nothing went to a seat that was free for
        somebody further ahead in the same line. (A rescue's place in the line is
        forgotten once it is held, so those are left out.)"""
        for lease in new:
            given = lease.conversation
            was_rescued = given.assignments.filter(ended_why="agent_lost").exists()
            if was_rescued or not isinstance(lease.because, reasons.Chosen):
                continue
            for row in self.line:
                ahead = row.queue_id == given.queue_id and turn(row) < turn(given)
                if ahead and self.may_take(lease.agent, row):
                    assert self.has_passed(lease.agent, row)

    def waiting(self) -> list[Conversation]:
        """Who waits for an agent in a queue that is given out, and rings nowhere."""
        ringing = Assignment.objects.filter(kind="offer", ended_at=None)
        rows = Conversation.objects.filter(state="waiting", left=False)
        rows = rows.exclude(queue__strategy="manual").select_related("queue")
        return list(rows.exclude(pk__in=ringing.values("conversation_id")))

    def may_take(self, agent: Agent, row: Conversation) -> bool:
        queues: set[int | None] = {row.queue_id}
        waited = database.db_now() - row.waiting_since
        if waited.total_seconds() >= row.queue.fallback_after_seconds:
            queues.add(row.queue.fallback_id)
        return any((agent.pk, queue) in self.members for queue in queues)

    def has_passed(self, agent: Agent, row: Conversation) -> bool:
        """In this cycle, and it still rests."""
        offers = row.assignments.filter(kind="offer", cycle=row.cycle)
        asked = offers.exclude(ended_why="missed")
        newest = asked.order_by("-ended_at").first()
        if not newest or not newest.ended_at or not asked.filter(agent=agent).exists():
            return False
        rested = database.db_now() - newest.ended_at
        return rested.total_seconds() < NEW_CYCLE_SECONDS

    def nobody_is_asked_twice_in_a_cycle(self) -> None:
        offers = Assignment.objects.filter(kind="offer").exclude(ended_why="missed")
        asked = Counter(offers.values_list("conversation_id", "cycle", "agent_id"))
        assert not [each for each, times in asked.items() if times > 1]

    def the_story_has_no_hole(self) -> None:
        places = defaultdict(list)
        for message in Message.objects.order_by("conversation", "place"):
            places[message.conversation_id].append(message)
        for row in Conversation.objects.all():
            said = places[row.pk]
            assert [each.place for each in said] == list(range(1, len(said) + 1))
            assert (row.seq, row.notes) == (said[-1].seq, said[-1].notes)

    def nothing_goes_back(self) -> None:
        """Versions and stories only grow; nobody loses the time they have waited."""
        for row in Conversation.objects.all():
            assert row.version >= self.versions.get(row.pk, 0)
            assert row.seq >= self.said.get(row.pk, 0)
            assert row.waiting_since == self.since.setdefault(row.pk, row.waiting_since)
            self.versions[row.pk], self.said[row.pk] = row.version, row.seq

    def positions_are_the_line(self) -> None:
        waiting = Conversation.objects.filter(state="waiting", left=False)
        queues = set(waiting.values_list("queue_id", flat=True))
        turns = snapshots.turns(queues)
        for queue in queues:
            rows = sorted(waiting.filter(queue_id=queue), key=turn)
            positions = [turns[row.pk].position for row in rows]
            assert positions == list(range(1, len(rows) + 1))


NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def turn(row: Conversation) -> tuple[Any, ...]:
    return (not row.rescued, -row.priority, row.waiting_since, row.pk)


@pytest.mark.django_db
def test_the_line_keeps_its_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock stands still but for what a rule says: what becomes due while a step is
    # taken and looked at would be given out only by the next tick.
    monkeypatch.setattr(database, "_clock", lambda: NOON)
    run_state_machine_as_test(
        Line,
        settings=settings(
            max_examples=int(10 * THOROUGH),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # to shrink a story takes minutes
            database=None,
        ),
    )
