"""Whoever loses a right loses it within five seconds, also where the word of it was
lost on the way: each test changes the database alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from customers import identity
from customers.models import Customer, Site
from helpdesk import consumers, watching
from helpdesk.database import db_now
from helpdesk.models import Conversation, QueueMembership
from tests.shop import PAGE, Shop, stored

ELSEWHERE = "https://elsewhere.example"


@pytest.fixture(autouse=True)
def _quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watching.WATCH_SECONDS + watching.CREDENTIALS_SECONDS < 5
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(watching, "CREDENTIALS_SECONDS", 0.05)


def block() -> None:
    until = db_now() + dt.timedelta(hours=1)
    Customer.objects.update(blocked_until=until)


def let_in_again() -> None:
    until = db_now() - dt.timedelta(seconds=1)
    Customer.objects.update(blocked_until=until)


def adopt() -> None:
    """Somebody has signed in who is this customer."""
    site, cora = Site.objects.get(key="shop"), Customer.objects.get()
    assert identity._adopt(site, cora.pk, identity.Proven("42"))


def move_site() -> None:
    Site.objects.filter(key="shop").update(allowed_origins=ELSEWHERE)


@pytest.mark.parametrize(
    ("revoke", "code"),
    [
        (block, consumers.FORBIDDEN),
        (adopt, consumers.NOT_SIGNED_IN),
        (move_site, consumers.UNKNOWN_SITE),
    ],
)
async def test_a_customers_socket_is_closed(
    shop: Shop, revoke: Callable[[], None], code: int
) -> None:
    cora = await shop.customer()
    await cora.starts()
    await stored(revoke)
    assert await cora.closed() == code


async def test_a_socket_of_a_site_that_is_gone_is_closed(shop: Shop) -> None:
    closing = await stored(
        Site.objects.create, key="closing", name="Closing", allowed_origins=PAGE
    )
    mallory, cora = await shop.knocks("closing"), await shop.customer()
    await mallory.hello()
    await stored(closing.delete)
    assert await mallory.closed() == consumers.UNKNOWN_SITE
    await cora.heard_so_far()


@pytest.mark.parametrize("change", [let_in_again, lambda: None])
async def test_others_stay(shop: Shop, change: Callable[[], None]) -> None:
    cora, visitor = await shop.customer(), await shop.customer()
    await cora.starts()
    await stored(change)
    await stored(Site.objects.update, allowed_origins=f"{PAGE}\n{ELSEWHERE}")
    for _ in range(3):
        await shop.on_server(shop.desk.watch.check_credentials())
    await cora.heard_so_far()
    await visitor.heard_so_far()


async def supervise(shop: Shop, role: str) -> None:
    members = QueueMembership.objects.filter(agent=shop.ben, queue=shop.sales)
    await stored(members.update, role=role)


async def test_who_supervises_no_more_hears_no_more(shop: Shop) -> None:
    await supervise(shop, "supervisor")
    cora, _ada, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    assert (await ben.ask("conversation.watch", conversation=here))["type"] == "ack"
    await cora.posts("Before")
    await ben.hears_message("Before")
    await supervise(shop, "agent")
    assert await ben.closed() == consumers.RESTARTING
    ben = await shop.agent(shop.ben)
    refused = await ben.ask("conversation.watch", conversation=here)
    assert refused["code"] == "forbidden"
    await cora.posts("After")
    assert "After" not in str(await ben.heard_so_far())


async def test_who_watched_hears_no_more_once_it_is_in_another_queue(
    shop: Shop,
) -> None:
    await supervise(shop, "supervisor")
    _cora, _ada, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    assert (await ben.ask("conversation.watch", conversation=here))["type"] == "ack"
    talk = Conversation.objects.filter(pk=here)
    await stored(talk.update, queue=shop.billing)
    assert await ben.closed() == consumers.RESTARTING


async def test_who_never_had_a_right_keeps_the_socket(shop: Shop) -> None:
    """An agent without any queue is no reason to come back every three seconds."""
    await stored(QueueMembership.objects.filter(agent=shop.ben).delete)
    ben = await shop.agent(shop.ben)
    for _ in range(3):
        await shop.on_server(shop.desk.watch.check_credentials())
    assert "bye" not in [frame["type"] for frame in await ben.heard_so_far()]
