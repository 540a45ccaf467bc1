"""Mallory knows every id and every address, and none of the secrets."""

from __future__ import annotations

import asyncio
import http.client
from dataclasses import dataclass

import pytest
from websockets.exceptions import InvalidStatus

from tests.customers.test_consumers import file_of
from tests.people import Agent, Customer
from tests.shop import PAGE, Shop, rows, stored

SECRET = "My card number is 4929"


@dataclass
class Private:
    cora: Customer
    ada: Agent
    here: str
    file: str


@pytest.fixture
async def private(shop: Shop) -> Private:
    cora, ada, here = await shop.talk()
    file = await stored(file_of, cora.welcome["customer"]["id"], shop)
    await cora.posts(SECRET, attachments=[file])
    await ada.posts(here, "A note", note=True)
    return Private(cora, ada, here, file)


async def test_she_sees_nothing_over_the_socket(shop: Shop, private: Private) -> None:
    mallory = await shop.customer(conversation=private.here, after=0, last="x")
    assert mallory.welcome["conversation"] is None
    await mallory.starts("Hi")
    for command, fields in {
        "message.post": {"text": "x"},
        "history.get": {},
    }.items():
        answer = await mallory.ask(command, conversation=private.here, **fields)
        assert answer["code"] == "forbidden"
    stolen = await mallory.posts("Look", attachments=[private.file])
    assert stolen["code"] == "attachment_unknown"
    await mallory.say("typing", on=True, conversation=private.here)
    await mallory.say("message.read", seq=3, conversation=private.here)
    await private.cora.posts("Still here")
    assert SECRET not in str(await mallory.heard_so_far())
    assert private.here not in str(mallory.heard)


async def test_she_sees_nothing_over_the_poll(shop: Shop, private: Private) -> None:
    mallory = shop.long_poll()
    await mallory.hello(conversation=private.here, after=0)
    frames = await mallory.asks(
        conversation=private.here,
        frames=[
            {"type": "history.get", "id": "12345678", "conversation": private.here},
            {
                "type": "message.post",
                "id": "12345679",
                "text": "x",
                "conversation": private.here,
            },
        ],
    )
    assert [frame["code"] for frame in frames] == ["forbidden", "forbidden"]


async def test_a_customers_token_opens_no_agents_door(
    shop: Shop, private: Private
) -> None:
    for headers in (
        {"Cookie": f"sessionid={private.cora.token}"},
        {"Cookie": "", "Authorization": f"Bearer {private.cora.token}"},
    ):
        with pytest.raises(InvalidStatus) as refused:
            await shop.sits_down(shop.ada, **headers)
        assert refused.value.response.status_code == 403


async def test_an_agents_cookie_opens_no_customers_conversation(
    shop: Shop, private: Private
) -> None:
    cookie = await shop.cookie(shop.ada.user)
    mallory = await shop.knocks(Cookie=cookie)
    assert (await mallory.hello())["conversation"] is None


async def test_another_sites_agent_sees_nothing(shop: Shop, private: Private) -> None:
    olaf = await shop.agent(shop.olaf)
    here = private.here
    codes = {
        (await olaf.posts(here, "x"))["code"],
        (await olaf.takes(here))["code"],
        (await olaf.ends(here))["code"],
        (await olaf.ask("history.get", conversation=here))["code"],
    }
    assert codes <= {"forbidden", "not_yours", "conversation_unknown"}
    await private.cora.posts("Still here")
    assert SECRET not in str(await olaf.heard_so_far())
    assert here not in str(olaf.heard)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/agents/"),
        ("POST", "/agents/uploads/"),
        ("GET", "/admin/"),
        ("GET", "/admin/helpdesk/transcript/"),
        ("GET", "/admin/helpdesk/transcript/{here}/change/"),
        ("GET", "/admin/helpdesk/conversation/{here}/"),
        ("GET", "/admin/customers/customer/"),
        ("GET", "/files/{file}/a.png"),
        ("GET", "/media/attachments/{file}"),
        ("GET", "/uploads/attachments/{file}"),
        ("POST", "/widget/shop/uploads/"),
        ("GET", "/widget/shop/poll/"),
        ("GET", "/widget/{here}/"),
    ],
)
async def test_every_other_door_is_shut(
    shop: Shop, private: Private, method: str, path: str
) -> None:
    def knock() -> tuple[int, str]:
        connection = http.client.HTTPConnection(shop.server.url[7:])
        address = path.format(here=private.here, file=private.file)
        connection.request(method, address, headers={"Origin": PAGE})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        connection.close()
        return response.status, text

    status, text = await asyncio.to_thread(knock)
    assert status in (302, 401, 403, 404, 405)
    assert SECRET not in text


async def test_nothing_was_stored_by_all_that(shop: Shop, private: Private) -> None:
    before = await stored(rows)
    mallory = await shop.customer()
    for raw in ("{", "[]", '{"type":"message.post","id":"12345678","text":"x"}'):
        await mallory.send(raw)
    await mallory.heard_so_far()
    mallory.vanish()
    assert await stored(rows) == before
