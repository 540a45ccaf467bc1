"""Ids of another site or of a colleague, put wherever a command takes one: nothing is
read by them, nothing changed."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from agents.models import Agent as AgentRow
from customers.models import Customer
from helpdesk.database import db_now
from helpdesk.models import (
    Assignment,
    Attachment,
    AuditEntry,
    Conversation,
    Message,
    QueueMembership,
)
from tests.people import Agent, new_id
from tests.shop import Shop, stored

SECRET = "My card number is 4929"
REFUSALS = {"forbidden", "not_yours", "conversation_unknown", "already_taken"}


def everything() -> list[Any]:
    """What a command could change."""
    customers = Customer.objects.order_by("pk")
    return [
        *Conversation.objects.order_by("pk").values(),
        *Message.objects.order_by("pk").values(),
        *Assignment.objects.order_by("pk").values(),
        *customers.values("pk", "name", "email", "blocked_until", "external_id"),
        *AuditEntry.objects.order_by("pk").values(),
    ]


def own_file(uploader: UUID) -> str:
    row = Attachment.objects.create(
        uploader=uploader,
        name="a.png",
        type="image/png",
        size=7,
        file="none",
        created_at=db_now(),
    )
    return str(row.pk)


COMMANDS: dict[str, dict[str, Any]] = {
    "message.post": {"text": "x"},
    "message.post as a note": {"text": "x", "note": True},
    "history.get": {},
    "conversation.take": {},
    "conversation.end": {},
    "conversation.transfer to oneself": {"to": ["agent"]},
    "conversation.transfer to a queue": {"to": ["queue"]},
    "conversation.tag": {"tags": ["x"]},
    "conversation.watch": {},
    "conversation.unwatch": {},
    "conversation.join": {},
    "customer.block": {"reason": "x", "seconds": 60},
    "offer.accept": {},
    "offer.decline": {},
}


async def asks(agent: Agent, here: str, command: str, me: AgentRow) -> dict[str, Any]:
    fields = dict(COMMANDS[command])
    if "to" in fields:
        queue = await stored(me.queues.first)
        own = {"agent": str(me.pk), "queue": str(queue.pk)}
        fields["to"] = {name: own[name] for name in fields["to"]}
    return await agent.ask(command.split()[0], conversation=here, **fields)


@pytest.mark.parametrize("spelling", [str, str.upper, lambda id: id.replace("-", "")])
async def test_an_agent_of_another_site_does_nothing_by_a_conversations_id(
    shop: Shop, spelling: Any
) -> None:
    members = QueueMembership.objects.filter(agent=shop.olaf)
    await stored(members.update, role="supervisor")  # of the own queue
    cora, _ada, here = await shop.talk()
    await cora.posts(SECRET)
    olaf = await shop.agent(shop.olaf)
    before = await stored(everything)
    for command in COMMANDS:
        refused = await asks(olaf, spelling(here), command, shop.olaf)
        assert refused["type"] == "refused", command
        assert refused["code"] in REFUSALS, command
    await olaf.say("typing", conversation=here, on=True)
    await olaf.say("message.read", conversation=here, seq=2)
    assert SECRET not in str(await olaf.heard_so_far())
    assert await stored(everything) == before
    assert "typing" not in [frame["type"] for frame in await cora.heard_so_far()]


@pytest.mark.parametrize("command", [*COMMANDS])
async def test_a_colleague_of_the_same_queue_does_nothing_either(
    shop: Shop, command: str
) -> None:
    """Who staffs the queue may look at the line, and not into what others hold."""
    cora, _ada, here = await shop.talk()
    await cora.posts(SECRET)
    ben = await shop.agent(shop.ben)
    before = await stored(everything)
    refused = await asks(ben, here, command, shop.ben)
    assert refused["type"] == "refused"
    assert SECRET not in str(await ben.heard_so_far())
    assert await stored(everything) == before


async def test_a_transfer_does_not_leave_the_site(shop: Shop) -> None:
    _cora, ada, here = await shop.talk()
    await shop.agent(shop.olaf)
    for to, code in (
        ({"queue": str(shop.elsewhere.pk)}, "queue_unknown"),
        ({"queue": "9" * 40}, "queue_unknown"),
        ({"queue": "-1"}, "queue_unknown"),
        ({"agent": str(shop.olaf.pk)}, "agent_unavailable"),
        ({"agent": here}, "agent_unavailable"),
        ({"agent": str(shop.olaf.user.pk)}, "agent_unavailable"),
    ):
        refused = await ada.ask("conversation.transfer", conversation=here, to=to)
        assert refused["code"] == code, to


async def test_a_colleagues_file_is_not_ones_own_to_send(shop: Shop) -> None:
    _cora, ada, here = await shop.talk()
    bens = await stored(own_file, shop.ben.pk)
    refused = await ada.posts(here, "Look", attachments=[bens])
    assert refused["code"] == "attachment_unknown"


async def test_a_status_is_set_by_supervisors_of_a_shared_queue_alone(
    shop: Shop,
) -> None:
    members = QueueMembership.objects.filter(agent=shop.ben)
    await stored(members.update, role="supervisor")
    ben = await shop.agent(shop.ben)
    refused = await ben.ask("status.set", status="offline", agent=str(shop.olaf.pk))
    assert refused["code"] in ("forbidden", "agent_unavailable")
    olaf = await stored(AgentRow.objects.get, pk=shop.olaf.pk)
    assert olaf.status == "online"


async def test_an_id_that_another_has_used_tells_nothing(shop: Shop) -> None:
    """Acks are looked up before all other checks: by sender, not by id alone."""
    cora, ada, here = await shop.talk()
    id = new_id()
    await ada.posts(here, SECRET, id=id)
    mallory = await shop.customer()
    olaf = await shop.agent(shop.olaf)
    for stranger in (mallory, olaf):
        answer = await stranger.ask("message.post", id=id, text="x", conversation=here)
        assert answer["type"] == "refused"
    await cora.heard_so_far()


@pytest.mark.parametrize(
    "more",
    [
        {"verified": True, "external_id": "42", "site": 2, "customer": 7},
        {"state": "active", "agent": "x", "priority": 99, "position": 1},
        {"blocked_until": None, "kind": "note", "note": True, "author": "agent"},
        {"seq": 1, "at": "1999-01-01T00:00:00Z", "sender": "x", "event": "ended"},
    ],
)
async def test_a_field_that_is_nobodys_to_set_is_not_set(
    shop: Shop, more: dict[str, Any]
) -> None:
    """The contract has programs ignore what they do not know; no row must."""
    mallory = await shop.knocks()
    await mallory.hello(**more)
    ack = await mallory.starts("Hi", **more)
    assert ack["conversation"]["state"] == "waiting"
    posted = await mallory.posts("Hi again", **more)
    assert posted["seq"] == 2
    (customer,) = await stored(lambda: list(Customer.objects.all()))
    assert (customer.site_id, customer.external_id) == (shop.site.pk, None)
    rows = await stored(lambda: list(Message.objects.order_by("place")))
    assert {(row.kind, row.author, row.event) for row in rows} == {
        ("text", "customer", "")
    }
    assert {row.sender for row in rows} == {customer.pk}


async def test_nothing_is_overheard_while_a_watch_is_being_refused(
    shop: Shop, settings: Any
) -> None:
    settings.HELPDESK_LIMITS = False
    cora, _ada, here = await shop.talk()
    olaf = await shop.agent(shop.olaf)  # of another site

    async def asks() -> None:
        for number in range(200):
            id = f"watch-{number:08}"
            await olaf.say("conversation.watch", id=id, conversation=here)
            await asyncio.sleep(0)

    async def says() -> None:
        for number in range(30):
            await cora.posts(f"{SECRET} {number}")

    await asyncio.gather(asks(), says())
    assert SECRET not in str(await olaf.heard_so_far())


async def test_who_has_it_is_no_strangers_business(shop: Shop) -> None:
    _cora, _ada, here = await shop.talk()
    olaf, ben = await shop.agent(shop.olaf), await shop.agent(shop.ben)
    refused = await olaf.ask("offer.accept", conversation=here)
    assert refused["code"] == "already_taken"
    assert "Ada" not in refused["detail"]
    colleagues = await ben.ask("offer.accept", conversation=here)
    assert "Ada" in colleagues["detail"]
