"""The line as people see it: positions, rings and rescues, over real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from django.db.models import F

from agents.models import Agent
from helpdesk import database
from helpdesk.models import Assignment, Connection, Queue, ServerProcess
from tests import people
from tests.live import ServerProcess as Process
from tests.people import PATIENCE_SECONDS
from tests.shop import Shop, change, stored


@pytest.fixture(autouse=True)
def _time_is_put_back() -> Iterator[None]:
    yield
    database.offset = dt.timedelta(0)


def offered(queue: Queue) -> None:
    change(queue, delivery="offer")


def here(customer_ack: people.Frame) -> str:
    return str(customer_ack["conversation"]["id"])


# --- the line tells the truth


async def test_everybody_hears_how_the_line_moves(shop: Shop) -> None:
    await stored(change, shop.ada, capacity=1)
    cora, carl, cleo = [await shop.customer() for _ in range(3)]
    first = here(await cora.starts("I am first"))
    await carl.starts("I am second")
    await cleo.starts("I am third")
    for customer, position in ((cora, 1), (carl, 2), (cleo, 3)):
        await customer.sees(state="waiting", position=position)

    ada = await shop.agent(shop.ada)
    await cora.sees(state="active")
    await carl.sees(state="waiting", position=1)
    await cleo.sees(state="waiting", position=2)

    await ada.ends(first)
    await carl.sees(state="active")
    await cleo.sees(state="waiting", position=1)


async def test_a_position_survives_a_reload(shop: Shop) -> None:
    carl, cora = await shop.customer(), await shop.customer()
    await carl.starts()
    await cora.starts()
    await cora.sees(position=2)
    await cora.leave()
    again = await shop.again(cora)
    assert again.welcome["conversation"]["position"] == 2


async def test_a_position_never_rises(shop: Shop) -> None:
    """While others come, go and are served."""
    await stored(change, shop.ada, capacity=1)
    customers = [await shop.customer() for _ in range(5)]
    ids = [here(await each.starts(f"Number {n}")) for n, each in enumerate(customers)]
    ada = await shop.agent(shop.ada)
    await customers[0].sees(state="active")
    await customers[2].ask("conversation.end")
    await ada.ends(ids[0])
    await customers[1].sees(state="active")
    last = customers[4]
    await last.sees(position=2)
    told = [
        frame["conversation"]["position"]
        for frame in last.heard
        if frame["type"] == "conversation.changed"
        and frame["conversation"]["position"] is not None
    ]
    assert told == sorted(told, reverse=True)


# --- it rings


async def test_it_rings_in_every_tab_and_one_accepts(shop: Shop) -> None:
    await stored(offered, shop.sales)
    tabs = [await shop.agent(shop.ada) for _ in range(2)]
    cora = await shop.customer()
    what = here(await cora.starts("Hello?"))
    for tab in tabs:
        offer = await tab.hears("offer.made")
        assert offer["conversation"]["id"] == what
        assert 0 < offer["seconds"] <= 20
        assert offer["why"].startswith("Ada: 0 of 4")
    await cora.sees(state="waiting", position=1)  # nobody has joined yet

    ack = await tabs[0].ask("offer.accept", conversation=what)
    assert ack["conversation"]["agent"]["name"] == "Ada"
    assert (await tabs[1].ask("offer.accept", conversation=what))["type"] == "refused"
    for tab in tabs:
        await tab.sees(state="active")
    await cora.sees(state="active")


async def test_a_tab_that_opens_later_rings_for_the_rest_of_the_time(
    shop: Shop,
) -> None:
    await stored(offered, shop.sales)
    first = await shop.agent(shop.ada)
    cora = await shop.customer()
    await cora.starts()
    await first.hears("offer.made")
    database.offset += dt.timedelta(seconds=8)
    second = await shop.agent(shop.ada)
    (offer,) = second.welcome["offers"]
    assert 0 < offer["seconds"] <= 12


async def test_declined_it_rings_elsewhere_and_stops_here(shop: Shop) -> None:
    await stored(offered, shop.sales)
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    what = here(await cora.starts())
    await ada.hears("offer.made")
    ben = await shop.agent(shop.ben)
    await ada.ask("offer.decline", conversation=what)
    assert (await ada.hears("offer.withdrawn"))["why"] == "declined"
    await ben.hears("offer.made")


async def test_unanswered_it_stops_ringing(shop: Shop) -> None:
    await stored(offered, shop.sales)
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    await cora.starts()
    await ada.hears("offer.made")
    database.offset += dt.timedelta(seconds=21)
    await shop.on_server(shop.desk._tick())
    assert (await ada.hears("offer.withdrawn"))["why"] == "lapsed"
    await cora.sees(state="waiting", position=1)


async def test_when_the_customer_leaves_it_stops_ringing(shop: Shop) -> None:
    await stored(offered, shop.sales)
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    await cora.starts()
    await ada.hears("offer.made")
    await cora.ask("conversation.end")
    assert (await ada.hears("offer.withdrawn"))["why"] == "customer_left"


async def test_when_a_colleague_takes_it_it_stops_ringing(shop: Shop) -> None:
    await stored(offered, shop.sales)
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    what = here(await cora.starts())
    await ada.hears("offer.made")
    ben = await shop.agent(shop.ben)
    await ben.takes(what)
    assert (await ada.hears("offer.withdrawn"))["why"] == "taken"
    late = await ada.ask("offer.accept", conversation=what)
    assert late["code"] == "already_taken"
    assert "Ben" in late["detail"]


# --- a transfer


async def test_a_transfer_is_accepted_by_the_colleague(shop: Shop) -> None:
    cora, ada, what = await shop.talk()
    ben = await shop.agent(shop.ben)
    to = {"agent": str(shop.ben.pk)}
    await ada.ask(
        "conversation.transfer", conversation=what, to=to, note="She is angry."
    )
    offer = await ben.hears("offer.made")
    assert offer["conversation"]["transfer"]["note"] == "She is angry."
    await ben.ask("offer.accept", conversation=what)
    await cora.sees(agent={"id": str(shop.ben.pk), "name": "Ben"})
    await ben.posts(what, "Hi, I am Ben.")
    await cora.hears_message("Hi, I am Ben.")
    assert (await ada.posts(what, "Me too!"))["code"] == "not_yours"
    assert not [raw for raw in cora.raw if "angry" in str(raw)]


# --- an agent's reload


async def test_a_reload_does_not_flicker(shop: Shop) -> None:
    cora, ada, what = await shop.talk()
    ben = await shop.agent(shop.ben)
    await ada.leave()
    again = await shop.agent(shop.ada)
    assert [each["id"] for each in again.welcome["conversations"]] == [what]
    changes = [
        frame["agent"]["connected"]
        for frame in await ben.heard_so_far()
        if frame["type"] == "agent.changed" and frame["agent"]["name"] == "Ada"
    ]
    assert False not in changes
    events = [f["message"].get("event") for f in cora.heard if "message" in f]
    assert "agent_lost" not in events


# --- a server process is killed


class Killed:
    """What its people went through, moved by hand on the database's clock."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def both_processes_know_each_other(self) -> None:
        """As after a few seconds; else it might have been an outage of the desk."""
        ServerProcess.objects.update(settled=True)

    def lease_lapses(self) -> None:
        """As after 45 seconds."""
        through = Connection.objects.get(person=self.agent.pk).process_id
        now = database.db_now()
        ServerProcess.objects.filter(pk=through).update(alive_until=now)

    def is_gone_for(self, seconds: int) -> None:
        longer = F("gone_at") - dt.timedelta(seconds=seconds)
        changed = Agent.objects.filter(pk=self.agent.pk, gone_at__isnull=False)
        assert changed.update(gone_at=longer)

    def is_missed(self) -> bool:
        return Agent.objects.filter(pk=self.agent.pk, gone_at__isnull=False).exists()


async def test_a_process_dies_and_nobody_is_forgotten(
    shop: Shop, server_process: Callable[..., Process]
) -> None:
    doomed, other = server_process(), shop.server
    ada = await shop.agent(shop.ada, at=doomed)
    cora = await shop.customer(at=other)
    what = here(await cora.starts("My tent leaks."))
    await cora.sees(state="active")
    await ada.posts(what, "Since when?")
    await cora.hears_message("Since when?")
    ben = await shop.agent(shop.ben, at=other)

    fate = Killed(shop.ada)
    await stored(fate.both_processes_know_each_other)
    doomed.kill()
    await stored(fate.lease_lapses)
    await until(fate.is_missed)
    await stored(fate.is_gone_for, 30)
    lost = await cora.hears(
        "message.posted", where=lambda f: f["message"].get("event") == "agent_lost"
    )
    assert lost["message"]["text"] == "Ada lost connection. We keep your place."

    await cora.posts("Since yesterday.")
    await stored(fate.is_gone_for, 60)
    await cora.sees(state="active", agent={"id": str(shop.ben.pk), "name": "Ben"})
    page = await ben.ask("history.get", conversation=what)
    assert [each["text"] for each in page["messages"]] == [
        "My tent leaks.",
        "Ada joined.",
        "Since when?",
        "Ada lost connection. We keep your place.",
        "Since yesterday.",
        "You are at the front of the line again.",
        "Ben joined.",
    ]
    assert await stored(whys, what) == ["agent_lost", ""]


def whys(conversation: str) -> list[str]:
    leases = Assignment.objects.filter(conversation=conversation)
    return list(leases.order_by("pk").values_list("ended_why", flat=True))


async def until(true: Callable[[], bool]) -> None:
    """The other process's clock ticks every five seconds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await stored(true):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
