"""Many who come back at once are each told what they would be alone."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import identity, welcome
from customers.models import Site
from helpdesk import protocol
from helpdesk.models import Conversation, Message
from tests.shop import Shop, stored


def asked(site: Site, token: str, **hello: Any) -> welcome.Asked:
    visitor = identity.resolve(site, identity.read_token(site, token), None)
    return welcome.Asked(site, visitor, protocol.CustomerHello(**hello))


async def talk(shop: Shop, *texts: str) -> str:
    """Of a customer who says these; their token."""
    customer = await shop.customer()
    await customer.starts(texts[0])
    for text in texts[1:]:
        await customer.posts(text)
    return customer.token


def everybody(site: Site, one: str, other: str, last: str) -> list[welcome.Asked]:
    talk = Conversation.objects.order_by("created_at").first()
    assert talk
    known = {"conversation": str(talk.pk)}
    return [
        asked(site, one),
        asked(site, one, after=1, **known),
        asked(site, one, after=2, last=last, **known),
        asked(site, one, after=2, last="another", **known),
        asked(site, one, after=1, conversation="another's"),
        asked(site, one, after=0),
        asked(site, one, after=99),
        asked(site, other, after=1),
        asked(site, identity.make_token(site, identity.new_customer_id()), after=3),
        asked(site, identity.make_token(site, identity.new_customer_id())),
    ]


async def test_each_is_told_as_if_alone(shop: Shop) -> None:
    one = await talk(shop, "One", "Two", "Three")
    other = await talk(shop, "Else")
    site = await stored(Site.objects.get, key=shop.site.key)
    second = await stored(Message.objects.get, text="Two")
    wanted = await stored(everybody, site, one, other, second.client_id)
    together = await stored(welcome._read, wanted)
    alone = [(await stored(welcome._read, [each]))[0] for each in wanted]
    assert together == alone
    said = [[m.text for m in shown.messages if m.kind == "text"] for _, shown in alone]
    everything = ["One", "Two", "Three"]
    assert said == [
        everything,
        ["Two", "Three"],
        ["Three"],
        everything,
        everything,
        everything,
        [],
        [],
        [],
        [],
    ]
    assert [shown.reset for _, shown in alone] == [
        *(False, False, False, True, True, False, False, False),
        *(True, False),
    ]


async def test_it_takes_no_more_queries_for_many(shop: Shop) -> None:
    tokens = [await talk(shop, "Hello") for _ in range(4)]
    proofs = [identity.Proven(f"proven-{number}") for number in range(4)]

    def queries(of: list[str]) -> int:
        vouched = [identity.Token(uuid4(), proof) for proof in proofs[: len(of)]]
        held = [identity.read_token(site, token) for token in of] + vouched
        wanted = [asked(site, token) for token in of]
        with CaptureQueriesContext(connection) as captured:
            identity.recognise([(site, token) for token in held])
            welcome._read(wanted)
        return len(captured)

    site = await stored(Site.objects.get, key=shop.site.key)
    assert await stored(queries, tokens) == await stored(queries, tokens[:1])
