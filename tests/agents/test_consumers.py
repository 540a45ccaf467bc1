"""The agent's socket, verb by verb: who may, and who may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from websockets.exceptions import InvalidStatus

from agents.consumers import revoked
from agents.models import Agent
from helpdesk import consumers, limits, watching
from helpdesk.models import Assignment, Message, QueueMembership
from tests import people
from tests.people import Frame, new_id
from tests.shop import Shop, change, rows, session_cookie, stored, texts

NOBODYS = "0192c0de-0000-7000-8000-000000000000"


def kinds(person: people.Person, type: str) -> list[Frame]:
    return [frame for frame in person.heard if frame["type"] == type]


# --- the handshake


async def refused_status(shop: Shop, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await shop.sits_down(shop.ada, **headers)
    return refused.value.response.status_code


@pytest.mark.parametrize(
    "cookie", ["", "sessionid=", "sessionid=nonsense", "sessionid=%00"]
)
async def test_without_a_session_nobody_enters(shop: Shop, cookie: str) -> None:
    assert await refused_status(shop, Cookie=cookie) == 403


@pytest.mark.parametrize(
    "origin", ["", "null", "https://evil.example", "https://shop.example"]
)
async def test_a_session_alone_is_not_enough_from_another_page(
    shop: Shop, origin: str
) -> None:
    """Also not from a page on which a site's widget may stand."""
    assert await refused_status(shop, Origin=origin) == 403


async def test_the_other_name_of_the_machine_is_another_origin(shop: Shop) -> None:
    there = shop.server.url.replace("127.0.0.1", "localhost")
    assert await refused_status(shop, Origin=there) == 403


async def test_another_scheme_is_another_origin(shop: Shop) -> None:
    there = shop.server.url.replace("http:", "https:")
    assert await refused_status(shop, Origin=there) == 403


async def test_who_is_signed_in_but_no_agent_does_not_enter(shop: Shop) -> None:
    def cookie() -> str:
        return session_cookie(User.objects.create_user("walter", password="x"))

    assert await refused_status(shop, Cookie=await stored(cookie)) == 403


async def test_who_is_deactivated_does_not_enter(shop: Shop) -> None:
    cookie = await shop.cookie(shop.ada.user)
    await stored(change, shop.ada.user, is_active=False)
    assert await refused_status(shop, Cookie=cookie) == 403


async def test_an_agent_has_so_many_sockets(shop: Shop) -> None:
    tabs = [await shop.agent(shop.ada) for _ in range(consumers.SOCKETS_PER_PERSON)]
    eleventh = await shop.sits_down(shop.ada)
    await eleventh.say("hello")
    assert await eleventh.closed() == consumers.TOO_FAST
    await tabs[0].heard_so_far()


# --- credentials revoked while a socket is open


def sign_out(shop: Shop) -> None:
    Session.objects.all().delete()


def deactivate(shop: Shop) -> None:
    change(shop.ada.user, is_active=False)


def change_password(shop: Shop) -> None:
    shop.ada.user.set_password("another-long-one")
    shop.ada.user.save()


def make_no_agent(shop: Shop) -> None:
    QueueMembership.objects.filter(agent=shop.ada).delete()
    Agent.objects.filter(pk=shop.ada.pk).delete()


@pytest.mark.parametrize(
    "revoke", [sign_out, deactivate, change_password, make_no_agent]
)
async def test_a_revoked_credential_closes_the_socket(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, revoke: Callable[[Shop], None]
) -> None:
    assert watching.WATCH_SECONDS + watching.CREDENTIALS_SECONDS < 5
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(watching, "CREDENTIALS_SECONDS", 0.05)
    ada = await shop.agent(shop.ada)
    await stored(revoke, shop)
    assert await ada.closed() == consumers.NOT_SIGNED_IN


async def test_who_leaves_a_queue_hears_it_no_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their socket is asked to come back, and then joins what they staff now."""
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(watching, "CREDENTIALS_SECONDS", 0.05)
    ada = await shop.agent(shop.ada)
    members = QueueMembership.objects.filter(agent=shop.ada, queue=shop.billing)
    await stored(members.delete)
    bye = await ada.hears("bye")
    assert bye["reason"] == "changed"
    assert await ada.closed() == consumers.RESTARTING
    ada = await shop.agent(shop.ada)
    assert [queue["name"] for queue in ada.welcome["queues"]] == ["Sales"]


async def test_others_stay_signed_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(watching, "CREDENTIALS_SECONDS", 0.05)
    ada, ben = await shop.agent(shop.ada), await shop.agent(shop.ben)
    cora = await shop.customer()
    await stored(deactivate, shop)
    await ada.closed()
    await ben.heard_so_far()
    await cora.heard_so_far()


async def test_a_look_at_what_has_not_changed_is_cheap(shop: Shop) -> None:
    people = [await shop.agent(shop.ada), await shop.agent(shop.ben)]
    sockets = [shop.served(each) for each in people]

    def second_look() -> int:
        assert revoked(sockets) == []
        with CaptureQueriesContext(connection) as queries:
            assert revoked(sockets) == []
        return len(queries)

    assert await stored(second_look) == 2


async def test_a_session_dies_with_the_password_and_a_new_one_works(
    shop: Shop,
) -> None:
    old = await shop.cookie(shop.ada.user)
    await stored(change_password, shop)
    assert await refused_status(shop, Cookie=old) == 403
    await shop.agent(shop.ada)


# --- hello


async def test_welcome_shows_the_desk(shop: Shop) -> None:
    cora, dora = await shop.customer(), await shop.customer()
    await cora.starts("First", queue=str(shop.billing.pk))
    await dora.starts("Second", queue=str(shop.billing.pk))
    ada = await shop.agent(shop.ada)
    welcome = ada.welcome
    assert welcome["protocol"] == 1
    assert welcome["agent"]["name"] == "Ada"
    assert (welcome["agent"]["status"], welcome["agent"]["connected"]) == (
        "online",
        True,
    )
    assert [agent["name"] for agent in welcome["agents"]] == ["Ada", "Ben"]
    assert {queue["name"] for queue in welcome["queues"]} == {"Sales", "Billing"}
    assert [each["position"] for each in welcome["waiting"]] == [1, 2]
    assert welcome["conversations"] == []
    assert welcome["limits"]["text"] == 10_000
    billing = next(q for q in welcome["queues"] if q["name"] == "Billing")
    assert (billing["waiting"], billing["active"], billing["staffed"]) == (2, 0, 1)


async def test_nothing_of_another_site_is_in_it(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    olaf = await shop.agent(shop.olaf)
    assert here not in str(olaf.welcome)
    assert [agent["name"] for agent in olaf.welcome["agents"]] == ["Olaf"]
    assert [queue["name"] for queue in olaf.welcome["queues"]] == ["Elsewhere"]
    await cora.posts("Secret")
    await ada.posts(here, "note", note=True)
    await ada.ends(here)
    heard = {frame["type"] for frame in await olaf.heard_so_far()}
    assert heard <= {"welcome", "pong", "beat", "agent.changed", "queue.changed"}


async def test_what_is_held_comes_with_its_messages(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    await ada.posts(here, "Psst", note=True)
    tab = await shop.agent(shop.ada)
    (held,) = tab.welcome["conversations"]
    assert (held["id"], held["notes"]) == (here, 1)
    said = tab.welcome["messages"][here]
    assert [m["seq"] + m["notes"] for m in said] == [1, 2, 3]
    assert tab.welcome["more"] == {here: False}


async def test_hello_with_what_it_holds_brings_the_rest(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    note = await ada.posts(here, "Psst", note=True)
    await ada.posts(here, "Hi!")
    place = note["seq"] + note["notes"]
    for last in (note["id"], None):
        tab = await shop.agent(shop.ada, after={here: [place, last]})
        assert [m["text"] for m in tab.welcome["messages"][here]] == ["Hi!"]


@pytest.mark.parametrize("held", [[3, "somebody-elses"], [99, "nothing-there"]])
async def test_what_does_not_fit_brings_the_newest_page(
    shop: Shop, held: list[Any]
) -> None:
    _, ada, here = await shop.talk()
    await ada.posts(here, "Hi!")
    tab = await shop.agent(shop.ada, after={here: held, NOBODYS: [1, "x"]})
    assert len(tab.welcome["messages"][here]) == 3


# --- taking from the line


async def waiting(shop: Shop) -> tuple[people.Customer, str]:
    cora = await shop.customer()
    ack = await cora.starts("Hello?", queue=str(shop.billing.pk))
    return cora, str(ack["conversation"]["id"])


async def test_a_waiting_conversation_is_seen_and_taken(shop: Shop) -> None:
    ada, ben = await shop.agent(shop.ada), await shop.agent(shop.ben)
    cora, here = await waiting(shop)
    for agent in (ada, ben):
        assert (await agent.sees(id=here, state="waiting"))["position"] == 1
    ack = await ada.takes(here)
    assert ack["conversation"]["agent"]["name"] == "Ada"
    assert "took it" in ack["conversation"]["why"]
    assert (await cora.sees(state="active"))["agent"]["name"] == "Ada"
    await ben.sees(id=here, state="active")
    refused = await ben.takes(here)
    assert refused["code"] == "already_taken"
    assert "Ada" in refused["detail"]


async def test_of_takers_at_once_one_gets_it(shop: Shop) -> None:
    """Two guards stand behind each other: the row's lock, and the constraint
    one_holder_at_a_time."""
    agents = [await shop.agent(row) for row in (shop.ada, shop.ben) for _ in range(2)]
    for _ in range(10):
        cora, here = await waiting(shop)
        answers = await asyncio.gather(*(agent.takes(here) for agent in agents))
        taken = [a for a in answers if a["type"] == "ack"]
        assert len(taken) == 1
        assert {a["code"] for a in answers if a["type"] == "refused"} == {
            "already_taken"
        }
        holders = Assignment.objects.filter(conversation=here, ended_at=None)
        assert await stored(holders.count) == 1
        await cora.ask("conversation.end")


async def test_who_is_full_takes_no_more(shop: Shop) -> None:
    await stored(change, shop.ada, capacity=1)
    ada = await shop.agent(shop.ada)
    _, first = await waiting(shop)
    _, second = await waiting(shop)
    assert (await ada.takes(first))["type"] == "ack"
    assert (await ada.takes(second))["code"] == "full"
    await ada.ends(first)
    assert (await ada.takes(second))["type"] == "ack"


async def test_takes_at_once_never_exceed_the_capacity(shop: Shop) -> None:
    await stored(change, shop.ada, capacity=2)
    tabs = [await shop.agent(shop.ada) for _ in range(4)]
    for _ in range(3):
        lines = [await waiting(shop) for _ in tabs]
        answers = await asyncio.gather(
            *(tab.takes(here) for tab, (_, here) in zip(tabs, lines, strict=True))
        )
        assert (
            sorted(a.get("code", "ack") for a in answers) == ["ack"] * 2 + ["full"] * 2
        )
        for cora, _ in lines:
            await cora.ask("conversation.end")


@pytest.mark.parametrize("where", [NOBODYS, "no id", ""])
async def test_what_does_not_exist_cannot_be_taken(shop: Shop, where: str) -> None:
    ada = await shop.agent(shop.ada)
    assert (await ada.takes(where))["code"] == "conversation_unknown"


async def test_another_sites_line_is_not_ones_own(shop: Shop) -> None:
    olaf = await shop.agent(shop.olaf)
    _, here = await waiting(shop)
    assert (await olaf.takes(here))["code"] == "forbidden"
    assert (await olaf.ask("history.get", conversation=here))["code"] == "forbidden"


async def test_what_has_ended_is_not_taken(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora, here = await waiting(shop)
    await cora.ask("conversation.end")
    assert (await ada.takes(here))["code"] == "ended"


# --- message.post and notes


async def test_an_agents_post_is_acked_with_its_place(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    tab = await shop.agent(shop.ada)
    ack = await ada.posts(here, "Hi!", id="post-id-1")
    assert ack == {
        "type": "ack",
        "id": "post-id-1",
        "conversation": here,
        "seq": 3,
        "notes": 0,
        "at": ack["at"],
    }
    assert (await tab.hears_message("Hi!"))["notes"] == 0
    heard = await cora.hears_message("Hi!")
    assert heard["author"]["name"] == "Ada"
    assert "notes" not in heard
    await ada.heard_so_far()
    assert "Hi!" not in [f["message"]["text"] for f in kinds(ada, "message.posted")]


async def test_notes_count_apart_and_places_have_no_holes(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    acks = [
        await ada.posts(here, "a", note=True),
        await ada.posts(here, "b"),
        await ada.posts(here, "c", note=True),
        await ada.posts(here, "d", note=True),
        await ada.posts(here, "e"),
    ]
    assert [(a["seq"], a["notes"]) for a in acks] == [
        (2, 1),
        (3, 1),
        (3, 2),
        (3, 3),
        (4, 3),
    ]
    await cora.hears_message("e")
    posted = [f["message"] for f in kinds(cora, "message.posted")]
    assert [m["seq"] for m in posted] == [2, 3, 4]


async def test_a_note_reaches_the_holders_other_tab_alone(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    tab, ben = await shop.agent(shop.ada), await shop.agent(shop.ben)
    before = (await cora.heard_so_far())[-1]
    await ada.posts(here, "Psst", note=True)
    assert (await tab.hears_message("Psst"))["kind"] == "note"
    assert (await cora.heard_so_far())[-1] == before
    for other in (cora, ben):
        await other.heard_so_far()
        assert "Psst" not in str(other.heard)


async def test_another_agents_conversation_is_not_ones_own(shop: Shop) -> None:
    cora, _, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    assert (await ben.posts(here, "Hi"))["code"] == "not_yours"
    assert (await ben.posts(here, "Hi", note=True))["code"] == "not_yours"
    assert (await ben.ends(here))["code"] == "not_yours"
    assert (await ben.ask("history.get", conversation=here))["code"] == "forbidden"
    await ben.say("typing", conversation=here, on=True)
    await ben.say("message.read", conversation=here, seq=2)
    await cora.posts("Ada?")
    await ben.heard_so_far()
    assert kinds(ben, "message.posted") == []
    await cora.heard_so_far()
    assert kinds(cora, "typing") == []
    assert await stored(texts, here) == ["Hello?", "Ada?"]


async def test_a_waiting_conversation_is_read_but_not_answered(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    _, here = await waiting(shop)
    page = await ada.ask("history.get", conversation=here)
    assert [m["text"] for m in page["messages"]] == ["Hello?"]
    assert (await ada.posts(here, "Hi"))["code"] == "not_yours"


async def test_what_has_ended_takes_nothing_more(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    await ada.ends(here)
    assert (await ada.posts(here, "Bye"))["code"] == "ended"
    assert (await ada.posts(here, "Bye", note=True))["code"] == "ended"
    assert (await ada.ends(here))["code"] == "ended"


@pytest.mark.parametrize("where", [NOBODYS, "no id", ""])
async def test_what_does_not_exist_is_unknown(shop: Shop, where: str) -> None:
    ada = await shop.agent(shop.ada)
    for ask in (ada.posts(where, "Hi"), ada.ends(where)):
        assert (await ask)["code"] == "conversation_unknown"
    history = await ada.ask("history.get", conversation=where)
    assert history["code"] == "conversation_unknown"
    assert await stored(rows) == (0, 0)


async def test_agents_may_write_longer_texts(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    assert (await ada.posts(here, "x" * 10_000))["type"] == "ack"
    assert (await ada.posts(here, "x" * 10_001))["code"] == "too_long"
    assert (await ada.posts(here, " "))["code"] == "empty"


async def test_a_customers_file_is_not_the_agents_to_send(shop: Shop) -> None:
    from tests.customers.test_consumers import file_of

    cora, ada, here = await shop.talk()
    hers = await stored(file_of, cora.welcome["customer"]["id"], shop)
    refused = await ada.posts(here, "Look", attachments=[hers])
    assert refused["code"] == "attachment_unknown"
    own = await stored(file_of, str(shop.ada.pk), shop)
    await ada.posts(here, "", attachments=[own], note=True)
    await cora.heard_so_far()
    assert own not in str(cora.heard)
    stolen = await cora.posts("Mine now", attachments=[own])
    assert stolen["code"] == "attachment_unknown"


# --- repeating an id


async def test_a_repeated_command_gets_its_first_ack(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    post = await ada.posts(here, "Hi!", id="post-id-1")
    note = await ada.posts(here, "Psst", note=True, id="note-id-1")
    end = await ada.ends(here, id="end-id-1")
    assert await ada.posts(here, "Other", id="post-id-1") == post
    assert await ada.posts(NOBODYS, "", id="post-id-1") == post
    assert await ada.posts(here, "Not a note", id="note-id-1") == note
    assert await ada.ends(NOBODYS, id="end-id-1") == end
    assert await ada.posts(here, "Hi!", id="end-id-1") == end
    assert await stored(texts, here) == ["Hello?", "Hi!", "Psst"]


async def test_a_repeated_take_gets_its_first_ack_after_the_end_too(
    shop: Shop,
) -> None:
    ada = await shop.agent(shop.ada)
    cora, here = await waiting(shop)
    first = await ada.ask("conversation.take", conversation=here, id="take-id-1")
    await cora.ask("conversation.end")
    again = await ada.ask("conversation.take", conversation=here, id="take-id-1")
    assert again == first


async def test_one_id_at_once_from_five_tabs_is_one_message(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    tabs = [ada, *[await shop.agent(shop.ada) for _ in range(4)]]
    for _ in range(10):
        id = new_id()
        acks = await asyncio.gather(*(tab.posts(here, "Once", id=id) for tab in tabs))
        assert all(ack == acks[0] for ack in acks)
    assert await stored(texts, here) == ["Hello?", *["Once"] * 10]
    await cora.heard_so_far()
    seqs = [f["message"]["seq"] for f in kinds(cora, "message.posted")]
    assert seqs == list(range(2, 13))


async def test_an_agent_who_hurries_is_asked_to_wait(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (limits.agent_posts._rate, limits.agent_posts._burst) == (5, 30)
    monkeypatch.setattr(limits, "agent_posts", limits.Limit(0.01, 1))
    _, ada, here = await shop.talk()
    first = await ada.posts(here, "One", id="post-id-1")
    refused = await ada.posts(here, "Two")
    assert (refused["code"], refused["retry_ms"] > 0) == ("rate_limited", True)
    assert await ada.posts(here, "One", id="post-id-1") == first


# --- status


async def test_status_is_told_to_colleagues(shop: Shop) -> None:
    ada, ben = await shop.agent(shop.ada), await shop.agent(shop.ben)
    ack = await ada.ask("status.set", status="away", reason="Lunch")
    assert ack["agent"]["status"] == "away"
    heard = await ben.hears(
        "agent.changed",
        where=lambda f: f["agent"]["status"] == "away",
    )
    assert heard["agent"]["name"] == "Ada"
    bad = await ada.ask("status.set", status="asleep")
    assert bad["code"] == "bad_frame"


async def test_who_is_away_is_given_nothing_and_keeps_what_is_held(
    shop: Shop,
) -> None:
    _, ada, here = await shop.talk()
    await ada.ask("status.set", status="away")
    await (await shop.customer()).starts("Anybody?")
    await asyncio.sleep(0)
    tab = await shop.agent(shop.ada)
    assert [each["id"] for each in tab.welcome["conversations"]] == [here]
    assert len(tab.welcome["waiting"]) == 1
    await ada.ask("status.set", status="online")
    await ada.hears(
        "conversation.changed",
        where=lambda f: (
            f["conversation"]["id"] != here and f["conversation"]["state"] == "active"
        ),
    )


# --- read marks, typing, history, ping


async def test_a_read_mark_reaches_the_customer(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    await ada.say("message.read", conversation=here, seq=1)
    await cora.sees(read={"customer": 0, "agent": 1})


async def test_an_agents_typing_reaches_the_customer_without_its_text(
    shop: Shop,
) -> None:
    cora, ada, here = await shop.talk()
    await ada.say("typing", conversation=here, on=True, text="You are wro")
    heard = await cora.hears("typing")
    assert heard["author"]["name"] == "Ada"
    assert "text" not in heard


async def test_history_counts_places(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    for n in range(4):
        await ada.posts(here, f"{n}", note=n % 2 == 0)
    page = await ada.ask("history.get", conversation=here, before=6, limit=3)
    assert [m["text"] for m in page["messages"]] == ["0", "1", "2"]
    assert page["more"] is True
    rest = await ada.ask("history.get", conversation=here, after=4)
    assert [m["text"] for m in rest["messages"]] == ["2", "3"]


async def test_pong_tells_place_and_version_of_what_is_held(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    held = (await ada.sees(id=here, state="active"))["version"]
    await ada.posts(here, "Psst", note=True)
    pong = (await ada.heard_so_far())[-1]
    assert pong == {"type": "pong", "conversations": {here: [3, held]}}
    await ada.ends(here)
    assert (await ada.heard_so_far())[-1]["conversations"] == {}


# --- ending


async def test_an_end_frees_the_place_for_who_waits(shop: Shop) -> None:
    await stored(change, shop.ada, capacity=1)
    cora, ada, here = await shop.talk()
    dora = await shop.customer()
    await dora.starts("And me?")
    await ada.ends(here, outcome="resolved")
    assert (await dora.sees(state="active"))["agent"]["name"] == "Ada"
    await cora.sees(state="ended", outcome="resolved")


async def test_an_outcome_is_one_that_is_known(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    assert (await ada.ends(here, outcome="bored"))["code"] == "bad_frame"


async def test_colleagues_hear_that_a_slot_is_free(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    loads = {each["name"]: each["load"] for each in ben.welcome["agents"]}
    assert loads["Ada"] == 1
    await ada.ends(here)
    await ben.hears(
        "agent.changed",
        where=lambda f: (f["agent"]["name"], f["agent"]["load"]) == ("Ada", 0),
    )


# --- long stories


async def test_a_welcome_of_any_size_arrives(shop: Shop) -> None:
    """Larger than what a client may say, and than what may wait unsent."""
    _, ada, here = await shop.talk()
    for _ in range(12):
        await ada.posts(here, "字" * 10_000)
    tab = await shop.agent(shop.ada)
    assert len(tab.raw[0]) > 100_000  # characters, of three bytes each
    assert len(tab.welcome["messages"][here]) == 14
    await tab.heard_so_far()


# --- presence


async def test_both_tabs_must_go_before_an_agent_is_gone(shop: Shop) -> None:
    ada, tab = await shop.agent(shop.ada), await shop.agent(shop.ada)
    await tab.leave()
    ben = await shop.agent(shop.ben)
    await ada.heard_so_far()
    assert shop.desk.present.sockets(shop.ada.pk) == 1
    (told,) = [a for a in ben.welcome["agents"] if a["name"] == "Ada"]
    assert told["connected"] is True


# --- nobody hears what is not theirs


async def test_a_supervisors_verbs_are_not_an_agents(shop: Shop) -> None:
    _, _, here = await shop.talk()
    ben = await shop.agent(shop.ben)
    for verb in ("conversation.watch", "conversation.join"):
        assert (await ben.ask(verb, conversation=here))["code"] == "forbidden"


async def test_notes_have_no_seq_of_their_own_in_the_database(shop: Shop) -> None:
    _, ada, here = await shop.talk()
    await ada.posts(here, "Psst", note=True)
    note = Message.objects.filter(conversation=here, kind="note")
    assert await stored(lambda: list(note.values_list("place", "seq", "notes"))) == [
        (3, 2, 1)
    ]


def test_the_session_cookie_is_the_only_credential() -> None:
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"
    assert settings.SESSION_COOKIE_HTTPONLY is True
