"""Two at once, on PostgreSQL: who wins, and what the other is told. Each round begins
at a barrier; outcomes are counted over the rounds, since any one of them may be had by
luck. Each docstring names the guard that it watches, without which it was seen to fail.

Nobody ever reads of a deadlock: what the database undid is run again."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agents.models import Agent
from customers.models import Customer
from helpdesk import clock, conversations, database, hub, pairing, protocol
from helpdesk.database import in_transaction, reading, writing
from helpdesk.errors import Refused
from helpdesk.models import Assignment, Conversation, Queue, ServerProcess
from tests.helpdesk.hall import (
    THOROUGH,
    Hall,
    ended_whys,
    events,
    fresh,
    holder,
    load,
    new_id,
    rings,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(30 * THOROUGH)
AT_ONCE = 8
LINGER_SECONDS = 0.02  # before the COMMIT, so that the others meet what is locked
Act = Callable[[], object]


@pytest.fixture(autouse=True)
async def _eight_writers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    database.close_all()
    monkeypatch.setattr(database, "WRITERS", AT_ONCE)
    desk_of_this_loop = hub.current()
    yield
    await desk_of_this_loop.close()
    database.close_all()


@pytest.fixture
async def hall() -> Hall:
    """Whose process lives for as long as the rounds take."""
    opened = await in_transaction(Hall)
    tomorrow = await reading(database.db_now) + dt.timedelta(days=1)
    await in_transaction(ServerProcess.objects.update, alive_until=tomorrow)
    return opened


class Race:
    """A round: acts that begin together, each in a transaction of its own."""

    def __init__(self, *acts: Act) -> None:
        self.acts = acts
        self.tries: Counter[Act] = Counter()
        self.barrier = threading.Barrier(len(acts))

    async def run(self) -> list[str]:
        """What each heard: "done", or the code of its refusal."""
        heard = await asyncio.gather(
            *(in_transaction(self._begin, act) for act in self.acts),
            return_exceptions=True,
        )
        return [self._told(each) for each in heard]

    def _begin(self, act: Act) -> None:
        self.tries[act] += 1
        if self.tries[act] == 1:
            self.barrier.wait(60)
        act()
        threading.Event().wait(LINGER_SECONDS)

    def _told(self, heard: object) -> str:
        if isinstance(heard, Refused):
            assert heard.code != "overloaded"  # a deadlock, or worse
            return heard.code
        if isinstance(heard, BaseException):
            raise heard
        return "done"

    @property
    def undone(self) -> int:
        """How often the database undid an act, which was then run again."""
        return sum(self.tries.values()) - len(self.acts)


async def made(what: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    return await in_transaction(what, *args, **fields)


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


def leaves(what: Conversation) -> Act:
    frame = protocol.CustomerEnd(id=new_id())
    return lambda: conversations.end_by_customer(what.customer_id, frame)


def queued(queue: Queue, count: int) -> list[Conversation]:
    """Who waits, with no one yet there to give it out."""
    now = database.db_now()
    return [
        Conversation.objects.create(
            site=queue.site,
            queue=queue,
            customer=Customer.objects.create(site=queue.site, name=f"Customer {n}"),
            created_at=now,
            waiting_since=now + dt.timedelta(milliseconds=n),
        )
        for n in range(count)
    ]


def no_lease_is_left(what: Conversation) -> bool:
    return not what.assignments.filter(ended_at=None).exists()


# --- who takes it


async def test_two_agents_take_one(hall: Hall) -> None:
    """Guard: the conversation's row lock (conversations.locked_all). Behind it the
    constraint one_holder_at_a_time, which undoes the second; it is never needed."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    ben = await made(hall.agent, "Ben", hall.billing, capacity=500)
    heard: Counter[str] = Counter()
    undone = 0
    for what in await made(queued, hall.billing, ROUNDS):
        race = Race(takes(ada, what), takes(ben, what))
        heard.update(await race.run())
        undone += race.undone
    assert heard == {"done": ROUNDS, "already_taken": ROUNDS}
    assert undone == 0
    assert await reading(lambda: load(ada) + load(ben)) == ROUNDS


async def test_two_tabs_accept_one(hall: Hall) -> None:
    """Guard: the offer is looked up again under the locks (offers._offered)."""
    await made(set_offers, hall.sales)
    ada = await made(hall.agent, "Ada", capacity=500)
    heard: Counter[str] = Counter()
    for _ in range(ROUNDS):
        cora = await made(hall.waits)
        heard.update(await Race(accepts(ada, cora), accepts(ada, cora)).run())
        assert await reading(holder, cora) == "Ada"
    assert heard == {"done": ROUNDS, "offer_lapsed": ROUNDS}


def set_offers(queue: Queue, seconds: int = 600) -> None:
    changed = Queue.objects.filter(pk=queue.pk)
    changed.update(delivery="offer", ring_seconds=seconds)


async def test_eight_are_taken_by_an_agent_with_three_slots(hall: Hall) -> None:
    """Guard: the agent's row lock, before the load is counted (pairing.take)."""
    heard: Counter[str] = Counter()
    for _ in range(ROUNDS):
        ada = await made(hall.agent, "Ada", hall.billing, capacity=3)
        waiting = await made(queued, hall.billing, AT_ONCE)
        heard.update(await Race(*(takes(ada, what) for what in waiting)).run())
        assert await reading(load, ada) == 3
    assert heard == {"done": 3 * ROUNDS, "full": 5 * ROUNDS}


async def test_eight_queues_give_to_an_agent_with_three_slots(hall: Hall) -> None:
    """Guard: the agents' row locks, before their loads are counted (draining._seats);
    the queues' own locks do not help, since each drains another one."""
    for _ in range(ROUNDS):
        queues = [await made(hall.queue, new_id()) for _ in range(AT_ONCE)]
        ada = await made(hall.agent, "Ada", *queues, capacity=3)
        for queue in queues:
            await made(queued, queue, 1)
        drains: list[Act] = [lambda q=q: pairing.drain([q.pk]) for q in queues]
        await Race(*drains).run()
        assert await reading(load, ada) == 3


async def test_drained_by_several_processes_it_goes_in_order(hall: Hall) -> None:
    """Guard: the queue's row lock (draining._locked)."""
    for _ in range(ROUNDS):
        queue = await made(hall.queue, new_id())
        await made(hall.agent, "Ada", queue, capacity=3)
        waiting = await made(queued, queue, 6)
        drains: list[Act] = [lambda q=q: pairing.drain([q.pk]) for q in [queue] * 4]
        await Race(*drains).run()
        held = [await reading(holder, what) for what in waiting]
        assert held == ["Ada"] * 3 + [None] * 3


async def test_given_out_while_an_agent_takes_it(hall: Hall) -> None:
    """Guard: whether it still waits is looked at under its lock (draining.give)."""
    heard: Counter[str] = Counter()
    for _ in range(ROUNDS):
        queue = await made(hall.queue, new_id(), delivery="offer", ring_seconds=600)
        await made(hall.agent, "Ada", queue)
        ben = await made(hall.agent, "Ben", queue, status="away")
        (what,) = await made(queued, queue, 1)
        race = Race(takes(ben, what), lambda q=queue: pairing.drain([q.pk]))
        heard.update(await race.run())
        assert await reading(holder, what) == "Ben"
        assert await reading(rings, what) is None
    assert heard == {"done": 2 * ROUNDS}


# --- while it ends


async def test_the_customer_leaves_while_an_agent_takes_it(hall: Hall) -> None:
    """Guard: the state is looked at under the row's lock (pairing.take)."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    heard: Counter[str] = Counter()
    for what in await made(queued, hall.billing, ROUNDS):
        told = await Race(takes(ada, what), leaves(what)).run()
        heard[told[0]] += 1
        assert told[1] == "done"
        assert (await reading(fresh, what)).state == "ended"
        assert await reading(no_lease_is_left, what)
    assert set(heard) <= {"done", "ended"}


async def test_the_customer_leaves_while_it_is_transferred(hall: Hall) -> None:
    """Guard: the state is looked at under the row's lock (conversations.held)."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    ben = await made(hall.agent, "Ben", hall.billing, capacity=500)
    for _ in range(ROUNDS):
        cora = await made(hall.talks, ada)
        told = await Race(transfers(ada, cora, ben), leaves(cora)).run()
        assert told[0] in ("done", "ended")
        assert told[1] == "done"
        assert (await reading(fresh, cora)).state == "ended"
        assert await reading(no_lease_is_left, cora)
    assert await reading(lambda: (load(ada), load(ben))) == (0, 0)


async def test_the_customer_reads_while_another_queue_accepts_it(hall: Hall) -> None:
    """Guard: what a row joins is read after its lock (conversations.locked_all). In one
    statement, the row is read as it is after the wait for its lock, its queue as it was
    before; they do not fit, and the conversation is not found at all."""
    await made(set_offers, hall.sales)
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    ben = await made(hall.agent, "Ben", hall.sales, capacity=500)
    for _ in range(ROUNDS):
        cora = await made(hall.talks, ada)
        await made(hall.transfers, ada, cora, hall.sales)
        race = Race(
            accepts(ben, cora),
            lambda what=cora: conversations.read(what, "customer", 1),
        )
        assert await race.run() == ["done", "done"]
        now = await reading(fresh, cora)
        assert (now.queue_id, now.read_by_customer) == (hall.sales.pk, 1)


# --- while the clock ticks


async def test_an_agent_accepts_while_it_lapses(hall: Hall) -> None:
    """Guard: the offer is looked up again under the locks (offers.lapse)."""
    await made(set_offers, hall.sales)
    heard: Counter[str] = Counter()
    for _ in range(ROUNDS):
        ada = await made(hall.agent, "Ada")
        cora = await made(hall.waits)
        wait = dt.timedelta(seconds=random.uniform(0.01, 0.4))
        soon = await reading(database.db_now) + wait
        offer = await reading(cora.assignments.get)
        await made(Assignment.objects.filter(pk=offer.pk).update, lapses_at=soon)

        def sweeps(pk: int = offer.pk, end: dt.datetime = soon) -> None:
            while database.db_now() <= end:
                pass
            pairing.lapse(pk)

        told = (await Race(accepts(ada, cora), sweeps).run())[0]
        heard[told] += 1
        whys = await reading(ended_whys, cora)
        assert whys == ["accepted" if told == "done" else "lapsed"]
        assert await reading(holder, cora) == ("Ada" if told == "done" else None)
        assert (await reading(fresh, ada)).lapses == (told != "done")
        await made(Agent.objects.filter(pk=ada.pk).update, status="offline")
    assert set(heard) <= {"done", "offer_lapsed"}


async def test_two_clocks_at_once(hall: Hall) -> None:
    """Guard: each row is looked at again under its lock (clock._each_locked), and an
    offer under its agent's (offers.lapse)."""
    await made(set_offers, hall.sales, seconds=600)
    for _ in range(max(5, ROUNDS // 5)):
        ada = await made(hall.agent, "Ada", hall.sales, hall.billing)
        held = [await made(hall.talks, ada, f"Held {n}") for n in range(2)]
        ringing = await made(hall.waits, "Ringing")
        gone = await made(hall.waits, "Gone", hall.billing)
        for who in (ada, gone.customer):
            await made(hall.vanishes, who)
        await made(a_while_ago, ada, ringing, gone)
        await asyncio.gather(*(writing(clock.tick) for _ in range(3)))
        for what in held:
            said = await reading(events, what)
            assert said.count("agent_lost") <= 1
            assert said.count("requeued") == 1
            assert await reading(ended_whys, what) == ["agent_lost"]
        assert await reading(events, gone) == ["ended"]
        assert await reading(ended_whys, ringing) == ["lapsed"]
        assert (await reading(fresh, ada)).lapses == 1
        await made(clear)


def a_while_ago(ada: Agent, ringing: Conversation, gone: Conversation) -> None:
    """All of it happened 70 seconds ago."""
    then = database.db_now() - dt.timedelta(seconds=70)
    Agent.objects.filter(pk=ada.pk).update(gone_at=then)
    Conversation.objects.filter(pk=gone.pk).update(customer_gone_at=then)
    ringing.assignments.update(lapses_at=then)


def clear() -> None:
    for what in Conversation.objects.exclude(state="ended"):
        conversations.end(conversations.locked(what.pk), outcome="resolved", by="clock")


async def test_an_agent_is_back_while_it_goes_to_the_line(hall: Hall) -> None:
    """Guard: the agent's row lock, under which the absence is looked at again
    (clock._requeue_all). Either way the agent holds it."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    for _ in range(ROUNDS):
        cora = await made(hall.talks, ada)
        long_ago = (await reading(database.db_now)) - dt.timedelta(seconds=90)
        await made(Agent.objects.filter(pk=ada.pk).update, gone_at=long_ago)
        now = await reading(database.db_now)
        race = Race(
            lambda: clock.agent_returned(ada.pk),
            lambda now=now: clock.requeue_of_lost_agents(now),
        )
        assert await race.run() == ["done", "done"]
        assert await reading(holder, cora) == "Ada"
        assert (await reading(fresh, cora)).state == "active"
        await made(leaves(cora))


async def test_an_agent_is_back_while_somebody_writes(hall: Hall) -> None:
    """Guard: a return waits for rows that are locked (clock.agent_returned): nobody
    would tell the customer of it later."""
    ada = await made(hall.agent, "Ada", hall.billing, capacity=500)
    for _ in range(ROUNDS):
        cora = await made(hall.talks, ada)
        await made(set_lost, cora)

        def writes(what: Conversation = cora) -> None:
            conversations.say_event(conversations.locked(what.pk), "x", "…", {})
            threading.Event().wait(0.01)

        race = Race(lambda: clock.agent_returned(ada.pk), writes)
        assert await race.run() == ["done", "done"]
        assert (await reading(fresh, cora)).agent_lost_at is None
        await made(leaves(cora))


def set_lost(what: Conversation) -> None:
    now = database.db_now()
    Agent.objects.filter(pk=what.agent_id or fresh(what).agent_id).update(gone_at=now)
    Conversation.objects.filter(pk=what.pk).update(agent_lost_at=now)


async def test_an_agent_goes_while_it_is_given_out(hall: Hall) -> None:
    """Presence is read after the locks, so what is given out is given to who was there
    a moment ago; whose absence is known, for the clock to find."""
    for _ in range(ROUNDS):
        queue = await made(hall.queue, new_id())
        ada = await made(hall.agent, "Ada", queue)
        (what,) = await made(queued, queue, 1)
        race = Race(
            lambda q=queue: pairing.drain([q.pk]),
            lambda a=ada: hall.vanishes(a),
        )
        await race.run()
        assert await reading(holder, what) in ("Ada", None)
        assert (await reading(fresh, ada)).gone_at is not None
