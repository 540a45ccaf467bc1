"""A waiting hall without doors: the desk's verbs as plain calls, on the real database,
the clock in the tests' hands. Nothing runs in the background; what a server process
does after an act (drain the queues concerned) and every few seconds (renew its lease,
tick) is done here by hand."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import connection, transaction

from agents.models import Agent
from customers.models import Customer, Site
from helpdesk import (
    clock,
    conversations,
    database,
    pairing,
    presence,
    protocol,
    snapshots,
)
from helpdesk.models import (
    Assignment,
    Conversation,
    Message,
    Queue,
    QueueMembership,
)

# How many times as often as in `make test`: for `make faults`.
THOROUGH = float(os.environ.get("HELPDESK_TEST_TIMES", "1"))
HOP_SECONDS = 20  # time passes in hops, between which leases are renewed

Verb = Callable[[Any, Any], protocol.Frame]


class Hall:
    """Its site has two queues: Sales, given out, and Billing, taken from the line."""

    def __init__(self) -> None:
        name = uuid4().hex
        self.site = Site.objects.create(key=name, name="Shop")
        self.sales = self.queue("Sales")
        self.billing = self.queue("Billing", strategy="manual")
        self.after_hop: Callable[[], None] = lambda: None
        self.processes: list[UUID] = []
        self.process = self.starts_process()

    # --- who there is

    def queue(self, name: str, **fields: Any) -> Queue:
        fields.setdefault("site", self.site)
        return Queue.objects.create(name=name, **fields)

    def agent(
        self,
        name: str,
        *queues: Queue,
        here: bool = True,
        tier: int = 1,
        role: str = "agent",
        **fields: Any,
    ) -> Agent:
        """A member of these queues, else of Sales; connected unless `here` says no."""
        user = User.objects.create(username=f"{name}-{uuid4().hex[:8]}")
        agent = Agent.objects.create(user=user, name=name, **fields)
        for queue in queues or (self.sales,):
            QueueMembership.objects.create(
                queue=queue, agent=agent, priority=tier, role=role
            )
        if here:
            self.arrives(agent)
        return agent

    def supervisor(self, name: str, *queues: Queue, **fields: Any) -> Agent:
        return self.agent(name, *queues, role="supervisor", **fields)

    def customer(self, name: str = "Cora", **fields: Any) -> Customer:
        """Who has not yet said anything."""
        return Customer.objects.create(site=self.site, name=name, **fields)

    def waits(
        self, name: str = "Cora", queue: Queue | None = None, **fields: Any
    ) -> Conversation:
        """A customer comes and starts a conversation, which the line then takes."""
        return self.starts(self.customer(name, **fields), queue)

    def talks(self, agent: Agent, name: str = "Cora") -> Conversation:
        """A customer's conversation that this agent has taken from the line."""
        conversation = self.waits(name, self.billing)
        self.takes(agent, conversation)
        return conversation

    # --- what customers do

    def starts(self, customer: Customer, queue: Queue | None = None) -> Conversation:
        queue = queue or self.sales
        frame = protocol.Start(id=new_id(), text="Hello?", queue=str(queue.pk))
        with transaction.atomic():
            row = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
            conversations.start(row, frame)
        newest = conversations.customers_newest(customer.pk)
        assert newest
        self.arrives(customer)
        self.drain([newest.queue_id])
        return newest

    def leaves(self, conversation: Conversation) -> None:
        """The customer ends it."""
        frame = protocol.CustomerEnd(id=new_id())
        queues = pairing.concerned_by_customer(conversation.customer_id)
        with transaction.atomic():
            conversations.end_by_customer(conversation.customer_id, frame)
        self.drain(queues)

    # --- what agents do; each as a socket does it: an ack, then a drain

    def does(self, agent: Agent, verb: Verb, frame: Any) -> bytes:
        queues = pairing.concerned(agent.pk, frame)
        with transaction.atomic():
            ack = conversations.once(agent.pk, frame.id, lambda: verb(agent, frame))
        self.drain(queues)
        return ack

    def takes(self, agent: Agent, what: Conversation) -> bytes:
        frame = protocol.Take(id=new_id(), conversation=str(what.pk))
        return self.does(agent, pairing.take, frame)

    def accepts(self, agent: Agent, what: Conversation) -> bytes:
        frame = protocol.OfferAccept(id=new_id(), conversation=str(what.pk))
        return self.does(agent, pairing.accept, frame)

    def declines(self, agent: Agent, what: Conversation) -> bytes:
        frame = protocol.OfferDecline(id=new_id(), conversation=str(what.pk))
        return self.does(agent, pairing.decline, frame)

    def ends(self, agent: Agent, what: Conversation) -> bytes:
        frame = protocol.AgentEnd(id=new_id(), conversation=str(what.pk))
        return self.does(agent, conversations.end_by_agent, frame)

    def transfers(
        self, agent: Agent, what: Conversation, to: Agent | Queue, note: str = ""
    ) -> bytes:
        target = (
            protocol.Target(queue=str(to.pk))
            if isinstance(to, Queue)
            else protocol.Target(agent=str(to.pk))
        )
        frame = protocol.Transfer(
            id=new_id(), conversation=str(what.pk), to=target, note=note or None
        )
        return self.does(agent, pairing.transfer, frame)

    def chooses(self, agent: Agent, status: str, whose: Agent | None = None) -> bytes:
        frame = protocol.StatusSet(
            id=new_id(), status=status, agent=str(whose.pk) if whose else None
        )
        return self.does(agent, pairing.set_status, frame)

    def types(self, agent: Agent, what: Conversation) -> None:
        with transaction.atomic():
            pairing.typed(agent.pk, str(what.pk))

    # --- who is connected

    def starts_process(self) -> UUID:
        process = uuid4()
        self.processes.append(process)
        self.renew(process)
        return process

    def dies(self, process: UUID) -> None:
        """Killed: it renews no more and says nothing."""
        self.processes.remove(process)

    def renew(self, process: UUID) -> None:
        if presence.renew(process):
            clock.forgive(database.db_now())
        presence.vouch(process)

    def restarts(self, after: float) -> None:
        """Every process is killed at once; one comes up again after so many seconds,
        perhaps while the leases of the dead still run."""
        self.processes.clear()
        database.offset += dt.timedelta(seconds=after)
        self.process = self.starts_process()
        self.tick()

    def arrives(self, person: Agent | Customer, through: UUID | None = None) -> None:
        """The first socket of a person at a process."""
        presence.arrive(through or self.process, person.pk)
        if isinstance(person, Agent):
            clock.agent_moved(person.pk)
            self.drain(pairing.queues_of(person.pk))
        else:
            clock.customer_moved(person.pk)

    def vanishes(self, person: Agent | Customer, through: UUID | None = None) -> None:
        """The last socket of a person at a process closes."""
        if not presence.leave(through or self.process, person.pk):
            return
        if isinstance(person, Agent):
            clock.agent_moved(person.pk)
            self.drain(pairing.queues_of(person.pk))
        else:
            clock.customer_moved(person.pk)

    # --- time

    def passes(self, seconds: float) -> None:
        """Time, in which the processes that live renew their leases and tick."""
        while seconds > 0:
            hop = min(seconds, HOP_SECONDS)
            database.offset += dt.timedelta(seconds=hop)
            for process in self.processes:
                self.renew(process)
            self.tick()
            self.after_hop()
            seconds -= hop

    def outage(self, seconds: float) -> None:
        """Time in which no process lived; then they live again."""
        database.offset += dt.timedelta(seconds=seconds)
        for process in self.processes:
            self.renew(process)
        self.tick()

    def tick(self) -> None:
        self.drain(clock.tick())

    def drain(self, queues: Iterable[int]) -> None:
        todo = {*queues, *nudged()}
        while todo:
            while pairing.drain(todo) == pairing.DRAIN:
                pass
            todo = nudged()


def nudged() -> set[int]:
    """The queues that would be drained after the commit, which may never come here."""
    give = pairing.nudged._give
    hooks = connection.run_on_commit
    ours = [each for each in hooks if getattr(each[1], "func", None) == give]
    connection.run_on_commit = [each for each in hooks if each not in ours]
    return {queue for _, hook, *_ in ours for queue in hook.args[0]}


# --- looking


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def new_id() -> str:
    return uuid4().hex


def holder(what: Conversation) -> str | None:
    """By name, if somebody holds it now."""
    lease = what.assignments.filter(kind="hold", ended_at=None).first()
    return lease.agent.name if lease else None


def rings(what: Conversation) -> str | None:
    """For whom it rings."""
    offer = what.assignments.filter(kind="offer", ended_at=None).first()
    return offer.agent.name if offer else None


def line(queue: Queue) -> list[str]:
    """Who waits in a queue, the next first."""
    waiting = snapshots.line([queue.pk])
    return [row.customer.name for row in waiting.select_related("customer")]


def load(agent: Agent) -> int:
    return snapshots.load(agent.pk, database.db_now())


def events(what: Conversation) -> list[str]:
    """The system lines in its story."""
    rows = Message.objects.filter(conversation=what).exclude(event="")
    return list(rows.order_by("place").values_list("event", flat=True))


def ended_whys(what: Conversation) -> list[str]:
    """Why leases on it ended, the first first."""
    rows = Assignment.objects.filter(conversation=what).exclude(ended_at=None)
    return list(rows.order_by("ended_at", "pk").values_list("ended_why", flat=True))
