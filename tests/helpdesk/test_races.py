"""Several at once, each on a connection of its own: who wins, and what the others are
told. Outcomes are counted over many rounds on one hall, since any one of them may be
had by luck. Each docstring names the guard that it watches, without which it was seen
to fail on PostgreSQL; on SQLite the guard is that one transaction writes at a time.

Nobody ever reads of a deadlock: what the database undid is run again."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from agents.models import Agent
from customers.models import Customer
from helpdesk import (
    clock,
    conversations,
    database,
    hub,
    pairing,
    presence,
    protocol,
    writer,
)
from helpdesk.database import in_transaction, reading
from helpdesk.errors import Refused
from helpdesk.models import (
    Assignment,
    Connection,
    Conversation,
    Message,
    Queue,
    QueueMembership,
    Receipt,
    ServerProcess,
    Transfer,
)
from tests.back_office import signed_in, superuser
from tests.helpdesk.hall import THOROUGH, Hall, fresh, load, new_id
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(30 * THOROUGH)
# Before the COMMIT, so that the others meet what is locked.
LINGER_SECONDS = 0 if ON_SQLITE else 0.004
Act = Callable[[], object]
made = in_transaction


class OnItsOwn(NamedTuple):
    """An act that makes its own transactions."""

    act: Act

    def __call__(self) -> object:
        return self.act()


@pytest.fixture(autouse=True)
async def _a_loop_of_its_own() -> AsyncIterator[None]:
    database.close_all()
    desk_of_this_loop = hub.current()
    yield
    await desk_of_this_loop.close()
    await writer.close()
    database.close_all()


@pytest.fixture
async def hall() -> Hall:
    """Whose process lives for as long as the rounds take."""
    return await made(open_hall)


def open_hall() -> Hall:
    opened = Hall()
    tomorrow = database.db_now() + dt.timedelta(days=1)
    ServerProcess.objects.update(alive_until=tomorrow)
    return opened


class Race:
    """Rounds of acts that begin together, or within `spread` seconds, so that each may
    be first. Each lane is a thread with a connection."""

    def __init__(self, rounds: Iterable[Sequence[Act]], spread: float = 0) -> None:
        self.rounds = list(rounds)
        self.spread = spread
        lanes = len(self.rounds[0])
        self.barrier = threading.Barrier(lanes)
        self.heard = [[""] * lanes for _ in self.rounds]
        self.tries: list[None] = []
        self.failures: list[Exception] = []

    async def run(self) -> list[list[str]]:
        """What each heard in each round: "done", or the code of its refusal."""
        await asyncio.to_thread(self._all_lanes)
        if self.failures:
            raise self.failures[0]
        return self.heard

    @property
    def undone(self) -> int:
        """How often the database undid an act, which was then run again."""
        return len(self.tries) - sum(map(len, self.rounds))

    def _all_lanes(self) -> None:
        lanes = range(len(self.rounds[0]))
        threads = [threading.Thread(target=self._lane, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, lane: int) -> None:
        try:
            hurry()
            for number, acts in enumerate(self.rounds):
                self.barrier.wait(60)
                threading.Event().wait(random.uniform(0, self.spread))
                self.heard[number][lane] = self._told(acts[lane])
        except threading.BrokenBarrierError:
            pass
        except Exception as failure:  # noqa: BLE001 (it is raised in the test)
            self.failures.append(failure)
            self.barrier.abort()
        finally:
            connections.close_all()

    def _told(self, act: Act) -> str:
        try:
            if isinstance(act, OnItsOwn):
                self.tries.append(None)
                act()
            else:
                database._committed(self._linger_after, act)
        except Refused as refused:
            return refused.code
        return "done"

    def _linger_after(self, act: Act) -> None:
        self.tries.append(None)
        act()
        if LINGER_SECONDS:
            threading.Event().wait(LINGER_SECONDS)


def hurry() -> None:
    """One connection for all rounds, which does not wait for the disk: the tests ask
    who wins, not what a crash leaves."""
    connection.ensure_connection()
    connection.close_at = None
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO off")


def told(heard: list[list[str]]) -> Counter[str]:
    return Counter(word for each in heard for word in each)


# --- what they do


def takes(agent: Agent, what: Conversation) -> Act:
    frame = protocol.Take(id=new_id(), conversation=str(what.pk))
    return lambda: pairing.take(agent, frame)


def accepts(agent: Agent, what: Conversation) -> Act:
    frame = protocol.OfferAccept(id=new_id(), conversation=str(what.pk))
    return lambda: pairing.accept(agent, frame)


def transfers(agent: Agent, what: Conversation, to: Agent) -> Act:
    target = protocol.Target(agent=str(to.pk))
    frame = protocol.Transfer(id=new_id(), conversation=str(what.pk), to=target)
    return lambda: pairing.transfer(agent, frame)


def ends(agent: Agent, what: Conversation) -> Act:
    frame = protocol.AgentEnd(id=new_id(), conversation=str(what.pk))
    return lambda: conversations.end_by_agent(agent, frame)


def leaves(what: Conversation) -> Act:
    frame = protocol.CustomerEnd(id=new_id())
    return lambda: conversations.end_by_customer(what.customer_id, frame)


def chooses(agent: Agent, status: str) -> Act:
    frame = protocol.StatusSet(id=new_id(), status=status)
    return lambda: pairing.set_status(agent, frame)


def drains(queue: Queue) -> Act:
    return lambda: pairing.drain([queue.pk])


# --- whom they meet; many at a time


def queued(queue: Queue, count: int = ROUNDS, **fields: Any) -> list[Conversation]:
    """Who waits, with no one yet there to give it out."""
    return queued_in([queue] * count, **fields)


def queued_in(queues: Sequence[Queue], **fields: Any) -> list[Conversation]:
    now = database.db_now()
    names = [Customer(site=each.site, name=f"{n}") for n, each in enumerate(queues)]
    return Conversation.objects.bulk_create(
        Conversation(
            site=queue.site,
            queue=queue,
            customer=customer,
            created_at=now,
            waiting_since=now + dt.timedelta(milliseconds=number),
            **fields,
        )
        for number, (queue, customer) in enumerate(
            zip(queues, Customer.objects.bulk_create(names), strict=True)
        )
    )


def held(queue: Queue, agent: Agent, count: int = ROUNDS) -> list[Conversation]:
    """Conversations that this agent holds."""
    now = database.db_now()
    talks = queued(queue, count, agent=agent, state="active", started_at=now)
    Assignment.objects.bulk_create(
        Assignment(conversation=each, agent=agent, started_at=now) for each in talks
    )
    return talks


def offered(queue: Queue, agents: Sequence[Agent]) -> list[Conversation]:
    """One that rings for each of them."""
    waiting = queued(queue, len(agents))
    ring_for(waiting, agents)
    return waiting


def ring_for(talks: Sequence[Conversation], agents: Sequence[Agent]) -> None:
    now = database.db_now()
    Assignment.objects.bulk_create(
        Assignment(
            conversation=each,
            agent=agent,
            kind="offer",
            started_at=now,
            lapses_at=now + dt.timedelta(seconds=600),
        )
        for each, agent in zip(talks, agents, strict=True)
    )


def agents_of(hall: Hall, *queues: Queue, **fields: Any) -> list[Agent]:
    """An agent for each round, who is here; each of them staffs all of these."""
    return crew(hall, [queues or (hall.sales,)] * ROUNDS, **fields)


def staffed(hall: Hall, **fields: Any) -> list[tuple[Queue, Agent]]:
    """A queue for each round, with an agent of its own."""
    queues = Queue.objects.bulk_create(
        Queue(site=hall.site, name=new_id(), **fields) for _ in range(ROUNDS)
    )
    return list(zip(queues, crew(hall, [[each] for each in queues]), strict=True))


def crew(hall: Hall, staffed: Sequence[Sequence[Queue]], **fields: Any) -> list[Agent]:
    """Agents who are here, by the queues that each of them staffs."""
    users = User.objects.bulk_create(User(username=new_id()) for _ in staffed)
    fields.setdefault("name", "Ada")
    agents = Agent.objects.bulk_create(Agent(user=user, **fields) for user in users)
    QueueMembership.objects.bulk_create(
        QueueMembership(queue=queue, agent=agent)
        for agent, queues in zip(agents, staffed, strict=True)
        for queue in queues
    )
    Connection.objects.bulk_create(
        Connection(process_id=hall.process, person=agent.pk) for agent in agents
    )
    return agents


# --- what has become of it


def holders(talks: Sequence[Conversation]) -> list[str | None]:
    """By name, of each."""
    leases = Assignment.objects.filter(kind="hold", ended_at=None)
    by = dict(leases.values_list("conversation_id", "agent__name"))
    return [by.get(each.pk) for each in talks]


def nothing_rings() -> bool:
    return not Assignment.objects.filter(kind="offer", ended_at=None).exists()


def nothing_is_leased() -> bool:
    return not Assignment.objects.filter(ended_at=None).exists()


def states(talks: Sequence[Conversation]) -> set[str]:
    rows = Conversation.objects.filter(pk__in=[each.pk for each in talks])
    return set(rows.values_list("state", flat=True))


# --- who takes it


async def test_two_agents_take_one(hall: Hall) -> None:
    """Guard: the conversation's row lock (conversations.locked_all). Behind it the
    constraint one_holder_at_a_time, which undoes the second; it is never needed."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=30_000)
    ben = await made(hall.agent, "Ben", hall.billing, capacity=30_000)
    talks = await made(queued, hall.billing)
    race = Race((takes(ada, what), takes(ben, what)) for what in talks)
    assert told(await race.run()) == {"done": ROUNDS, "already_taken": ROUNDS}
    assert race.undone == 0
    assert await reading(lambda: load(ada) + load(ben)) == ROUNDS


async def test_two_tabs_accept_one(hall: Hall) -> None:
    """Guard: the offer is looked up again under the locks (offers._offered)."""
    ada = await made(hall.agent, "Ada", capacity=30_000)
    talks = await made(offered, hall.sales, [ada] * ROUNDS)
    race = Race((accepts(ada, what), accepts(ada, what)) for what in talks)
    assert told(await race.run()) == {"done": ROUNDS, "offer_lapsed": ROUNDS}
    assert race.undone == 0
    assert await reading(holders, talks) == ["Ada"] * ROUNDS


async def test_one_accepts_what_another_takes(hall: Hall) -> None:
    """Guard: the conversation's row lock (conversations.locked_all)."""
    ada = await made(hall.agent, "Ada", capacity=30_000)
    ben = await made(hall.agent, "Ben", capacity=30_000)
    talks = await made(offered, hall.sales, [ada] * ROUNDS)
    race = Race((accepts(ada, each), takes(ben, each)) for each in talks)
    heard = await race.run()
    assert race.undone == 0
    for words, holder in zip(heard, await reading(holders, talks), strict=True):
        assert sorted(words) == ["already_taken", "done"]
        assert holder == ("Ada" if words[0] == "done" else "Ben")
    assert await reading(nothing_rings)


async def test_eight_are_taken_by_an_agent_with_three_slots(hall: Hall) -> None:
    """Guard: the agent's row lock, before the load is counted (pairing.take)."""
    places = await made(staffed, hall, strategy="manual")
    agents = [agent for _, agent in places]
    await made(Agent.objects.update, capacity=3)
    talks = await made(queued_in, [queue for queue, _ in places for _ in range(8)])
    rounds = [
        [takes(agent, what) for what in talks[8 * n : 8 * n + 8]]
        for n, agent in enumerate(agents)
    ]
    assert told(await Race(rounds).run()) == {"done": 3 * ROUNDS, "full": 5 * ROUNDS}
    assert await reading(lambda: {load(agent) for agent in agents}) == {3}


async def test_four_queues_give_eight_to_an_agent_with_three_slots(hall: Hall) -> None:
    """Guard: the agents' row locks, before their loads are counted (draining._seats);
    the queues' own locks do not help, since each drains another one."""
    queues = await made(lambda: [hall.queue(new_id()) for _ in range(4)])
    agents = await made(agents_of, hall, *queues, capacity=3, status="offline")
    rounds: list[Sequence[Act]] = []
    for agent in agents:
        rounds.append([only(agent, queues), *[look_on] * 3])
        rounds.append([drains(queue) for queue in queues])
    assert told(await Race(rounds).run()) == {"done": 8 * ROUNDS}
    assert await reading(lambda: {load(agent) for agent in agents}) == {3}


def only(agent: Agent, queues: Sequence[Queue]) -> Act:
    """Of all agents this one is online; two wait in each queue."""

    def begins() -> None:
        Agent.objects.exclude(pk=agent.pk).update(status="offline")
        Agent.objects.filter(pk=agent.pk).update(status="online")
        Conversation.objects.filter(state="waiting").delete()
        queued_in([*queues, *queues])

    return OnItsOwn(begins)


look_on = OnItsOwn(int)


async def test_drained_by_several_processes_it_goes_in_order_to_all_with_room(
    hall: Hall,
) -> None:
    """Who comes online while it is given out gets what is left, at once. Guard: the
    queue's row lock (draining._locked), and those of its agents (draining._seats): here
    either is enough."""
    places = await made(staffed, hall)
    queues = [[queue] for queue, _ in places]
    bens = await made(crew, hall, queues, name="Ben", status="offline")
    talks = await made(queued_in, [queue for queue, _ in places for _ in range(6)])
    await made(Agent.objects.update, capacity=2)

    def comes_online(ben: Agent, queue: Queue) -> Act:
        def comes() -> None:
            Agent.objects.filter(pk=ben.pk).update(status="online")
            with transaction.atomic():
                pairing.drain([queue.pk])

        return OnItsOwn(comes)

    rounds = [
        (drains(queue), drains(queue), comes_online(ben, queue))
        for (queue, _), ben in zip(places, bens, strict=True)
    ]
    await Race(rounds, spread=0.02).run()
    held_by = await reading(holders, talks)
    for n in range(ROUNDS):
        line = held_by[6 * n : 6 * n + 6]
        assert sorted(map(str, line[:4])) == ["Ada", "Ada", "Ben", "Ben"]
        assert line[4:] == [None, None]


async def test_given_out_while_an_agent_takes_it(hall: Hall) -> None:
    """Guard: whether it still waits is looked at under its lock
    (draining._still_waits)."""
    places = await made(staffed, hall, delivery="offer")
    queues = [queue for queue, _ in places]
    ben = await made(hall.agent, "Ben", *queues, status="away", capacity=30_000)
    talks = await made(queued_in, queues)
    race = Race(
        (takes(ben, what), drains(queue))
        for what, queue in zip(talks, queues, strict=True)
    )
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    assert await reading(holders, talks) == ["Ben"] * ROUNDS
    assert await reading(nothing_rings)


# --- while it ends


async def test_the_customer_leaves_while_an_agent_takes_it(hall: Hall) -> None:
    """Guard: the state is looked at under the row's lock (pairing.take)."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=30_000)
    talks = await made(queued, hall.billing)
    heard = await Race((takes(ada, each), leaves(each)) for each in talks).run()
    assert {words[0] for words in heard} <= {"done", "ended"}
    assert {words[1] for words in heard} == {"done"}
    assert await reading(states, talks) == {"ended"}
    assert await reading(nothing_is_leased)


async def test_it_is_transferred_while_it_ends(hall: Hall) -> None:
    """By the agent's other tab, and by the customer. Guard: the state is looked at
    under the locks of the row and its agent (conversations.held)."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=30_000)
    ben = await made(hall.agent, "Ben", hall.billing, capacity=30_000)
    talks = await made(held, hall.billing, ada)
    heard = await Race(
        (transfers(ada, each, ben), ends(ada, each), leaves(each)) for each in talks
    ).run()
    for transferred, *ended in heard:
        assert transferred in ("done", "ended")
        assert sorted(ended) == ["done", "ended"]
    assert await reading(states, talks) == {"ended"}
    assert await reading(nothing_is_leased)


async def test_the_customer_reads_while_another_queue_accepts_it(hall: Hall) -> None:
    """Guard: what a row joins is read after its lock (conversations.locked_all). In one
    statement, the row is read as it is after the wait for its lock, its queue as it was
    before; they do not fit, and the conversation is not found at all."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=30_000)
    ben = await made(hall.agent, "Ben", hall.sales, capacity=30_000)
    talks = await made(held, hall.billing, ada)
    await made(Conversation.objects.update, seq=1)

    def to_sales() -> None:
        now = database.db_now()
        Transfer.objects.bulk_create(
            Transfer(conversation=each, by=ada, to_queue=hall.sales, at=now)
            for each in talks
        )
        ring_for(talks, [ben] * ROUNDS)

    await made(to_sales)
    race = Race(
        (accepts(ben, each), lambda what=each: conversations.read(what, "customer", 1))
        for each in talks
    )
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    rows = await reading(lambda: [fresh(each) for each in talks])
    assert {(row.queue_id, row.read_by_customer) for row in rows} == {
        (hall.sales.pk, 1)
    }


# --- while the clock ticks


async def test_an_agent_accepts_while_it_lapses_and_the_customer_leaves(
    hall: Hall,
) -> None:
    """Guard: the offer is looked up again under the locks (offers.lapse,
    offers._offered, conversations.withdraw)."""
    agents = await made(agents_of, hall)
    talks = await made(offered, hall.sales, agents)
    offers = await reading(lambda: [each.assignments.get() for each in talks])

    def lapses(offer: Assignment) -> Act:
        """After a moment the time is up."""

        def sweeps() -> None:
            now = database.db_now()
            Assignment.objects.filter(pk=offer.pk).update(lapses_at=now)
            with transaction.atomic():
                pairing.lapse(offer.pk)

        return OnItsOwn(sweeps)

    rounds = [
        (accepts(agent, what), lapses(offer), leaves(what))
        for agent, what, offer in zip(agents, talks, offers, strict=True)
    ]
    heard = await Race(rounds, spread=0.03).run()
    assert {words[0] for words in heard} <= {"done", "offer_lapsed", "already_taken"}
    assert {words[2] for words in heard} == {"done"}
    assert await reading(states, talks) == {"ended"}
    assert await reading(nothing_is_leased)
    for agent, words, offer in zip(agents, heard, offers, strict=True):
        why = (await reading(fresh, offer)).ended_why
        lapsed = (await reading(fresh, agent)).lapses
        assert why in ("accepted", "lapsed", "customer_left")
        assert (words[0] == "done") == (why == "accepted")
        assert lapsed == (why == "lapsed")


async def test_two_clocks_at_once(hall: Hall) -> None:
    """Guard: what another clock has in hand is left to it, and each row looked at
    again under its lock (clock._each_locked), an offer under its agent's
    (offers.lapse)."""
    gone = await made(agents_of, hall, hall.billing, capacity=9)
    here = await made(agents_of, hall)

    def long_ago() -> list[list[Conversation]]:
        then = database.db_now() - dt.timedelta(seconds=70)
        there = [talk for each in gone for talk in held(hall.billing, each, 1)]
        ringing = offered(hall.sales, here)
        left = queued(hall.billing, customer_gone_at=then)
        for each in gone:
            hall.vanishes(each)
        Agent.objects.filter(gone_at__isnull=False).update(gone_at=then)
        Assignment.objects.filter(kind="offer").update(lapses_at=then)
        return [there, ringing, left]

    there, ringing, left = await made(long_ago)
    assert told(await Race([[OnItsOwn(clock.tick)] * 3]).run()) == {"done": 3}
    said = await reading(events_of, there)
    assert {each.count("requeued") for each in said} == {1}
    assert {each.count("agent_lost") for each in said} <= {0, 1}
    assert await reading(whys_of, there) == [["agent_lost"]] * ROUNDS
    assert await reading(events_of, left) == [["ended"]] * ROUNDS
    assert await reading(whys_of, ringing) == [["lapsed"]] * ROUNDS
    lapses = await reading(lambda: [fresh(each).lapses for each in here])
    assert lapses == [1] * ROUNDS


def events_of(talks: Sequence[Conversation]) -> list[list[str]]:
    rows = Message.objects.exclude(event="").order_by("place")
    found: dict[Any, list[str]] = {}
    for where, event in rows.values_list("conversation_id", "event"):
        found.setdefault(where, []).append(event)
    return [found.get(each.pk, []) for each in talks]


def whys_of(talks: Sequence[Conversation]) -> list[list[str]]:
    """Why leases ended."""
    rows = Assignment.objects.exclude(ended_at=None).order_by("ended_at", "pk")
    found: dict[Any, list[str]] = {}
    for where, why in rows.values_list("conversation_id", "ended_why"):
        found.setdefault(where, []).append(why)
    return [found.get(each.pk, []) for each in talks]


async def test_an_agent_is_back_while_it_goes_to_the_line(hall: Hall) -> None:
    """Guard: the agent's row lock, under which the absence is looked at again
    (clock._requeue_all). Either way the agent holds it."""
    agents = await made(agents_of, hall, hall.billing)

    def lost() -> list[Conversation]:
        then = database.db_now() - dt.timedelta(seconds=90)
        Agent.objects.update(gone_at=then)
        return [talk for each in agents for talk in held(hall.billing, each, 1)]

    talks = await made(lost)
    now = await reading(database.db_now)

    def requeues(agent: Agent) -> Act:
        of_agent = Conversation.objects.filter(
            state="active",
            agent=agent,
            agent__gone_at__lte=now - dt.timedelta(seconds=60),
        )
        return lambda: clock._requeue_all(agent.pk, of_agent)

    race = Race(
        (lambda agent=each: clock.agent_returned(agent.pk), requeues(each))
        for each in agents
    )
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    assert await reading(holders, talks) == ["Ada"] * ROUNDS
    assert await reading(states, talks) == {"active"}


async def test_an_agent_is_back_while_somebody_writes(hall: Hall) -> None:
    """Guard: a return waits for rows that are locked (clock.agent_returned): nobody
    would tell the customer of it later."""
    agents = await made(agents_of, hall, hall.billing)

    def lost() -> list[Conversation]:
        now = database.db_now()
        talks = [talk for each in agents for talk in held(hall.billing, each, 1)]
        Agent.objects.update(gone_at=now)
        Conversation.objects.update(agent_lost_at=now)
        return talks

    talks = await made(lost)

    def writes(what: Conversation) -> Act:
        return lambda: conversations.say_event(
            conversations.locked(what.pk), "x", "…", {}
        )

    race = Race(
        (lambda agent=agent: clock.agent_returned(agent.pk), writes(what))
        for agent, what in zip(agents, talks, strict=True)
    )
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    rows = await reading(lambda: [fresh(each) for each in talks])
    assert {row.agent_lost_at for row in rows} == {None}


# --- an agent goes while it is given out


async def test_an_agent_goes_offline_while_it_rings(hall: Hall) -> None:
    """Guard: the agent's row lock (draining._seats, pairing.set_status), under which
    what rings is looked for."""
    places = await made(staffed, hall, delivery="offer")
    talks = await made(queued_in, [queue for queue, _ in places])
    race = Race((chooses(agent, "offline"), drains(queue)) for queue, agent in places)
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    assert await reading(nothing_rings)
    assert await reading(holders, talks) == [None] * ROUNDS


async def test_an_agent_vanishes_while_it_rings(hall: Hall) -> None:
    """Guard: presence is read after the agent's row lock (draining._seats), and what
    rings is looked for under it, once the presence has ended (offers.withdraw_from)."""
    places = await made(staffed, hall, delivery="offer")
    await made(queued_in, [queue for queue, _ in places])

    def vanishes(agent: Agent) -> Act:
        """As the socket's end does it."""

        def goes() -> None:
            presence.leave(hall.process, agent.pk)
            clock.agent_moved(agent.pk)

        return OnItsOwn(goes)

    rounds = [(vanishes(agent), drains(queue)) for queue, agent in places]
    race = Race(rounds, spread=0.02)
    assert told(await race.run()) == {"done": 2 * ROUNDS}
    assert await reading(nothing_rings)


async def test_nobody_is_given_anything_who_has_left(hall: Hall) -> None:
    """A5. Guard: the lease that is looked at is locked (presence.kept), so that who
    leaves does so before or after, but not in between."""
    places = await made(staffed, hall)
    talks = await made(queued_in, [queue for queue, _ in places])
    left: dict[UUID, dt.datetime] = {}

    def vanishes(agent: Agent) -> Act:
        def goes() -> None:
            with transaction.atomic():
                presence.leave(hall.process, agent.pk)
                left[agent.pk] = database.db_now()

        return OnItsOwn(goes)

    rounds = [(vanishes(agent), drains(queue)) for queue, agent in places]
    await Race(rounds, spread=0.02).run()
    given = await reading(
        lambda: list(Assignment.objects.values_list("agent_id", "started_at"))
    )
    assert [agent for agent, at in given if at > left[agent]] == []
    waiting = await reading(holders, talks)
    assert waiting.count(None) == ROUNDS - len(given)


async def test_an_agent_is_changed_in_the_admin_while_choosing_a_status(
    hall: Hall,
) -> None:
    """Guard: the admin writes what was changed in its form, not what it had read of
    the rest (AgentAdmin.save_model)."""
    agents = await made(agents_of, hall)
    root = await made(lambda: signed_in(superuser()))

    def sets_capacity(agent: Agent) -> Act:
        member = QueueMembership.objects.get(agent=agent)
        form = {
            "name": agent.name,
            "capacity": 7,
            "memberships-TOTAL_FORMS": 1,
            "memberships-INITIAL_FORMS": 1,
            "memberships-0-id": member.pk,
            "memberships-0-agent": str(agent.pk),
            "memberships-0-queue": member.queue_id,
            "memberships-0-role": member.role,
            "memberships-0-priority": member.priority,
        }

        def saves() -> None:
            answer = root.post(f"/admin/agents/agent/{agent.pk}/change/", form)
            assert answer.status_code == 302, answer.content.decode()

        return OnItsOwn(saves)

    rounds = await reading(
        lambda: [(sets_capacity(each), chooses(each, "away")) for each in agents]
    )
    assert told(await Race(rounds, spread=0.04).run()) == {"done": 2 * ROUNDS}
    rows = await reading(lambda: [fresh(each) for each in agents])
    assert {(row.capacity, row.status) for row in rows} == {(7, "away")}


# --- one id


async def test_an_id_comes_with_a_post_and_with_a_command(hall: Hall) -> None:
    """In different conversations, at once: one of them takes effect. Guard: the lock of
    the id's bucket (writer.claims)."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=30_000)
    ended = await made(held, hall.billing, ada)
    spoken_in = await made(held, hall.billing, ada)
    for one, other in zip(ended, spoken_in, strict=True):
        id = new_id()
        frame = protocol.AgentEnd(id=id, conversation=str(one.pk))
        post = writer.Post(ada.pk, "agent", other.pk, id, "Hello!")

        def end(frame: protocol.AgentEnd = frame) -> None:
            acts = lambda: conversations.end_by_agent(ada, frame)  # noqa: E731
            conversations.once(ada.pk, frame.id, acts)
            threading.Event().wait(LINGER_SECONDS)

        async def say(post: writer.Post = post) -> object:
            await asyncio.sleep(random.uniform(0, 0.01))
            return await writer.add(post)

        _, said = await asyncio.gather(in_transaction(end), say())
        is_receipt = await reading(Receipt.objects.filter(client_id=id).exists)
        is_message = await reading(Message.objects.filter(client_id=id).exists)
        assert (is_receipt, is_message) in ((True, False), (False, True))
        assert isinstance(said, writer.Answered) == is_receipt
