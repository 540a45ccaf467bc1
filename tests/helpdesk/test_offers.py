"""Offers: they ring, and are accepted, declined, lapsed or withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from helpdesk.errors import AlreadyTaken, ConversationUnknown, OfferLapsed
from helpdesk.models import Conversation, Queue
from tests.helpdesk.hall import (
    Hall,
    ended_whys,
    events,
    fresh,
    holder,
    line,
    load,
    rings,
)


@pytest.fixture(autouse=True)
def _sales_rings(hall: Hall) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(delivery="offer")


def test_it_rings_and_still_waits(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora = hall.waits()
    assert (rings(cora), holder(cora), load(ada)) == ("Ada", None, 1)
    assert line(hall.sales) == ["Cora"]
    assert events(cora) == []  # the customer reads of nobody yet


def test_a_ringing_slot_is_taken(hall: Hall) -> None:
    hall.agent("Ada", capacity=1)
    hall.waits()
    assert rings(hall.waits("Carl")) is None


def test_who_accepts_holds_it(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.accepts(ada, cora)
    assert (rings(cora), holder(cora), load(ada)) == (None, "Ada", 1)
    assert events(cora) == ["agent_joined"]


def test_nobody_accepts_what_rings_with_a_colleague(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    mallory = hall.agent("Mallory")
    with pytest.raises(OfferLapsed):
        hall.accepts(mallory, cora)
    assert rings(cora) == "Ada"


def test_who_is_late_is_told_by_whom_it_was_taken(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.takes(hall.agent("Ben"), cora)
    with pytest.raises(AlreadyTaken, match="Ben"):
        hall.accepts(ada, cora)


@pytest.mark.parametrize("wanted", ["", "x", "0" * 36, "../../etc"])
def test_what_does_not_exist_is_not_accepted(hall: Hall, wanted: str) -> None:
    ada = hall.agent("Ada")
    nothing = type("Nothing", (), {"pk": wanted})()
    with pytest.raises(ConversationUnknown):
        hall.accepts(ada, nothing)


# --- declined


def test_declined_it_rings_with_the_next(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.agent("Ben")
    hall.declines(ada, cora)
    assert (rings(cora), load(ada)) == ("Ben", 0)
    assert ended_whys(cora) == ["declined"]


def test_declined_it_does_not_ring_with_the_same_agent(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.declines(ada, cora)
    hall.passes(15)
    assert rings(cora) is None
    assert fresh(cora).why == "Ada: the offer was declined."


def test_when_everybody_has_passed_it_rings_anew_after_a_rest(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.declines(ada, cora)
    hall.passes(40)
    assert rings(cora) == "Ada"
    assert fresh(cora).cycle == 2


def test_who_was_passed_on_lets_those_behind_go_ahead(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora, carl = hall.waits(), hall.waits("Carl")
    hall.declines(ada, cora)
    assert (rings(cora), rings(carl)) == (None, "Ada")
    assert line(hall.sales) == ["Cora", "Carl"]  # and keeps the place


def test_nobody_declines_for_a_colleague(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    with pytest.raises(OfferLapsed):
        hall.declines(hall.agent("Mallory"), cora)
    assert rings(cora) == "Ada"


# --- lapsed


def test_unanswered_it_lapses_and_rings_with_the_next(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    hall.agent("Ben")
    hall.passes(10)
    assert rings(cora) == "Ada"
    hall.passes(11)
    assert rings(cora) == "Ben"
    assert ended_whys(cora) == ["lapsed"]


def test_each_queue_rings_for_its_own_time(hall: Hall) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(ring_seconds=60)
    hall.agent("Ada")
    cora = hall.waits()
    hall.passes(40)
    assert rings(cora) == "Ada"
    hall.passes(21)
    assert rings(cora) is None


def test_lapsed_it_cannot_be_accepted(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.passes(21)
    with pytest.raises(OfferLapsed):
        hall.accepts(ada, cora)
    assert holder(cora) is None


def test_the_second_lapse_in_a_row_sets_the_agent_away_and_says_why(
    hall: Hall,
) -> None:
    ada = hall.agent("Ada", capacity=1)
    hall.waits()
    hall.passes(21)
    assert fresh(ada).status == "online"
    hall.waits("Carl")
    hall.passes(21)
    assert fresh(ada).status == "away"
    assert fresh(ada).status_reason == "Two offers in a row went unanswered."


@pytest.mark.parametrize("answer", ["accepts", "declines"])
def test_an_answer_in_between_is_no_row(hall: Hall, answer: str) -> None:
    ada = hall.agent("Ada", capacity=2)
    hall.waits()
    hall.passes(21)
    carl = hall.waits("Carl")
    getattr(hall, answer)(ada, carl)
    hall.waits("Cleo")
    hall.passes(21)
    assert fresh(ada).status == "online"


def test_one_click_brings_the_agent_back(hall: Hall) -> None:
    ada = hall.agent("Ada", status="away", status_reason="Two offers…", lapses=0)
    cora = hall.waits()
    hall.chooses(ada, "online")
    assert (fresh(ada).status, fresh(ada).status_reason) == ("online", "")
    assert rings(cora) == "Ada"


def test_who_was_set_away_is_asked_nothing_more(hall: Hall) -> None:
    hall.agent("Ada", status="away")
    cora = hall.waits()
    hall.passes(40)
    assert rings(cora) is None


# --- typing holds the clock


def test_the_clock_waits_while_the_agent_types(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    for _ in range(8):
        hall.passes(4)
        hall.types(ada, cora)
    assert rings(cora) == "Ada"
    hall.accepts(ada, cora)
    assert holder(cora) == "Ada"


def test_it_does_not_wait_for_a_colleagues_typing(hall: Hall) -> None:
    hall.agent("Ada")
    ben = hall.agent("Ben", here=False)
    cora = hall.waits()
    for _ in range(6):
        hall.passes(4)
        hall.types(ben, cora)
    assert rings(cora) is None


def test_it_does_not_wait_for_ever(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    for _ in range(36):
        hall.passes(4)
        hall.types(ada, cora)
    assert ended_whys(cora) == ["lapsed"]


def test_one_key_holds_it_for_a_moment_only(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.passes(15)
    hall.types(ada, cora)
    hall.passes(15)
    assert rings(cora) is None


# --- an agent goes while it rings


@pytest.fixture
def ringing(hall: Hall) -> tuple[Agent, Conversation]:
    """Ada, whom Cora's conversation rings for; Ben would be next."""
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.agent("Ben")
    return ada, cora


def test_who_vanishes_is_not_waited_for(
    hall: Hall, ringing: tuple[Agent, Conversation]
) -> None:
    ada, cora = ringing
    hall.vanishes(ada)
    assert rings(cora) == "Ben"
    assert ended_whys(cora) == ["missed"]
    assert fresh(cora).because.agent == "Ben"
    assert (fresh(ada).lapses, load(ada)) == (0, 0)


def test_one_tab_of_two_may_close(
    hall: Hall, ringing: tuple[Agent, Conversation]
) -> None:
    ada, cora = ringing
    hall.arrives(ada, through=hall.starts_process())
    hall.vanishes(ada)
    assert rings(cora) == "Ada"


def test_who_was_served_by_a_killed_process_is_not_waited_for(hall: Hall) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(ring_seconds=600)
    ada = hall.agent("Ada", here=False)
    side = hall.starts_process()
    hall.arrives(ada, through=side)
    cora = hall.waits()
    hall.agent("Ben")
    hall.dies(side)
    hall.passes(50)
    assert rings(cora) == "Ben"
    assert fresh(ada).lapses == 0


@pytest.mark.parametrize("status", ["away", "offline"])
def test_who_goes_away_is_not_waited_for(
    hall: Hall, ringing: tuple[Agent, Conversation], status: str
) -> None:
    ada, cora = ringing
    hall.chooses(ada, status)
    assert rings(cora) == "Ben"
    assert fresh(ada).lapses == 0


def test_who_says_online_once_more_is_rung_for_still(
    hall: Hall, ringing: tuple[Agent, Conversation]
) -> None:
    ada, cora = ringing
    hall.chooses(ada, "online")
    assert rings(cora) == "Ada"


def test_whom_a_supervisor_sets_away_is_not_waited_for(
    hall: Hall, ringing: tuple[Agent, Conversation]
) -> None:
    ada, cora = ringing
    hall.chooses(hall.supervisor("Sue", here=False), "away", whose=ada)
    assert rings(cora) == "Ben"


def test_whom_a_supervisor_sets_online_is_asked_at_once(hall: Hall) -> None:
    """Also where the supervisor is of another of the agent's queues."""
    ada = hall.agent("Ada", hall.sales, hall.billing, status="away")
    cora = hall.waits()
    sue = hall.supervisor("Sue", hall.billing, here=False)
    hall.chooses(sue, "online", whose=ada)
    assert rings(cora) == "Ada"


def test_who_is_back_is_asked_again_at_once(hall: Hall) -> None:
    """A page was reloaded, say. Nobody waits while an agent has room."""
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    assert rings(cora) is None
    hall.arrives(ada)
    assert rings(cora) == "Ada"


def test_what_is_transferred_to_who_goes_comes_back(hall: Hall) -> None:
    ada, ben = (hall.agent(name, hall.billing) for name in ("Ada", "Ben"))
    cora = hall.talks(ada)
    hall.transfers(ada, cora, ben)
    hall.vanishes(ben)
    assert (holder(cora), rings(cora)) == ("Ada", None)
    assert fresh(cora).why == "Ben went away before answering: it stays."
    assert events(cora)[-1] == "transfer_back"


# --- withdrawn


def test_the_customer_leaves_and_it_stops_ringing(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora, carl = hall.waits(), hall.waits("Carl")
    hall.leaves(cora)
    assert rings(cora) is None
    assert ended_whys(cora) == ["customer_left"]
    assert rings(carl) == "Ada"  # at once
    with pytest.raises(OfferLapsed):
        hall.accepts(ada, cora)


def test_a_colleague_takes_it_and_it_stops_ringing(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.takes(hall.agent("Ben"), cora)
    assert ended_whys(cora) == ["taken"]
    assert load(ada) == 0


def test_to_take_what_rings_with_oneself_is_to_accept_it(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora = hall.waits()
    hall.takes(ada, cora)
    assert (holder(cora), load(ada)) == ("Ada", 1)
    assert ended_whys(cora) == ["accepted"]


def test_the_abandoned_customers_offer_stops_ringing(hall: Hall) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(
        ring_seconds=600, abandoned_after_seconds=10
    )
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(20)
    assert ended_whys(cora) == ["customer_left"]
    assert load(ada) == 0


# --- what rang no longer does: the slot serves the agent's other queues at once


def both_queues_ring_for_ada(hall: Hall) -> tuple[Any, Any, Any]:
    """She has one slot, for which Sales was faster than Abroad."""
    abroad = hall.queue("Abroad", delivery="offer")
    Queue.objects.filter(pk=hall.sales.pk).update(delivery="offer")
    ada = hall.agent("Ada", hall.sales, abroad, capacity=1)
    cora, carl = hall.waits("Cora"), hall.waits("Carl", abroad)
    assert (rings(cora), rings(carl)) == ("Ada", None)
    return ada, cora, carl


def test_when_who_was_offered_leaves(hall: Hall) -> None:
    _, cora, carl = both_queues_ring_for_ada(hall)
    hall.leaves(cora)
    assert rings(carl) == "Ada"


def test_when_a_colleague_takes_who_was_offered(hall: Hall) -> None:
    _, cora, carl = both_queues_ring_for_ada(hall)
    ben = hall.agent("Ben", hall.sales, status="away")
    hall.takes(ben, cora)
    assert rings(carl) == "Ada"
