"""The customer's socket, verb by verb: who may, and who may not."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from customers import identity
from customers.models import Customer as CustomerRow
from customers.models import Site
from helpdesk import consumers, limits
from helpdesk.models import Conversation, Message
from tests.people import Frame, new_id
from tests.shop import KEY, PAGE, Shop, change, rows, stored, texts, told

NOBODYS = "0192c0de-0000-7000-8000-000000000000"


def end_of(conversation: str) -> Conversation:
    return Conversation.objects.get(pk=conversation)


# --- the handshake


async def refused_status(shop: Shop, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await shop.knocks(**headers)
    return refused.value.response.status_code


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",  # scheme
        "https://shop.example:8443",  # port
        "https://www.shop.example",  # host
        "https://shop.example.evil.example",
        "https://evil.example",
        "https://SHOP.example",
        "https://shop.example/",
        "https://shop.example evil.example",
        "https://rival.example",  # which another site allows
        "null",
        "",
    ],
)
async def test_a_page_of_another_origin_is_refused(shop: Shop, origin: str) -> None:
    assert await refused_status(shop, Origin=origin) == 403


@pytest.mark.parametrize("origin", ["*", "shop.example", "https://[::1"])
async def test_what_is_no_origin_is_refused(shop: Shop, origin: str) -> None:
    assert await refused_status(shop, Origin=origin) in (400, 403)


async def test_two_origins_are_none(shop: Shop) -> None:
    url = f"{shop.server.ws_url}/ws/customer/{KEY}/"
    both = [("Origin", PAGE), ("Origin", "https://evil.example")]
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=both, proxy=None)
    assert refused.value.response.status_code in (400, 403)


async def test_the_sites_page_and_our_own_may_enter(shop: Shop) -> None:
    for origin in (PAGE, shop.server.url):
        await (await shop.knocks(Origin=origin)).hello()


async def test_our_own_name_in_another_port_may_not(shop: Shop) -> None:
    host = shop.server.url.rpartition(":")[0]
    assert await refused_status(shop, Origin=f"{host}:1") == 403


async def test_a_name_that_is_not_ours_is_no_own_origin(shop: Shop) -> None:
    """Somebody points their own name at this machine."""
    there = {"Origin": "http://evil.example", "Host": "evil.example"}
    assert await refused_status(shop, **there) in (400, 403)


@pytest.mark.parametrize(
    "key", ["nowhere", "SHOP", "shop%00", "%ff", "shop%0a", "a" * 5_000, "%2e%2e"]
)
async def test_an_unknown_site_is_refused(shop: Shop, key: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await shop.knocks(key)
    assert refused.value.response.status_code in (403, 404)


async def test_a_browsers_name_may_be_anything(shop: Shop) -> None:
    cora = await shop.knocks(**{"User-Agent": "x" * 5_000 + "\té"})
    await cora.hello()
    assert (await cora.starts())["seq"] == 1


# --- hello


async def test_welcome_tells_what_a_widget_needs(shop: Shop) -> None:
    cora = await shop.customer(locale="en")
    welcome = cora.welcome
    assert welcome["protocol"] == 1
    assert welcome["customer"] == {
        "id": welcome["customer"]["id"],
        "name": "",
        "email": "",
        "verified": False,
    }
    assert welcome["site"]["name"] == "Shop"
    assert [queue["name"] for queue in welcome["queues"]] == ["Sales", "Billing"]
    assert welcome["conversation"] is None
    assert (welcome["messages"], welcome["more"]) == ([], False)
    assert welcome["heartbeat"] == 20
    assert welcome["limits"]["text"] == 4_000
    assert welcome["limits"]["frame"] == 65_536


async def test_looking_stores_nothing(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.posts("Hello?")
    await cora.heard_so_far()
    assert await stored(CustomerRow.objects.count) == 0
    assert await stored(rows) == (0, 0)


async def test_availability_follows_the_agents(shop: Shop) -> None:
    assert (await shop.customer()).welcome["availability"] == "busy"
    await shop.agent(shop.ada)
    assert (await shop.customer()).welcome["availability"] == "open"
    await stored(shop.site.queues.update, is_open=False)
    assert (await shop.customer()).welcome["availability"] == "closed"


def tokens(shop: Shop) -> dict[str, str]:
    someone = identity.new_customer_id()
    other = Site.objects.get(key="rival")
    fine = identity.make_token(shop.site, someone)
    return {
        "empty": "",
        "nonsense": "let me in",
        "of another site": identity.make_token(other, someone),
        "changed": fine[:-1] + ("A" if fine[-1] != "A" else "B"),
        "unsigned": fine.partition(":")[0],
        "long": fine * 100,
        "not ascii": fine + "é",
    }


@pytest.mark.parametrize(
    "which",
    [
        "empty",
        "nonsense",
        "of another site",
        "changed",
        "unsigned",
        "long",
        "not ascii",
    ],
)
async def test_a_wrong_token_closes_with_4401(shop: Shop, which: str) -> None:
    cora, mallory = await shop.customer(), await shop.knocks()
    await mallory.say("hello", token=(await stored(tokens, shop))[which])
    assert await mallory.closed() == consumers.NOT_SIGNED_IN
    assert mallory.heard == []
    await cora.heard_so_far()


async def test_a_customer_has_so_many_sockets(shop: Shop) -> None:
    cora = await shop.customer()
    for _ in range(consumers.SOCKETS_PER_PERSON - 1):
        await shop.again(cora)
    eleventh = await shop.knocks()
    await eleventh.say("hello", token=cora.token)
    assert await eleventh.closed() == consumers.TOO_FAST
    await cora.heard_so_far()
    await shop.customer()


# --- identity


async def proof(shop: Shop, **changed: Any) -> Frame:
    """What the shop's own server would sign."""
    at = int(dt.datetime.now(dt.UTC).timestamp())
    said = {"id": "42", "name": "Cora Lee", "email": "cora@example.com", "at": at}
    said |= {name: changed.pop(name) for name in ("at",) if name in changed}
    signature = identity.signature(shop.site.secret, KEY, *said.values())
    return said | {"signature": signature} | changed


async def test_the_contracts_example_signature() -> None:
    assert (
        identity.signature(
            "secret", "demo", "42", "Cora Lee", "cora@example.com", 1_700_000_000
        )
        == "51c891a7d88199241bb6c6e65fe20132f6cc5ccac7a48bb7f100dd14c75694f4"
    )


async def test_a_proven_customer_is_known_by_name(shop: Shop) -> None:
    cora = await shop.customer(identity=await proof(shop))
    told = cora.welcome["customer"]
    assert (told["name"], told["verified"]) == ("Cora Lee", True)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Mallory"},
        {"id": "43"},
        {"email": "mallory@example.com"},
        {"signature": ""},
        {"signature": "0" * 64},
        {"at": 1_700_000_000},
        {"at": 4_000_000_000},
        {"at": -(2**63)},
    ],
)
async def test_a_wrong_proof_is_refused_and_a_plain_hello_may_follow(
    shop: Shop, changed: Frame
) -> None:
    mallory = await shop.knocks()
    await mallory.say("hello", identity=await proof(shop, **changed))
    assert (await mallory.hears("refused"))["code"] == "identity_invalid"
    assert (await mallory.hello())["customer"]["verified"] is False


async def test_signing_in_keeps_the_chat_and_closes_what_was_open_before(
    shop: Shop,
) -> None:
    before = await shop.customer()
    here = (await before.starts())["conversation"]["id"]
    cora = await shop.again(before, identity=await proof(shop))
    assert cora.welcome["conversation"]["id"] == here
    assert await before.closed() == consumers.NOT_SIGNED_IN
    copied = await shop.customer(token=before.token)
    assert copied.welcome["conversation"] is None


# --- conversation.start


async def test_a_start_is_acked_with_the_conversation(shop: Shop) -> None:
    cora = await shop.customer(page={"url": "https://shop.example/x"}, locale="de")
    ack = await cora.starts(
        "Hi", name="Cora", email="cora@example.com", fields={"a": 1}
    )
    conversation = ack["conversation"]
    assert ack["seq"] == 1
    assert ack["at"].endswith("Z")
    assert len(ack["at"]) == len("2026-03-04T05:06:07.089Z")
    assert (conversation["state"], conversation["position"]) == ("waiting", 1)
    assert conversation["queue"]["name"] == "Sales"
    assert (conversation["site"], conversation["agent"]) == (KEY, None)
    row = await stored(CustomerRow.objects.get)
    assert (row.name, row.email, row.locale) == ("Cora", "cora@example.com", "de")
    assert (row.fields, row.page) == ({"a": 1}, {"url": "https://shop.example/x"})


async def test_another_tab_gets_the_first_message_and_the_conversation(
    shop: Shop,
) -> None:
    cora = await shop.customer()
    tab = await shop.again(cora)
    ack = await cora.starts("Hello?")
    assert (await tab.hears_message("Hello?"))["seq"] == 1
    await tab.sees(id=ack["conversation"]["id"])
    heard = [frame["type"] for frame in await cora.heard_so_far()]
    assert "message.posted" not in heard


async def test_there_is_one_open_conversation(shop: Shop) -> None:
    cora = await shop.customer()
    tab = await shop.again(cora)
    await cora.starts()
    for person in (cora, tab):
        again = await person.ask("conversation.start", text="And again")
        assert again["code"] == "already_open"
    assert await stored(rows) == (1, 1)


async def test_after_its_end_there_may_be_another(shop: Shop) -> None:
    cora = await shop.customer()
    first = await cora.starts()
    await cora.ask("conversation.end")
    second = await cora.starts()
    assert first["conversation"]["id"] != second["conversation"]["id"]


async def test_of_starts_at_once_one_opens_a_conversation(shop: Shop) -> None:
    """Two guards stand behind each other: the customer's lock, and the constraint
    one_open_conversation_per_customer."""
    for _ in range(3):
        cora = await shop.customer()
        tabs = [cora, await shop.again(cora), await shop.again(cora)]
        answers = await asyncio.gather(
            *(tab.ask("conversation.start", text="Hi") for tab in tabs)
        )
        kinds = sorted(answer.get("code", "ack") for answer in answers)
        assert kinds == ["ack", "already_open", "already_open"]
    assert await stored(rows) == (3, 3)


@pytest.mark.parametrize(
    "queue", ["0", "999999", "Sales", "-1", "1e3", "", "9" * 30, "9" * 6_000, "²", "٣"]
)
async def test_an_unknown_queue_is_refused(shop: Shop, queue: str) -> None:
    cora = await shop.customer()
    refused = await cora.ask("conversation.start", text="Hi", queue=queue)
    assert refused["code"] == "queue_unknown"
    assert await stored(rows) == (0, 0)


async def test_another_sites_queue_is_unknown_too(shop: Shop) -> None:
    cora = await shop.customer()
    elsewhere = str(shop.elsewhere.pk)
    refused = await cora.ask("conversation.start", text="Hi", queue=elsewhere)
    assert refused["code"] == "queue_unknown"


async def test_a_queue_of_the_site_may_be_chosen(shop: Shop) -> None:
    cora = await shop.customer()
    ack = await cora.starts(queue=str(shop.billing.pk))
    assert ack["conversation"]["queue"]["name"] == "Billing"


REFUSED_TEXTS = {
    "empty": ("", "empty"),
    "blank": (" \n\t", "empty"),
    "too long": ("x" * 4_001, "too_long"),
}


@pytest.mark.parametrize("which", REFUSED_TEXTS)
async def test_a_text_must_say_something_and_not_too_much(
    shop: Shop, which: str
) -> None:
    text, code = REFUSED_TEXTS[which]
    cora = await shop.customer()
    assert (await cora.ask("conversation.start", text=text))["code"] == code
    await cora.starts("x" * 4_000)
    assert (await cora.posts(text))["code"] == code
    assert await stored(rows) == (1, 1)


async def test_a_mistyped_address_is_told_by_its_field(shop: Shop) -> None:
    cora = await shop.customer()
    refused = await cora.ask("conversation.start", text="Hi", email="cora@")
    assert refused["code"] == "bad_frame"
    assert refused["detail"].startswith("email: ")
    assert await stored(rows) == (0, 0)


async def test_a_closed_queue_takes_messages_with_an_address(shop: Shop) -> None:
    await stored(change, shop.sales, is_open=False)
    cora = await shop.customer()
    refused = await cora.ask("conversation.start", text="Hi")
    assert refused["code"] == "queue_closed"
    assert await stored(rows) == (0, 0)
    left = (await cora.starts("Hi", email="cora@example.com"))["conversation"]
    assert (left["left"], left["state"]) == (True, "waiting")
    assert "position" not in left


async def test_a_known_address_will_do(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.starts("Hi", email="cora@example.com")
    await cora.ask("conversation.end")
    await stored(change, shop.sales, is_open=False)
    assert (await cora.starts("Still there?"))["conversation"]["left"] is True


async def test_a_full_line_is_as_a_closed_queue(shop: Shop) -> None:
    await stored(change, shop.sales, line_limit=1)
    await (await shop.customer()).starts()
    cora = await shop.customer()
    assert (await cora.ask("conversation.start", text="Hi"))["code"] == "queue_closed"
    assert (await cora.starts("Hi", email="c@example.com"))["conversation"]["left"]


async def test_beside_a_left_message_there_may_be_an_open_conversation(
    shop: Shop,
) -> None:
    await stored(change, shop.sales, is_open=False)
    cora = await shop.customer()
    await cora.starts("Later, then", email="cora@example.com")
    ack = await cora.starts("Or now?", queue=str(shop.billing.pk))
    assert ack["conversation"]["state"] == "waiting"
    assert (await cora.posts("Now."))["conversation"] == ack["conversation"]["id"]


async def test_a_message_left_later_does_not_hide_the_open_conversation(
    shop: Shop,
) -> None:
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    here = (await cora.starts("Hi"))["conversation"]["id"]
    await cora.sees(state="active")
    await stored(change, shop.billing, is_open=False)
    await cora.starts("A bill", queue=str(shop.billing.pk), email="c@example.com")
    await cora.say("typing", on=True)
    assert (await ada.hears("typing"))["conversation"] == here
    await cora.posts("Are you there?")
    assert (await cora.heard_so_far())[-1]["seq"] == 3


# --- repeating an id


async def test_a_repeated_start_gets_its_first_ack_whatever_it_says(
    shop: Shop,
) -> None:
    cora = await shop.customer()
    first = await cora.starts("Hi", id="start-id-1")
    for changed in (
        {"text": "Hi"},
        {"text": "Other"},
        {"text": ""},
        {"text": "x" * 5_000},
        {"text": "Hi", "queue": "nowhere"},
        {"text": "Hi", "attachments": ["nothing"]},
    ):
        assert await cora.ask("conversation.start", id="start-id-1", **changed) == first
    assert await stored(rows) == (1, 1)


async def test_a_repeated_post_gets_its_first_ack_whatever_it_says(
    shop: Shop,
) -> None:
    cora, ada, here = await shop.talk()
    first = await cora.posts("Once", id="post-id-1")
    for changed in (
        {"text": "Once"},
        {"text": "Twice"},
        {"text": ""},
        {"text": "x" * 5_000},
        {"text": "Once", "conversation": NOBODYS},
        {"text": "Once", "conversation": "not an id"},
        {"text": "Once", "attachments": [NOBODYS]},
    ):
        assert await cora.ask("message.post", id="post-id-1", **changed) == first
    await ada.heard_so_far()
    posted = [f for f in ada.heard if f["type"] == "message.posted"]
    assert [f["message"]["text"] for f in posted].count("Once") == 1
    assert await stored(texts, here) == ["Hello?", "Once"]


async def test_also_after_the_end_and_in_the_next_conversation(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    first = await cora.posts("Once", id="post-id-1")
    await ada.ends(here)
    assert await cora.posts("Once", id="post-id-1") == first
    await cora.starts("Something else")
    assert await cora.posts("Once", id="post-id-1") == first
    assert (await cora.posts("Once", id="post-id-2"))["conversation"] != here


async def test_an_end_and_a_rating_repeat_their_acks(shop: Shop) -> None:
    cora, _, _ = await shop.talk()
    end = await cora.ask("conversation.end", id="end-id-1")
    rating = await cora.ask("conversation.rate", id="rate-id-1", score=5)
    await cora.starts("Anew")
    assert await cora.ask("conversation.end", id="end-id-1") == end
    assert await cora.ask("conversation.rate", id="rate-id-1", score=1) == rating
    tab = await shop.again(cora)
    assert tab.welcome["conversation"]["state"] != "ended"


async def test_an_id_belongs_to_its_first_command(shop: Shop) -> None:
    cora, _, here = await shop.talk()
    post = await cora.posts("Once", id="shared-id")
    assert await cora.ask("conversation.end", id="shared-id") == post
    assert await cora.ask("conversation.start", id="shared-id", text="x") == post
    assert (await stored(end_of, here)).state == "active"


async def test_somebody_elses_id_is_nobodys(shop: Shop) -> None:
    cora, dora = await shop.customer(), await shop.customer()
    await cora.starts("Cora's", id="the-same-id")
    ack = await dora.starts("Dora's", id="the-same-id")
    assert await stored(texts, ack["conversation"]["id"]) == ["Dora's"]


async def test_a_refusal_is_not_remembered(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await cora.posts("Hi", id="post-id-1"))["code"] == "not_started"
    await cora.starts()
    assert (await cora.posts("Hi", id="post-id-1"))["seq"] == 2


async def test_a_repeat_costs_no_token_and_is_answered_without_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "customer_posts", limits.Limit(0.001, 2))
    cora = await shop.customer()
    await cora.starts()
    first = await cora.posts("One", id="post-id-1")
    for _ in range(5):
        assert await cora.posts("One", id="post-id-1") == first
    await cora.posts("Two")
    fast = await cora.posts("Three", id="post-id-3")
    assert (fast["code"], fast["retry_ms"] > 0) == ("rate_limited", True)
    assert await cora.posts("One", id="post-id-1") == first


async def test_a_repeated_start_costs_none_either(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "customer_starts", limits.Limit(0.0001, 2))
    cora = await shop.customer()
    first = await cora.starts(id="start-id-1")
    for _ in range(3):
        assert await cora.starts(id="start-id-1") == first
    await cora.ask("conversation.end")
    await cora.starts("The second")
    await cora.ask("conversation.end")
    third = await cora.ask("conversation.start", text="The third")
    assert third["code"] == "rate_limited"


# --- message.post


async def test_the_poster_gets_the_ack_and_everybody_else_the_event(
    shop: Shop,
) -> None:
    cora, ada, here = await shop.talk()
    tab = await shop.again(cora)
    ack = await cora.posts("To all", id="post-id-1")
    assert ack == {
        "type": "ack",
        "id": "post-id-1",
        "conversation": here,
        "seq": 3,
        "at": ack["at"],
    }
    for other in (tab, ada):
        message = await other.hears_message("To all")
        assert (message["seq"], message["id"], message["at"]) == (
            3,
            "post-id-1",
            ack["at"],
        )
        assert message["author"]["kind"] == "customer"
    posted = [f for f in await cora.heard_so_far() if f["type"] == "message.posted"]
    assert [f["message"]["kind"] for f in posted] == ["system"]


async def test_without_a_start_there_is_nowhere_to_post(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await cora.posts("Hi"))["code"] == "not_started"


async def test_what_has_ended_takes_nothing_more(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    await ada.ends(here)
    for where in ({}, {"conversation": here}):
        assert (await cora.posts("One more thing", **where))["code"] == "ended"
    assert await stored(texts, here) == ["Hello?"]


@pytest.mark.parametrize("where", ["dora's", "nobody's", "none", "empty", "upper"])
async def test_anothers_conversation_is_as_one_that_does_not_exist(
    shop: Shop, where: str
) -> None:
    dora, mallory = await shop.customer(), await shop.customer()
    doras = (await dora.starts("Private"))["conversation"]["id"]
    await mallory.starts("Mine")
    ids = {
        "dora's": doras,
        "nobody's": NOBODYS,
        "none": "no id at all",
        "empty": "",
        "upper": doras.upper(),
    }
    refused = await mallory.posts("Let me in", conversation=ids[where], id="m-id-123")
    expected = {"type": "refused", "id": "m-id-123", "code": "forbidden"}
    assert refused == expected | {"detail": "That is not for you."}
    history = await mallory.ask("history.get", conversation=ids[where], id="m-id-123")
    assert history == refused
    assert await stored(texts, doras) == ["Private"]


async def test_an_ended_conversation_of_another_looks_no_different(
    shop: Shop,
) -> None:
    dora, mallory = await shop.customer(), await shop.customer()
    doras = (await dora.starts("Private"))["conversation"]["id"]
    await dora.ask("conversation.end")
    await mallory.starts("Mine")
    assert (await mallory.posts("Hi", conversation=doras))["code"] == "forbidden"


async def test_a_customer_writes_no_notes(shop: Shop) -> None:
    cora, _, here = await shop.talk()
    await cora.posts("Not a note", note=True)
    kinds = Message.objects.filter(conversation=here, text="Not a note")
    assert await stored(lambda: kinds.get().kind) == "text"


async def test_in_another_tab_a_post_goes_to_the_new_conversation(
    shop: Shop,
) -> None:
    cora = await shop.customer()
    await cora.starts()
    tab = await shop.again(cora)
    await tab.ask("conversation.end")
    new = (await tab.starts("Anew"))["conversation"]["id"]
    assert (await cora.posts("Here?"))["conversation"] == new


async def test_one_senders_posts_keep_their_order(shop: Shop) -> None:
    cora, _, here = await shop.talk()
    sent = [f"{n}" for n in range(20)]
    for text in sent:
        await cora.say("message.post", id=new_id(), text=text)
    last = await cora.hears("ack", where=lambda f: f.get("seq") == 22)
    assert last["conversation"] == here
    assert await stored(texts, here) == ["Hello?", *sent]


# --- files


def file_of(uploader: str, shop: Shop) -> str:
    from helpdesk.database import db_now
    from helpdesk.models import Attachment

    row = Attachment.objects.create(
        site=shop.site,
        uploader=uploader,
        name="a.png",
        type="image/png",
        size=7,
        created_at=db_now(),
    )
    return str(row.pk)


async def test_a_file_of_ones_own_is_sent_once(shop: Shop) -> None:
    cora, ada, _ = await shop.talk()
    file = await stored(file_of, cora.welcome["customer"]["id"], shop)
    assert (await cora.posts("", attachments=[file]))["seq"] == 3
    (shown,) = (await ada.hears_message(""))["attachments"]
    assert (shown["id"], shown["name"], shown["size"]) == (file, "a.png", 7)
    again = await cora.posts("Again", attachments=[file])
    assert again["code"] == "attachment_unknown"


@pytest.mark.parametrize("whose", ["dora", "nobody", "no id", "twice"])
async def test_other_files_are_unknown(shop: Shop, whose: str) -> None:
    cora, _, here = await shop.talk()
    dora = await shop.customer()
    own = await stored(file_of, cora.welcome["customer"]["id"], shop)
    doras = await stored(file_of, dora.welcome["customer"]["id"], shop)
    files = {
        "dora": [own, doras],
        "nobody": [NOBODYS],
        "no id": ["../../etc/passwd"],
        "twice": [own, own],
    }
    refused = await cora.posts("Look", attachments=files[whose])
    assert refused["code"] == "attachment_unknown"
    assert await stored(texts, here) == ["Hello?"]


async def test_six_files_are_too_many(shop: Shop) -> None:
    cora, _, _ = await shop.talk()
    refused = await cora.posts("Look", attachments=[NOBODYS] * 6)
    assert refused["code"] == "too_long"


async def test_a_start_may_bring_a_file(shop: Shop) -> None:
    cora = await shop.customer()
    file = await stored(file_of, cora.welcome["customer"]["id"], shop)
    await cora.starts("", attachments=[file])
    tab = await shop.again(cora)
    assert tab.welcome["messages"][0]["attachments"][0]["id"] == file


async def test_a_files_address_is_the_customers_own(shop: Shop) -> None:
    cora, ada, _ = await shop.talk()
    file = await stored(file_of, cora.welcome["customer"]["id"], shop)
    await cora.posts("", attachments=[file])
    tab = await shop.again(cora)
    hers = tab.welcome["messages"][-1]["attachments"][0]["url"]
    staffs = (await ada.hears_message(""))["attachments"][0]["url"]
    assert hers != staffs


# --- read marks and typing


async def test_reading_moves_the_mark_forward_and_never_past_the_end(
    shop: Shop,
) -> None:
    cora, ada, _ = await shop.talk()
    await cora.say("message.read", seq=1)
    changed = await ada.sees(read={"customer": 1, "agent": 0})
    await cora.say("message.read", seq=2**31 - 1)
    further = await ada.sees(read={"customer": 2, "agent": 0})
    assert further["version"] > changed["version"]
    await cora.say("message.read", seq=1)
    await cora.say("message.read", seq=2)
    tab = await shop.again(cora)
    assert tab.welcome["conversation"]["version"] == further["version"]


async def test_typing_reaches_the_holder_and_not_its_typist(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    await cora.say("typing", on=True, text="I am unsu")
    heard = await ada.hears("typing")
    assert heard["conversation"] == here
    assert heard["on"] is True
    assert heard["author"]["kind"] == "customer"
    assert "text" not in heard
    for other in (cora, ben):
        assert "typing" not in [f["type"] for f in await other.heard_so_far()]


async def test_unsent_text_is_shown_where_the_site_announces_it(shop: Shop) -> None:
    await stored(change, shop.site, typing_preview=True)
    cora, ada, _ = await shop.talk()
    assert cora.welcome["site"]["typing_preview"] is True
    await cora.say("typing", on=True, text="I am unsu")
    assert (await ada.hears("typing"))["text"] == "I am unsu"


async def test_typing_alone_in_the_line_goes_nowhere(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.say("typing", on=True)
    await cora.starts()
    await cora.say("typing", on=True)
    await cora.heard_so_far()


# --- ending and rating


async def test_a_customer_ends_the_conversation_once(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    ack = await cora.ask("conversation.end")
    assert ack["conversation"]["state"] == "ended"
    assert ack["conversation"]["outcome"] == "resolved"
    await ada.sees(id=here, state="ended")
    assert (await cora.ask("conversation.end"))["code"] == "ended"


async def test_who_waits_may_leave_the_line(shop: Shop) -> None:
    cora, dora = await shop.customer(), await shop.customer()
    await cora.starts()
    assert (await dora.starts())["conversation"]["position"] == 2
    ack = await cora.ask("conversation.end")
    assert ack["conversation"]["outcome"] == "abandoned"
    await dora.sees(position=1)


async def test_who_waits_may_leave_a_message_instead(shop: Shop) -> None:
    cora, dora = await shop.customer(), await shop.customer()
    here = (await cora.starts("My tent leaks."))["conversation"]["id"]
    await dora.starts()
    ack = await cora.ask("conversation.leave", email="cora@example.com")
    shown = ack["conversation"]
    assert (shown["id"], shown["state"], shown["left"]) == (here, "waiting", True)
    assert "position" not in shown
    await dora.sees(position=1)
    line = await cora.hears_message("This is a message now: it is answered by e-mail.")
    assert line["event"] == "left"

    ada = await shop.agent(shop.ada)
    await dora.sees(state="active")
    (waiting,) = (each for each in ada.welcome["waiting"] if each["id"] == here)
    assert waiting["left"] is True
    assert waiting["customer"]["email"] == "cora@example.com"
    assert waiting["because"] == {"rule": "left", "queue": "Sales"}
    # Nobody who has left a message is kept from starting anew.
    assert (await cora.starts("It burns!"))["type"] == "ack"


async def test_to_leave_a_message_needs_an_address(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.starts()
    assert (await cora.ask("conversation.leave"))["code"] == "empty"
    bad = await cora.ask("conversation.leave", email="cora@")
    assert (bad["code"], bad["detail"][:6]) == ("bad_frame", "email:")
    await cora.sees(state="waiting", position=1)


async def test_a_known_address_will_do_to_leave_a_message(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.starts("Hi", email="cora@example.com")
    assert (await cora.ask("conversation.leave"))["conversation"]["left"] is True


async def test_to_leave_a_message_twice_is_to_leave_it_once(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.starts("Hi", email="cora@example.com")
    first = await cora.ask("conversation.leave", id="leave-it-once")
    assert await cora.ask("conversation.leave", id="leave-it-once") == first
    again = await cora.ask("conversation.leave")
    assert again["conversation"]["version"] == first["conversation"]["version"]


async def test_who_talks_or_has_ended_leaves_no_message(shop: Shop) -> None:
    cora = await shop.customer()
    address = {"email": "cora@example.com"}
    assert (await cora.ask("conversation.leave", **address))["code"] == "not_started"
    await shop.agent(shop.ada)
    await cora.starts()
    await cora.sees(state="active")
    refused = await cora.ask("conversation.leave", **address)
    assert refused["code"] == "already_open"
    await cora.ask("conversation.end")
    assert (await cora.ask("conversation.leave", **address))["code"] == "ended"


async def test_an_end_that_comes_late_does_not_end_the_next_one(shop: Shop) -> None:
    cora = await shop.customer()
    meant = (await cora.starts())["conversation"]["id"]
    await cora.ask("conversation.end", conversation=meant)
    newest = (await cora.starts())["conversation"]["id"]
    late = await cora.ask("conversation.end", conversation=meant)
    assert late["code"] == "ended"
    ack = await cora.ask("conversation.end", conversation=newest)
    assert ack["conversation"]["state"] == "ended"


async def test_there_is_nothing_to_end_or_rate_before_the_start(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await cora.ask("conversation.end"))["code"] == "not_started"
    assert (await cora.ask("conversation.rate", score=5))["code"] == "not_started"


async def test_a_rating_is_kept_and_shown(shop: Shop) -> None:
    cora, ada, _ = await shop.talk()
    await cora.ask("conversation.end")
    ack = await cora.ask("conversation.rate", score=4, comment="Quick!")
    assert ack["conversation"]["rating"] == 4
    tab = await shop.again(cora)
    assert tab.welcome["conversation"]["rating"] == 4
    await cora.ask("conversation.rate", score=5)
    await tab.sees(rating=5)
    await ada.heard_so_far()


# --- history


async def long_talk(shop: Shop, count: int) -> tuple[Any, str]:
    cora = await shop.customer()
    here = (await cora.starts("1"))["conversation"]["id"]
    await stored(fill, here, count)
    return cora, here


def fill(conversation: str, upto: int) -> None:
    row = Conversation.objects.get(pk=conversation)
    Message.objects.bulk_create(
        Message(
            conversation=row,
            place=n,
            seq=n,
            notes=0,
            client_id=f"filled-{n:04}",
            kind="text",
            author="customer",
            sender=row.customer_id,
            text=f"{n}",
            at=row.created_at,
        )
        for n in range(2, upto + 1)
    )
    change(row, seq=upto)


def seqs(messages: list[Frame]) -> list[int]:
    return [message["seq"] for message in messages]


PAGES = {
    "the newest": ({}, range(51, 151), True),
    "the newest few": ({"limit": 3}, range(148, 151), True),
    "before": ({"before": 51}, range(1, 51), False),
    "before, a few": ({"before": 51, "limit": 10}, range(41, 51), True),
    "before the first": ({"before": 1}, range(0), False),
    "after": ({"after": 140}, range(141, 151), False),
    "after nothing": ({"after": 0}, range(1, 101), True),
    "after, a few": ({"after": 10, "limit": 5}, range(11, 16), True),
    "after the last": ({"after": 150}, range(0), False),
}


@pytest.mark.parametrize("which", PAGES)
async def test_history_comes_in_pages(shop: Shop, which: str) -> None:
    asked, expected, more = PAGES[which]
    cora, _ = await long_talk(shop, 150)
    page = await cora.ask("history.get", **asked)
    assert (seqs(page["messages"]), page["more"]) == (list(expected), more)


async def test_history_reaches_into_earlier_conversations_of_ones_own(
    shop: Shop,
) -> None:
    cora = await shop.customer()
    first = (await cora.starts("Long ago"))["conversation"]["id"]
    await cora.ask("conversation.end")
    await cora.starts("Now")
    page = await cora.ask("history.get", conversation=first)
    assert page["messages"][0]["text"] == "Long ago"
    newest = await cora.ask("history.get")
    assert newest["messages"][0]["text"] == "Now"


async def test_without_a_start_there_is_no_history(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await cora.ask("history.get"))["code"] == "not_started"


# --- ping


async def test_pong_tells_how_far_the_conversation_is(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await cora.heard_so_far())[-1] == {"type": "pong"}
    ack = await cora.starts()
    pong = (await cora.heard_so_far())[-1]
    assert pong == {"type": "pong", "seq": 1, "version": ack["conversation"]["version"]}
    await cora.posts("Two")
    assert (await cora.heard_so_far())[-1]["seq"] == 2


# --- presence


def gone_since(conversation: str) -> object:
    return Conversation.objects.get(pk=conversation).customer_gone_at


async def test_a_tab_from_before_the_start_counts_as_present(shop: Shop) -> None:
    """It was open when another tab began the conversation, and stays when that one
    closes: nobody has left."""
    cora = await shop.customer()
    tab = await shop.again(cora)
    here = (await cora.starts())["conversation"]["id"]
    await tab.sees(id=here)
    await cora.leave()
    await tab.heard_so_far()
    assert shop.desk.present.people() == [uuid.UUID(cora.welcome["customer"]["id"])]
    assert await stored(gone_since, here) is None


# --- what limits say


async def test_starts_are_limited_for_a_customer_and_for_an_address(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "address_starts", limits.Limit(0.0001, 2))
    for _ in range(2):
        await (await shop.customer()).starts()
    third = await shop.customer()
    refused = await third.ask("conversation.start", text="Hi")
    assert refused["code"] == "rate_limited"
    assert refused["retry_ms"] > 0
    assert await stored(rows) == (2, 2)


async def test_what_was_refused_costs_no_start(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "customer_starts", limits.Limit(0.0001, 1))
    cora = await shop.customer()
    for text in ("", "x" * 5_000):
        await cora.ask("conversation.start", text=text)
    await cora.starts("Now rightly")


async def test_thirty_posts_at_once_and_two_a_second() -> None:
    posts = limits.customer_posts
    assert (posts._rate, posts._burst) == (2, 30)
    starts, address = limits.customer_starts, limits.address_starts
    assert (starts._burst, address._burst) == (10, 200)
    assert consumers.SOCKETS_PER_PERSON == 10


# --- numbers


async def test_versions_rise_and_seqs_have_no_holes(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    for n in range(3):
        await cora.posts(f"c{n}")
        await ada.posts(here, f"a{n}")
    await ada.say("message.read", conversation=here, seq=4)
    await ada.ends(here)
    await cora.sees(state="ended")
    heard = await cora.heard_so_far()
    versions = [
        f["conversation"]["version"]
        for f in heard
        if f["type"] == "conversation.changed"
    ]
    assert versions == sorted(versions)
    numbers = [seq for seq, _ in await stored(told, here)]
    assert numbers == list(range(1, 10))
