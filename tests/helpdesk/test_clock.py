"""What happens when nobody acts: agents vanish, customers vanish, everybody falls
silent, and the desk itself is down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from agents.models import Agent
from customers.models import Customer
from helpdesk import clock, conversations, database, presence, snapshots, writer
from helpdesk.models import Attachment, Conversation, Message, Queue, ServerProcess
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


def set_queue(queue: Queue, **fields: object) -> None:
    Queue.objects.filter(pk=queue.pk).update(**fields)


def said(what: Conversation, event: str) -> list[str]:
    rows = Message.objects.filter(conversation=what, event=event)
    return list(rows.order_by("place").values_list("text", flat=True))


# --- an agent vanishes


def test_at_once_nothing_new_is_given_to_who_vanished(hall: Hall) -> None:
    ada = hall.agent("Ada")
    hall.vanishes(ada)
    assert holder(hall.waits()) is None


def test_before_25_s_the_customer_reads_nothing(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(15)
    assert events(cora) == ["agent_joined"]
    assert fresh(cora).agent_lost_at is None


def test_after_25_s_the_customer_reads_that_the_place_is_kept(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(26)
    assert said(cora, "agent_lost") == ["Ada lost connection. We keep your place."]
    assert holder(cora) == "Ada"
    hall.passes(15)
    assert len(said(cora, "agent_lost")) == 1  # once


def test_after_60_s_it_is_back_at_the_front_of_the_line(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora = hall.waits()
    hall.waits("Carl")
    since = fresh(cora).waiting_since
    hall.vanishes(ada)
    hall.passes(61)
    assert line(hall.sales) == ["Cora", "Carl"]
    assert fresh(cora).waiting_since == since
    assert ended_whys(cora) == ["agent_lost"]
    assert fresh(cora).why.startswith("Ada was gone for 60 s")
    assert load(ada) == 0


def test_the_next_agent_gets_it_with_the_whole_story(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(61)
    hall.waits("Carl")
    hall.agent("Ben", capacity=1)
    assert holder(cora) == "Ben"
    assert events(cora) == ["agent_joined", "agent_lost", "requeued", "agent_joined"]


def test_who_is_back_in_time_keeps_it(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(40)
    hall.arrives(ada)
    hall.passes(60)
    assert holder(cora) == "Ada"
    assert said(cora, "agent_back") == ["Ada is back."]
    assert fresh(cora).agent_lost_at is None


def test_who_was_gone_for_a_reload_is_not_spoken_of(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    version = fresh(cora).version
    for _ in range(3):
        hall.vanishes(ada)
        hall.passes(3)
        hall.arrives(ada)
    hall.passes(60)
    assert events(cora) == ["agent_joined"]
    assert fresh(cora).version == version


def test_absences_do_not_add_up(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    for _ in range(3):
        hall.vanishes(ada)
        hall.passes(40)
        hall.arrives(ada)
    assert holder(cora) == "Ada"


def test_it_comes_back_by_itself_if_nobody_took_it(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(80)
    hall.arrives(ada)
    assert holder(cora) == "Ada"
    assert events(cora)[-1] == "agent_back"
    assert fresh(cora).why == "Ada came back before anybody else took it."


def test_it_does_not_come_back_from_who_took_it(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(80)
    hall.agent("Ben")
    hall.arrives(ada)
    assert holder(cora) == "Ben"


def test_it_comes_back_only_to_who_held_it_last(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(80)
    ben = hall.agent("Ben")
    hall.vanishes(ben)
    hall.passes(80)
    hall.chooses(ada, "away")
    hall.arrives(ada)
    assert holder(cora) is None
    hall.arrives(ben)
    assert holder(cora) == "Ben"


def test_no_more_comes_back_than_there_is_room_for(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=2)
    hall.waits()
    hall.waits("Carl")
    hall.vanishes(ada)
    hall.passes(80)
    type(ada).objects.filter(pk=ada.pk).update(capacity=1)
    hall.arrives(ada)
    assert load(ada) == 1
    assert len(line(hall.sales)) == 1


def test_each_queue_has_its_own_patience(hall: Hall) -> None:
    set_queue(hall.sales, lost_after_seconds=300)
    ada = hall.agent("Ada", hall.sales, hall.billing)
    cora, carl = hall.waits(), hall.talks(ada, "Carl")
    hall.vanishes(ada)
    hall.passes(100)
    assert (holder(cora), holder(carl)) == ("Ada", None)
    hall.passes(220)
    assert holder(cora) is None


def test_one_tab_of_several_may_close(hall: Hall) -> None:
    ada = hall.agent("Ada")
    elsewhere = hall.starts_process()
    hall.arrives(ada, through=elsewhere)
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(100)
    assert holder(cora) == "Ada"
    hall.vanishes(ada, through=elsewhere)
    hall.passes(61)
    assert holder(cora) is None


def test_a_killed_process_is_found_by_its_lapsed_lease(hall: Hall) -> None:
    side = hall.starts_process()
    ada = hall.agent("Ada", here=False)
    hall.arrives(ada, through=side)
    cora = hall.waits()
    hall.dies(side)
    hall.passes(50)
    assert fresh(ada).gone_at is not None
    assert holder(cora) == "Ada"
    hall.passes(65)
    assert line(hall.sales) == ["Cora"]


def test_nothing_is_given_to_whom_a_killed_process_served(hall: Hall) -> None:
    side = hall.starts_process()
    ada = hall.agent("Ada", here=False)
    hall.arrives(ada, through=side)
    hall.dies(side)
    hall.passes(50)
    assert holder(hall.waits()) is None


# --- a customer vanishes


def test_a_waiting_customer_may_change_the_page(hall: Hall) -> None:
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(40)
    hall.arrives(cora.customer)
    hall.passes(60)
    assert line(hall.sales) == ["Cora"]


def test_after_60_s_of_absence_a_waiting_one_is_abandoned(hall: Hall) -> None:
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(61)
    now = fresh(cora)
    assert (now.state, now.outcome) == ("ended", "abandoned")
    assert line(hall.sales) == []


def test_the_place_is_kept_for_as_long_as_the_queue_says(hall: Hall) -> None:
    set_queue(hall.sales, abandoned_after_seconds=300)
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(200)
    assert line(hall.sales) == ["Cora"]
    hall.passes(120)
    assert fresh(cora).outcome == "abandoned"


def test_who_talks_is_not_abandoned(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(300)
    assert holder(cora) == "Ada"


def test_staff_see_since_when_a_customer_is_away(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(cora.customer)
    (shown,) = snapshots.many_for_staff([fresh(cora)])
    assert shown.gone_since
    assert not shown.customer.online
    hall.arrives(cora.customer)
    (shown,) = snapshots.many_for_staff([fresh(cora)])
    assert shown.gone_since is None


def test_the_customer_of_a_killed_process_is_missed_too(hall: Hall) -> None:
    side = hall.starts_process()
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.arrives(cora.customer, through=side)
    hall.dies(side)
    hall.passes(50)
    assert fresh(cora).customer_gone_at is not None
    hall.passes(65)
    assert fresh(cora).outcome == "abandoned"


# --- everybody falls silent


def silence(hall: Hall, minutes: float) -> None:
    """In one great step, over which everybody stayed here."""
    step = dt.timedelta(minutes=minutes)
    ServerProcess.objects.update(alive_until=F("alive_until") + step)
    database.offset += step
    hall.tick()


def test_after_25_minutes_of_silence_the_customer_is_asked(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    silence(hall, 24)
    assert said(cora, "idle_warning") == []
    silence(hall, 1.5)
    assert said(cora, "idle_warning") == [
        "Are you still there? This ends in 5 minutes."
    ]
    assert fresh(cora).state == "active"


def test_after_30_it_expires(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    silence(hall, 25.5)
    silence(hall, 5.5)
    now = fresh(cora)
    assert (now.state, now.outcome) == ("ended", "expired")
    assert load(ada) == 0


def test_it_does_not_expire_without_a_warning_some_minutes_before(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    silence(hall, 50)
    assert fresh(cora).state == "active"
    silence(hall, 4)
    assert fresh(cora).state == "active"
    silence(hall, 1.5)
    assert fresh(cora).outcome == "expired"


def test_whoever_says_something_is_asked_anew(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    silence(hall, 26)
    row = conversations.locked(cora.pk)
    writer.say(row, kind="text", author="customer", sender=row.customer_id, text="Yes.")
    silence(hall, 20)
    assert fresh(cora).state == "active"
    silence(hall, 6)
    assert len(said(cora, "idle_warning")) == 2


def test_who_waits_does_not_expire(hall: Hall) -> None:
    cora = hall.waits()
    silence(hall, 26)
    silence(hall, 10)
    assert line(hall.sales) == ["Cora"]
    assert said(cora, "idle_warning") == []


# --- the desk itself was down


def test_after_an_outage_no_agent_is_lost(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.outage(3600)
    assert holder(cora) == "Ada"
    hall.passes(40)
    assert holder(cora) == "Ada"
    hall.passes(40)
    assert holder(cora) is None  # absent while the desk was up


def test_after_an_outage_no_customer_has_abandoned(hall: Hall) -> None:
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.outage(3600)
    hall.passes(40)
    assert line(hall.sales) == ["Cora"]
    hall.passes(40)
    assert fresh(cora).outcome == "abandoned"


def test_after_an_outage_no_offer_has_lapsed(hall: Hall) -> None:
    set_queue(hall.sales, delivery="offer")
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.outage(600)
    hall.passes(40)
    assert rings(cora) == "Ada"
    hall.accepts(ada, cora)
    assert holder(cora) == "Ada"


def test_after_an_outage_nobody_has_been_silent(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    hall.passes(5)
    hall.outage(3600)
    hall.passes(40)
    assert fresh(cora).state == "active"


@pytest.mark.parametrize("act", [clock.tick, clock.lapse_offers])
def test_nothing_is_due_before_the_first_process_lives_again(
    hall: Hall, act: object
) -> None:
    """When everything stood still, the tick may wake before the lease is renewed."""
    set_queue(hall.sales, delivery="offer")
    ada = hall.agent("Ada")
    cora = hall.waits()
    database.offset += dt.timedelta(minutes=10)
    act()  # type: ignore[operator]
    assert rings(cora) == "Ada"
    assert fresh(ada).gone_at is None
    assert fresh(ada).lapses == 0


def test_one_process_of_two_that_was_down_is_no_outage(hall: Hall) -> None:
    side = hall.starts_process()
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.dies(side)
    hall.vanishes(ada)
    hall.passes(50)
    hall.renew(side)
    hall.passes(15)
    assert holder(cora) is None


# --- every process was killed, and one was back before the leases lapsed


def test_after_a_quick_restart_no_agent_is_lost(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(50)
    hall.restarts(after=15)
    hall.passes(61)
    assert holder(cora) == "Ada"
    hall.passes(40)
    assert holder(cora) is None


def test_after_a_quick_restart_no_customer_has_abandoned(hall: Hall) -> None:
    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(50)
    hall.restarts(after=15)
    hall.passes(61)
    assert line(hall.sales) == ["Cora"]
    hall.passes(40)
    assert fresh(cora).outcome == "abandoned"


@pytest.mark.parametrize("act", [clock.tick, clock.lapse_offers])
def test_after_a_quick_restart_no_offer_has_lapsed(hall: Hall, act: object) -> None:
    set_queue(hall.sales, delivery="offer")
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.passes(15)
    hall.restarts(after=5)
    hall.arrives(ada)
    act()  # type: ignore[operator]
    hall.passes(61)
    assert rings(cora) == "Ada"
    assert fresh(ada).lapses == 0


def test_after_a_quick_restart_nobody_has_been_silent(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    silence(hall, 25.5)
    silence(hall, 4.4)
    hall.restarts(after=15)
    hall.arrives(ada)
    hall.passes(61)
    assert fresh(cora).state == "active"


def test_an_outage_makes_impatient_queues_wait_too(hall: Hall) -> None:
    set_queue(hall.sales, lost_after_seconds=10)
    set_queue(hall.billing, abandoned_after_seconds=10)
    ada = hall.agent("Ada")
    cora, carl = hall.waits(), hall.waits("Carl", hall.billing)
    hall.vanishes(ada)
    hall.vanishes(carl.customer)
    hall.outage(3600)
    hall.passes(59)
    assert holder(cora) == "Ada"
    assert line(hall.billing) == ["Carl"]
    hall.passes(20)
    assert holder(cora) is None
    assert fresh(carl).outcome == "abandoned"


def test_without_an_outage_they_do_not(hall: Hall) -> None:
    set_queue(hall.sales, lost_after_seconds=10)
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(11)
    assert holder(cora) is None


def test_a_second_process_that_starts_is_no_outage(hall: Hall) -> None:
    """The first one vouches for it."""
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.vanishes(ada)
    hall.passes(50)
    hall.starts_process()
    hall.passes(15)
    assert holder(cora) is None


def test_a_process_that_takes_over_from_another_is_no_outage(hall: Hall) -> None:
    """As in a rolling restart."""
    cora = hall.waits()
    hall.vanishes(cora.customer)
    old = hall.process
    hall.starts_process()
    hall.passes(20)
    hall.dies(old)
    hall.passes(41)
    assert fresh(cora).outcome == "abandoned"


# --- a step fails


def test_a_step_that_fails_is_told_once_and_keeps_no_other_from_its_work(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def requeue_of_lost_agents(now: dt.datetime) -> None:
        raise ZeroDivisionError

    cora = hall.waits()
    hall.vanishes(cora.customer)
    hall.passes(50)
    monkeypatch.setattr(clock, "requeue_of_lost_agents", requeue_of_lost_agents)
    hall.passes(11)
    assert fresh(cora).outcome == "abandoned"
    (record,) = caplog.records
    assert record.getMessage() == "clock: requeue_of_lost_agents failed"


# --- twice at once


def test_a_second_look_at_once_does_nothing_more(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora, carl = hall.waits(), hall.waits("Carl", hall.billing)
    hall.vanishes(ada)
    hall.vanishes(carl.customer)
    hall.passes(61)
    before = [fresh(each).version for each in (cora, carl)]
    told = [events(each) for each in (cora, carl)]
    clock.tick()
    assert [fresh(each).version for each in (cora, carl)] == before
    assert [events(each) for each in (cora, carl)] == told


# --- nothing to do


def test_with_nothing_to_do_a_tick_is_two_queries(
    hall: Hall, django_assert_num_queries: Any
) -> None:
    hall.agent("Ada")
    hall.waits()
    hall.passes(5)
    with django_assert_num_queries(2):
        assert clock.tick() == []


def test_the_next_tick_sees_what_is_new(hall: Hall) -> None:
    """The question is written once and asked of every moment."""
    hall.agent("Ada", capacity=1)
    hall.waits()
    assert clock.tick() == []
    hall.waits("Carl")
    assert clock.tick() == [hall.sales.pk]


def past(seconds: float) -> dt.datetime:
    return database.db_now() - dt.timedelta(seconds=seconds)


def a_process_fell_silent(hall: Hall) -> None:
    ServerProcess.objects.create(started_at=past(90), alive_until=past(1), settled=True)


def a_poll_ended(hall: Hall) -> None:
    presence.arrive(hall.process, hall.customer().pk, until=past(1))


def a_process_is_in_doubt(hall: Hall) -> None:
    until = past(-45)
    ServerProcess.objects.create(started_at=past(1), alive_until=until, settled=False)


def an_agent_went(hall: Hall) -> None:
    presence.leave(hall.process, agent_here().pk)


def an_agent_came_back(hall: Hall) -> None:
    Agent.objects.update(gone_at=past(5))


def an_offer_rings_for_nobody(hall: Hall) -> None:
    gone = hall.agent("Ben", here=False, gone_at=past(5))
    ring(hall, gone, lapses_at=past(-9))


def an_offer_is_due(hall: Hall) -> None:
    ring(hall, agent_here(), lapses_at=past(1))


def ring(hall: Hall, agent: Agent, lapses_at: dt.datetime) -> None:
    conversation = Conversation.objects.get()
    lease = {"kind": "offer", "started_at": past(20), "lapses_at": lapses_at}
    conversation.assignments.create(agent=agent, **lease)


def a_customer_went(hall: Hall) -> None:
    presence.leave(hall.process, Conversation.objects.get().customer_id)


def a_customer_came_back(hall: Hall) -> None:
    talk = {"state": "active", "agent": agent_here()}
    Conversation.objects.update(**talk, customer_gone_at=past(5))


def who_waits_has_long_been_gone(hall: Hall) -> None:
    a_customer_went(hall)
    Conversation.objects.update(customer_gone_at=past(90))


def who_holds_it_has_long_been_gone(hall: Hall) -> None:
    gone = hall.agent("Ben", here=False, gone_at=past(90))
    Conversation.objects.update(state="active", agent=gone)


def everybody_is_silent(hall: Hall) -> None:
    Conversation.objects.update(
        state="active", agent=agent_here(), said_at=past(26 * 60)
    )


def nobody_answered_the_question(hall: Hall) -> None:
    talk = {"state": "active", "agent": agent_here()}
    silent = {"said_at": past(31 * 60), "idle_warned_at": past(6 * 60)}
    Conversation.objects.update(**talk, **silent)


def an_agent_fell_silent(hall: Hall) -> None:
    Agent.objects.update(active_at=past(10 * 60 + 1))


def a_wrap_up_is_over(hall: Hall) -> None:
    lease = {"started_at": past(60), "ended_at": past(30), "free_at": past(1)}
    Conversation.objects.get().assignments.create(agent=agent_here(), **lease)


def a_reply_goes_unseen(hall: Hall) -> None:
    Customer.objects.update(email="cora@example.org")
    Conversation.objects.update(state="active", agent=agent_here(), seq=3)


def a_file_went_unused(hall: Hall) -> None:
    uploader = hall.customer().pk
    Attachment.objects.create(uploader=uploader, size=1, created_at=past(2 * 3600))


def somebody_waits_for_an_agent(hall: Hall) -> None:
    Conversation.objects.update(queue=hall.sales)


@pytest.mark.parametrize(
    "happens",
    [
        a_process_fell_silent,
        a_poll_ended,
        a_process_is_in_doubt,
        an_agent_went,
        an_agent_came_back,
        an_offer_rings_for_nobody,
        an_offer_is_due,
        a_customer_went,
        a_customer_came_back,
        who_waits_has_long_been_gone,
        who_holds_it_has_long_been_gone,
        everybody_is_silent,
        nobody_answered_the_question,
        an_agent_fell_silent,
        a_wrap_up_is_over,
        a_reply_goes_unseen,
        a_file_went_unused,
        somebody_waits_for_an_agent,
    ],
)
def test_a_look_finds_each_reason_for_a_tick(
    hall: Hall, happens: Callable[[Hall], None]
) -> None:
    hall.agent("Ada")
    hall.waits("Cora", hall.billing)
    assert not clock.anything.finds(database.db_now())
    happens(hall)
    assert clock.anything.finds(database.db_now())


def agent_here() -> Agent:
    return Agent.objects.get(name="Ada")
