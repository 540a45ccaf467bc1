"""The same without a WebSocket: POST /widget/<key>/poll/."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import uuid
from typing import Any

import pytest

from customers import identity, poll
from customers.models import Customer as CustomerRow
from helpdesk import limits, presence
from helpdesk.models import Connection
from tests.people import Frame, new_id
from tests.shop import KEY, PAGE, LongPoll, Shop, eventually, rows, stored, texts


async def newcomer(shop: Shop, **hello: Any) -> LongPoll:
    cora = shop.long_poll()
    await cora.hello(**hello)
    return cora


def types(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


# --- talking


async def test_hello_brings_a_welcome_and_a_token(shop: Shop) -> None:
    cora = await newcomer(shop, locale="en")
    assert cora.welcome["protocol"] == 1
    assert cora.welcome["site"]["name"] == "Shop"
    assert cora.token
    assert cora.after == 0
    assert await stored(CustomerRow.objects.count) == 0


async def test_the_three_fields_of_an_answer(shop: Shop) -> None:
    status, answer = await shop.long_poll().posts_body({"hello": {}, "frames": []})
    assert status == 200
    assert sorted(answer) == ["after", "frames", "token"]


async def test_cora_talks_without_a_socket(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="Hello?")
    assert (start["type"], start["seq"]) == ("ack", 1)
    here = start["conversation"]["id"]
    await ada.sees(id=here, state="active")
    await ada.posts(here, "Hi!")
    assert (await cora.hears_message("Hi!"))["seq"] == 3
    ack = await cora.says("message.post", text="A tent, please.")
    assert (ack["seq"], ack["conversation"]) == (4, here)
    await ada.hears_message("A tent, please.")
    assert cora.after == 4


async def test_own_posts_come_back_as_acks_and_never_as_events(shop: Shop) -> None:
    cora = await newcomer(shop)
    frames = await cora.asks(
        frames=[
            {"type": "conversation.start", "id": "start-id-1", "text": "One"},
            {"type": "message.post", "id": "post-id-1", "text": "Two"},
            {"type": "message.post", "id": "post-id-2", "text": "Three"},
        ]
    )
    assert types(frames)[:3] == ["ack", "ack", "ack"]
    assert "message.posted" not in types(frames)
    assert types(await cora.asks()) == []


async def test_answers_come_before_messages_and_changes_last(shop: Shop) -> None:
    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="One")
    tab = await shop.customer(token=cora.token)
    await tab.posts("From the other tab")
    await tab.say("message.read", seq=1)
    await tab.heard_so_far()
    version = start["conversation"]["version"]
    frames = await cora.asks(
        version=version, frames=[{"type": "ping"}, {"type": "ping"}]
    )
    assert types(frames) == ["pong", "pong", "message.posted", "conversation.changed"]


async def test_a_change_is_told_only_if_it_is_newer(shop: Shop) -> None:
    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="One")
    version = start["conversation"]["version"]
    assert await cora.asks(version=version) == []
    (change,) = await cora.asks(version=version - 1)
    assert change["conversation"]["version"] == version


async def test_a_poll_waits_until_something_happens(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    tab = shop.long_poll(cora.token)
    waiting = asyncio.create_task(tab.asks(after=2, version=99, wait=25))
    await eventually(lambda: shop.desk.polls)
    await ada.posts(here, "Hi!")
    (posted,) = await asyncio.wait_for(waiting, 10)
    assert posted["message"]["text"] == "Hi!"


async def test_typing_ends_a_wait_too(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    tab = shop.long_poll(cora.token)
    waiting = asyncio.create_task(tab.asks(after=2, version=99, wait=25))
    await eventually(lambda: shop.desk.polls)
    await ada.say("typing", conversation=here, on=True)
    (typing,) = await asyncio.wait_for(waiting, 10)
    assert (typing["type"], typing["author"]["name"]) == ("typing", "Ada")


async def test_nothing_happens_and_the_answer_is_empty(shop: Shop) -> None:
    cora = await newcomer(shop)
    assert await cora.asks(wait=0.05) == []


async def test_more_than_a_page_comes_in_several_answers(shop: Shop) -> None:
    from tests.customers.test_consumers import fill

    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="1")
    await stored(fill, start["conversation"]["id"], 450)
    seqs: list[int] = []
    while len(seqs) < 450:
        frames = await cora.asks(after=seqs[-1] if seqs else 0, version=99)
        seqs += [frame["message"]["seq"] for frame in frames]
    assert seqs == list(range(1, 451))


async def test_hello_with_what_it_holds_brings_the_rest(shop: Shop) -> None:
    from tests.customers.test_consumers import fill

    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="1")
    await stored(fill, start["conversation"]["id"], 230)
    welcome, *rest = await cora.asks(hello={"after": 20})
    assert [m["seq"] for m in welcome["messages"]] == list(range(21, 221))
    assert welcome["more"] is True
    assert [f["message"]["seq"] for f in rest] == list(range(221, 231))


async def test_hello_with_nothing_held_brings_the_newest_page_alone(
    shop: Shop,
) -> None:
    from tests.customers.test_consumers import fill

    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="1")
    await stored(fill, start["conversation"]["id"], 230)
    (welcome,) = await cora.asks(hello={}, after=0)
    assert [m["seq"] for m in welcome["messages"]] == list(range(31, 231))
    assert cora.after == 230


async def test_who_holds_another_conversation_gets_the_new_one_whole(
    shop: Shop,
) -> None:
    cora = await newcomer(shop)
    first = await cora.says("conversation.start", text="One")
    await cora.says("message.post", text="Two")
    tab = await shop.customer(token=cora.token)
    await tab.ask("conversation.end")
    await tab.starts("Anew")
    for held in ({"conversation": first["conversation"]["id"]}, {}):
        frames = await cora.asks(after=3, version=9, **held)
        assert frames[0]["message"]["text"] == "Anew"
        assert frames[-1]["conversation"]["seq"] == 1


# --- repeating


async def test_a_repeated_post_gets_its_first_ack(shop: Shop) -> None:
    cora = await newcomer(shop)
    await cora.says("conversation.start", text="One", id="start-id-1")
    first = await cora.says("message.post", text="Two", id="post-id-1")
    assert await cora.says("message.post", text="Other", id="post-id-1") == first
    assert await stored(rows) == (1, 2)


async def test_a_lost_answer_loses_and_doubles_nothing(shop: Shop) -> None:
    """It asks again as it did before, since it never saw the answer."""
    cora = await newcomer(shop)
    await cora.says("conversation.start", text="One")
    body = {
        "token": cora.token,
        "after": 1,
        "version": 9,
        "frames": [{"type": "message.post", "id": "post-id-1", "text": "Two"}],
    }
    _, lost = await cora.posts_body(body)
    _, again = await cora.posts_body(body)
    assert again["frames"] == lost["frames"]
    assert again["after"] == lost["after"] == 2


# --- bad bodies and frames

BODIES: dict[str, Any] = {
    "empty": b"",
    "no JSON": b"{",
    "an array": [],
    "null": None,
    "neither hello nor token": {"frames": []},
    "hello is null and no token": {"hello": None},
    "hello is a text": {"hello": "hello"},
    "hello is ill-typed": {"hello": {"after": "1"}},
    "hello with a lone surrogate": b'{"hello":{"locale":"\\ud800"}}',
    "hello with U+0000": {"hello": {"locale": "\0"}},
    "hello is no UTF-8": b'{"hello":{"locale":"\xff"}}',
    "deep hello": b'{"hello":{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
    "deep frame": b'{"hello":{},"frames":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}",
    "frames is no array": {"hello": {}, "frames": {}},
    "too many frames": {"hello": {}, "frames": [{"type": "ping"}] * 51},
    "after is negative": {"hello": {}, "after": -1},
    "after is huge": {"hello": {}, "after": 10**30},
    "after is a text": {"hello": {}, "after": "1"},
    "wait is too long": {"hello": {}, "wait": 26},
    "wait is negative": {"hello": {}, "wait": -1},
    "wait is no number": b'{"hello":{},"wait":NaN}',
    "token is a number": {"token": 1},
}


@pytest.mark.parametrize("which", BODIES)
async def test_a_bad_body_is_400(shop: Shop, which: str) -> None:
    status, answer = await shop.long_poll().posts_body(BODIES[which])
    assert (status, answer["code"]) == (400, "bad_frame")
    assert answer["detail"]


@pytest.mark.parametrize(
    "frame",
    [
        None,
        7,
        [],
        {},
        {"type": "hello"},
        {"type": "message.burn"},
        {"type": "message.post", "id": "12345678"},
        {"type": "message.post", "id": "12345678", "text": "\0"},
    ],
)
async def test_a_bad_frame_is_refused_and_the_others_are_obeyed(
    shop: Shop, frame: Any
) -> None:
    cora = await newcomer(shop)
    answers = await cora.asks(frames=[frame, {"type": "ping"}])
    assert answers[0]["code"] == "bad_frame"
    assert answers[1] == {"type": "pong"}


async def test_unknown_fields_are_ignored(shop: Shop) -> None:
    status, _ = await shop.long_poll().posts_body(
        {"hello": {"moon": 1}, "frames": [], "sun": {}}
    )
    assert status == 200


async def test_a_body_that_is_too_big_is_413(shop: Shop) -> None:
    for size in (poll.BODY_BYTES + 1, 3 * 1024 * 1024):
        status, _ = await shop.long_poll().posts_body(b" " * size)
        assert status == 413


async def test_a_text_of_64_kib_is_too_long_and_no_more(shop: Shop) -> None:
    cora = await newcomer(shop)
    refused = await cora.says("conversation.start", text="x" * 65_000)
    assert refused["code"] == "too_long"
    assert await stored(rows) == (0, 0)


# --- who may


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_another_origin_is_403(shop: Shop, origin: str) -> None:
    body = {"hello": {}, "frames": []}
    status, answer = await shop.long_poll().posts_body(body, Origin=origin)
    assert (status, answer["code"]) == (403, "forbidden")


async def test_an_unknown_site_is_404(shop: Shop) -> None:
    status, _ = await shop.long_poll().posts_body({"hello": {}}, key="nowhere")
    assert status == 404


async def test_a_method_that_is_not_post_is_405(shop: Shop) -> None:
    def get() -> int:
        connection = http.client.HTTPConnection(shop.server.url[7:])
        connection.request("GET", f"/widget/{KEY}/poll/", headers={"Origin": PAGE})
        status = connection.getresponse().status
        connection.close()
        return status

    assert await asyncio.to_thread(get) == 405


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c", "é", "x" * 5_000])
async def test_a_wrong_token_is_401(shop: Shop, token: str) -> None:
    body = {"token": token, "hello": {}, "frames": []}
    status, answer = await shop.long_poll().posts_body(body)
    assert (status, "token" in answer) == (401, False)


async def test_another_sites_token_is_401(shop: Shop) -> None:
    def foreign() -> str:
        return identity.make_token(shop.elsewhere.site, identity.new_customer_id())

    token = await stored(foreign)
    status, _ = await shop.long_poll().posts_body({"token": token, "frames": []})
    assert status == 401


async def test_a_token_in_hello_counts_where_there_is_no_other(shop: Shop) -> None:
    cora = await newcomer(shop)
    start = await cora.says("conversation.start", text="One")
    tab = shop.long_poll()
    welcome = await tab.hello(token=cora.token)
    assert welcome["conversation"]["id"] == start["conversation"]["id"]
    status, _ = await tab.posts_body({"hello": {"token": "nonsense"}})
    assert status == 401


async def test_anothers_conversation_is_as_one_that_does_not_exist(
    shop: Shop,
) -> None:
    dora, mallory = await newcomer(shop), await newcomer(shop)
    doras = (await dora.says("conversation.start", text="Private"))["conversation"]
    await mallory.says("conversation.start", text="Mine")
    for verb in ("message.post", "history.get"):
        same = {"id": "same-id-1", "text": "Let me in"}
        hers = await mallory.says(verb, conversation=doras["id"], **same)
        nobodys = await mallory.says(verb, conversation=str(uuid.uuid4()), **same)
        assert hers == nobodys
        assert hers["code"] == "forbidden"
    spied = await mallory.asks(conversation=doras["id"], after=1, version=1)
    assert doras["id"] not in str(spied)
    assert "Private" not in str(spied)
    assert await stored(texts, doras["id"]) == ["Private"]


async def test_who_polls_like_hail_gets_429_and_a_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "polls", limits.Limit(0.1, 3))
    cora, dora = await newcomer(shop), await newcomer(shop)
    for _ in range(3):
        await cora.asks()  # each answer renews its token, which gains it nothing
    status, answer = await cora.posts_body({"token": cora.token})
    assert (status, answer["code"]) == (429, "rate_limited")
    assert answer["retry_ms"] > 0
    await dora.asks()


# --- signing in


async def test_signing_in_ends_what_others_wait_for(shop: Shop) -> None:
    before = await newcomer(shop)
    await before.says("conversation.start", text="One")
    body = {"token": before.token, "after": 1, "version": 99, "wait": 25}
    waiting = asyncio.create_task(before.posts_body(body))
    await eventually(lambda: shop.desk.polls)
    at = int(dt.datetime.now(dt.UTC).timestamp())
    signature = identity.signature(shop.site.secret, KEY, "42", "Cora", "", at)
    proof = {"id": "42", "name": "Cora", "at": at, "signature": signature}
    cora = shop.long_poll(before.token)
    assert (await cora.hello(identity=proof))["customer"]["verified"] is True
    status, _ = await asyncio.wait_for(waiting, 10)
    assert status == 401


async def test_a_wrong_proof_is_refused(shop: Shop) -> None:
    proof = {"id": "42", "at": 1_700_000_000, "signature": "0" * 64}
    status, answer = await shop.long_poll().posts_body({"hello": {"identity": proof}})
    assert (status, answer["code"]) == (400, "identity_invalid")


# --- presence


def until_of(customer: str) -> dt.datetime | None:
    found = Connection.objects.filter(person=customer)
    return found.values_list("until", flat=True).first()


async def test_a_poll_counts_as_presence_for_a_minute_past_its_answer(
    shop: Shop,
) -> None:
    cora = await newcomer(shop)
    person = cora.welcome["customer"]["id"]
    assert await stored(until_of, person) is None
    await cora.says("conversation.start", text="One")
    until = await stored(until_of, person)
    assert until is not None
    assert presence.POLL_SECONDS == 60
    left = (until - dt.datetime.now(dt.UTC)).total_seconds()
    assert 30 < left <= 60
    assert await stored(presence.connected, [uuid.UUID(person)])


async def test_the_minute_begins_with_the_answer_not_with_the_wait(shop: Shop) -> None:
    cora = await newcomer(shop)
    person = cora.welcome["customer"]["id"]
    await cora.says("conversation.start", text="One")
    await cora.asks()
    waiting = asyncio.create_task(cora.asks(wait=25))
    began = await stored(until_of, person)
    while (now := await stored(until_of, person)) == began:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert now
    assert now <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
    other = shop.long_poll(cora.token)
    await other.says("conversation.end")
    await waiting
    until = await stored(until_of, person)
    assert until
    assert now < until
    assert until <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)


async def test_to_leave_a_message_instead_goes_by_poll_too(shop: Shop) -> None:
    cora = await newcomer(shop)
    await cora.says("conversation.start", text="One", email="cora@example.com")
    ack = await cora.says("conversation.leave")
    assert ack["conversation"]["left"] is True


async def test_it_never_shortens_a_sockets_presence(shop: Shop) -> None:
    cora = await shop.customer()
    await cora.starts()
    await shop.long_poll(cora.token).asks()
    assert await stored(until_of, cora.welcome["customer"]["id"]) is None


# --- the server's end


async def test_when_the_server_leaves_a_waiting_poll_is_answered(
    shop: Shop, server_process: Any
) -> None:
    process = server_process()
    cora = shop.long_poll(at=process)
    await cora.hello()
    await cora.says("conversation.start", text="One")
    waiting = asyncio.create_task(cora.asks(wait=25))
    # Its presence was stored anew when it began to wait.
    known = await stored(until_of, cora.welcome["customer"]["id"])
    while await stored(until_of, cora.welcome["customer"]["id"]) == known:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await asyncio.to_thread(process.stop) == 0
    assert await asyncio.wait_for(waiting, 10) == []


async def test_five_at_once_over_both_transports_are_one(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    for _ in range(10):
        id = new_id()
        tabs = [await shop.again(cora) for _ in range(2)]
        polls = [shop.long_poll(cora.token) for _ in range(3)]
        acks = await asyncio.gather(
            *(tab.posts("Once", id=id) for tab in tabs),
            *(each.says("message.post", text="Once", id=id) for each in polls),
        )
        assert all(ack == acks[0] for ack in acks)
        assert acks[0]["type"] == "ack"
        for tab in tabs:
            await tab.leave()
    await ada.heard_so_far()
    heard = [f for f in ada.heard if f["type"] == "message.posted"]
    assert len([f for f in heard if f["message"]["text"] == "Once"]) == 10
    assert await stored(texts, here) == ["Hello?", *["Once"] * 10]
