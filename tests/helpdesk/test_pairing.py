"""Pairing on the database: who gets what, when, and who does not."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from helpdesk import clock, database, pairing, protocol, snapshots
from helpdesk.errors import AlreadyTaken, Ended, Forbidden, Full, QueueClosed
from helpdesk.models import Holiday, OpeningSlot, Queue
from tests.helpdesk.hall import Hall, events, fresh, holder, line, load, new_id, rings


def set_queue(queue: Queue, **fields: object) -> None:
    Queue.objects.filter(pk=queue.pk).update(**fields)


# --- given out at once


def test_whoever_comes_is_given_to_an_agent_with_room(hall: Hall) -> None:
    hall.agent("Ada")
    cora = hall.waits()
    assert holder(cora) == "Ada"
    assert fresh(cora).state == "active"
    assert events(cora) == ["agent_joined"]


@pytest.mark.parametrize(
    "fields",
    [{"here": False}, {"status": "away"}, {"status": "offline"}]
    + [{"capacity": 0}],
)  # fmt: skip
def test_nobody_is_given_to_who_is_not_here_does_not_accept_or_has_no_room(
    hall: Hall, fields: dict[str, object]
) -> None:
    hall.agent("Ada", **fields)  # type: ignore[arg-type]
    cora = hall.waits()
    assert holder(cora) is None
    assert line(hall.sales) == ["Cora"]


def test_nobody_is_given_to_an_agent_of_another_queue(hall: Hall) -> None:
    hall.agent("Ada", hall.billing)
    assert holder(hall.waits()) is None


def test_the_line_drains_in_order_when_an_agent_comes(hall: Hall) -> None:
    names = ["Cora", "Carl", "Cleo"]
    waiting = [hall.waits(name) for name in names]
    hall.agent("Ada", capacity=2)
    assert [holder(each) for each in waiting] == ["Ada", "Ada", None]
    assert line(hall.sales) == ["Cleo"]


def test_it_drains_when_a_conversation_ends(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    cora, carl = hall.waits(), hall.waits("Carl")
    hall.ends(ada, cora)
    assert holder(carl) == "Ada"


def test_it_drains_when_a_customer_leaves(hall: Hall) -> None:
    hall.agent("Ada", capacity=1)
    cora, carl = hall.waits(), hall.waits("Carl")
    hall.leaves(cora)
    assert holder(carl) == "Ada"


def test_it_drains_when_an_agent_accepts_again(hall: Hall) -> None:
    ada = hall.agent("Ada", status="away")
    cora = hall.waits()
    hall.chooses(ada, "online")
    assert holder(cora) == "Ada"


def test_who_goes_away_keeps_what_they_hold_and_gets_no_more(hall: Hall) -> None:
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.chooses(ada, "away")
    carl = hall.waits("Carl")
    assert (holder(cora), holder(carl)) == ("Ada", None)


def test_the_sweep_finds_what_an_event_missed(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=0)
    cora = hall.waits()
    type(ada).objects.filter(pk=ada.pk).update(capacity=1)  # and nobody drains
    assert holder(cora) is None
    hall.tick()
    assert holder(cora) == "Ada"


def test_a_lowered_capacity_takes_nothing_away_and_gives_nothing_more(
    hall: Hall,
) -> None:
    ada = hall.agent("Ada", capacity=2)
    cora, carl = hall.waits(), hall.waits("Carl")
    type(ada).objects.filter(pk=ada.pk).update(capacity=1)
    hall.leaves(cora)
    cleo = hall.waits("Cleo")
    assert (holder(carl), holder(cleo)) == ("Ada", None)


def test_the_decision_says_why(hall: Hall) -> None:
    hall.agent("Ada", capacity=2)
    hall.agent("Ben", capacity=1)
    cora = hall.waits()
    assert fresh(cora).why.startswith(f"{holder(cora)}: 0 of ")
    assert "; next would be " in fresh(cora).why
    assert cora.assignments.get().why == fresh(cora).why


# --- who is asked


def test_a_customer_returns_to_the_last_agent(hall: Hall) -> None:
    set_queue(hall.sales, sticky=True)
    ada = hall.agent("Ada")
    cora = hall.waits()
    hall.ends(ada, cora)
    hall.waits("Carl")  # Ada is the busier one now
    hall.agent("Ben")
    again = hall.starts(cora.customer)
    assert holder(again) == "Ada"
    assert "talked with this customer last" in fresh(again).why


def test_a_stranger_does_not(hall: Hall) -> None:
    set_queue(hall.sales, sticky=True)
    ada = hall.agent("Ada")
    hall.ends(ada, hall.waits())
    hall.waits("Carl")
    hall.agent("Ben")
    assert holder(hall.waits("Cleo")) == "Ben"


def test_in_turn(hall: Hall) -> None:
    set_queue(hall.sales, strategy="round_robin")
    for name in ("Ada", "Ben", "Cid"):
        hall.agent(name)
    given = []
    for number in range(6):
        database.offset += dt.timedelta(seconds=1)
        given.append(holder(hall.waits(f"Customer {number}")))
    assert given[:3] == given[3:]
    assert set(given) == {"Ada", "Ben", "Cid"}


def test_the_longest_idle_first(hall: Hall) -> None:
    set_queue(hall.sales, strategy="longest_idle")
    hall.agent("Ada")
    hall.passes(5)
    hall.agent("Ben")
    assert [holder(hall.waits(name)) for name in ("Cora", "Carl")] == ["Ada", "Ben"]


def test_a_proven_customer_stands_first_where_the_queue_says_so(hall: Hall) -> None:
    hall.waits("Carl")
    set_queue(hall.sales, proven_first=True)
    hall.waits("Cora", external_id="7")
    hall.waits("Cleo")
    assert line(hall.sales) == ["Cora", "Carl", "Cleo"]


def test_a_proven_customer_stands_in_line_like_everybody_elsewhere(
    hall: Hall,
) -> None:
    hall.waits("Carl")
    hall.waits("Cora", external_id="7")
    assert line(hall.sales) == ["Carl", "Cora"]


def test_the_queue_of_the_higher_priority_is_served_first(hall: Hall) -> None:
    vip = hall.queue("VIP", priority=5)
    carl, cora = hall.waits("Carl"), hall.waits("Cora", vip)
    hall.agent("Ada", hall.sales, vip, capacity=1)
    assert (holder(carl), holder(cora)) == (None, "Ada")


# --- the fallback queue


def test_the_fallback_helps_after_its_time(hall: Hall) -> None:
    helpers = hall.queue("Helpers")
    set_queue(hall.sales, fallback=helpers, fallback_after_seconds=60)
    hall.agent("Ben", helpers)
    cora = hall.waits()
    hall.passes(40)
    assert holder(cora) is None
    hall.passes(20)
    assert holder(cora) == "Ben"
    assert "helping out Sales" in fresh(cora).why


def test_a_helper_with_new_room_helps(hall: Hall) -> None:
    helpers = hall.queue("Helpers")
    set_queue(hall.sales, fallback=helpers, fallback_after_seconds=0)
    ben = hall.agent("Ben", helpers, capacity=1)
    own = hall.waits("Carl", helpers)
    cora = hall.waits()
    hall.ends(ben, own)
    assert holder(cora) == "Ben"


# --- taken from the line


def test_an_agent_takes_from_the_line(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing)
    cora = hall.waits("Cora", hall.billing)
    hall.tick()
    assert line(hall.billing) == ["Cora"]  # nobody is given it
    hall.takes(ada, cora)
    assert holder(cora) == "Ada"
    assert fresh(cora).why == "Ada took it from the line: 0 of 4 before."


def test_a_stranger_takes_nothing(hall: Hall) -> None:
    cora = hall.waits("Cora", hall.billing)
    with pytest.raises(Forbidden):
        hall.takes(hall.agent("Mallory", hall.sales), cora)
    assert line(hall.billing) == ["Cora"]


def test_who_is_second_is_told_by_whom_it_was_taken(hall: Hall) -> None:
    ben = hall.agent("Ben", hall.billing)
    cora = hall.talks(hall.agent("Ada", hall.billing))
    with pytest.raises(AlreadyTaken, match="Ada"):
        hall.takes(ben, cora)


def test_who_is_full_takes_nothing(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing, capacity=1)
    hall.talks(ada)
    carl = hall.waits("Carl", hall.billing)
    with pytest.raises(Full):
        hall.takes(ada, carl)


def test_an_ended_one_is_not_taken(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing)
    cora = hall.waits("Cora", hall.billing)
    hall.leaves(cora)
    with pytest.raises(Ended):
        hall.takes(ada, cora)


def test_an_agent_may_take_what_rings_with_a_colleague(hall: Hall) -> None:
    set_queue(hall.sales, delivery="offer")
    hall.agent("Ada")
    cora = hall.waits()
    ben = hall.agent("Ben")
    assert rings(cora) == "Ada"
    hall.takes(ben, cora)
    assert (rings(cora), holder(cora)) == (None, "Ben")


# --- wrap-up


def test_a_slot_stays_taken_while_the_agent_wraps_up(hall: Hall) -> None:
    set_queue(hall.sales, wrap_up_seconds=30)
    ada = hall.agent("Ada", capacity=1)
    hall.ends(ada, hall.waits())
    carl = hall.waits("Carl")
    assert load(ada) == 1
    hall.passes(15)
    assert holder(carl) is None
    hall.passes(15)
    assert holder(carl) == "Ada"


def test_who_is_ready_earlier_ends_the_wrap_up(hall: Hall) -> None:
    set_queue(hall.sales, wrap_up_seconds=30)
    ada, ben = hall.agent("Ada", capacity=1), hall.agent("Ben", capacity=1)
    for agent in (ada, ben):
        hall.ends(agent, hall.waits())
    carl = hall.waits("Carl")
    frame = protocol.WrapUpEnd(id=new_id())
    hall.does(ada, pairing.end_wrap_up, frame)
    assert holder(carl) == "Ada"
    assert (load(ada), load(ben)) == (1, 1)  # Ben's is his own to end


def test_how_long_somebody_wraps_up_is_seen(hall: Hall) -> None:
    set_queue(hall.sales, wrap_up_seconds=30)
    ada = hall.agent("Ada")

    def until() -> str | None:
        return snapshots.agent(ada, database.db_now()).wrap_up_until

    hall.ends(ada, hall.waits())
    assert until()
    hall.passes(30)
    assert until() is None


def test_colleagues_are_told_when_a_wrap_up_is_over(hall: Hall) -> None:
    set_queue(hall.sales, wrap_up_seconds=30)
    ada = hall.agent("Ada")
    hall.ends(ada, hall.waits())

    def told() -> list[str]:
        over = pairing.wrapped_up(database.db_now(), clock.TICK_SECONDS)
        return [lease.agent.name for lease in over]

    assert told() == []
    database.offset += dt.timedelta(seconds=31)
    assert told() == ["Ada"]
    database.offset += dt.timedelta(seconds=clock.TICK_SECONDS)
    assert told() == []


def test_without_wrap_up_it_is_free_at_once(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    hall.ends(ada, hall.waits())
    assert load(ada) == 0


# --- the line limit, closing, left messages


def test_beyond_the_limit_an_address_makes_it_a_left_message(hall: Hall) -> None:
    set_queue(hall.sales, line_limit=1)
    hall.waits("Carl")
    cora = hall.waits("Cora", email="cora@example.com")
    assert cora.left
    assert line(hall.sales) == ["Carl"]
    assert fresh(cora).why == "Stands in Sales: left as a message."


def test_beyond_the_limit_nobody_without_an_address(hall: Hall) -> None:
    set_queue(hall.sales, line_limit=1)
    hall.waits("Carl")
    with pytest.raises(QueueClosed):
        hall.waits("Cora")
    assert line(hall.sales) == ["Carl"]


def test_a_left_message_is_given_to_nobody_but_may_be_taken(hall: Hall) -> None:
    set_queue(hall.sales, is_open=False)
    cora = hall.waits("Cora", email="cora@example.com")
    ada = hall.agent("Ada")
    hall.passes(30)
    assert holder(cora) is None
    hall.takes(ada, cora)
    assert holder(cora) == "Ada"


def test_a_left_message_is_not_abandoned(hall: Hall) -> None:
    set_queue(hall.sales, is_open=False)
    cora = hall.waits("Cora", email="cora@example.com")
    hall.vanishes(cora.customer)
    hall.passes(300)
    assert fresh(cora).state == "waiting"


def test_who_left_a_message_may_still_start_a_conversation(hall: Hall) -> None:
    set_queue(hall.sales, is_open=False)
    left = hall.waits("Cora", email="cora@example.com")
    set_queue(hall.sales, is_open=True)
    hall.starts(left.customer)
    assert line(hall.sales) == ["Cora"]


def test_who_waits_when_the_queue_closes_is_still_served(hall: Hall) -> None:
    cora = hall.waits()
    set_queue(hall.sales, is_open=False)
    hall.agent("Ada")
    assert holder(cora) == "Ada"


def test_a_queue_keeps_its_hours_in_its_time_zone(hall: Hall) -> None:
    set_queue(hall.sales, time_zone="Asia/Shanghai")
    now = database.db_now()
    local = now.astimezone(ZoneInfo("Asia/Shanghai"))
    OpeningSlot.objects.create(
        queue=hall.sales,
        weekday=local.weekday(),
        opens=local.time().replace(second=0, microsecond=0),
        closes=(local + dt.timedelta(hours=1)).time(),
    )
    assert snapshots.queue_open(fresh(hall.sales), now)
    day = dt.timedelta(days=1)
    assert not snapshots.queue_open(fresh(hall.sales), now + day)
    Holiday.objects.create(queue=hall.sales, date=local.date())
    assert not snapshots.queue_open(fresh(hall.sales), now)


# --- the truth about the line


def test_positions_go_from_1_in_each_queue(hall: Hall) -> None:
    rows = [hall.waits(name) for name in ("Cora", "Carl")]
    rows.append(hall.waits("Cleo", hall.billing))
    turns = snapshots.turns([hall.sales.pk, hall.billing.pk])
    assert [turns[row.pk].position for row in rows] == [1, 2, 1]


def test_below_five_samples_no_wait_is_promised(hall: Hall) -> None:
    ada = hall.agent("Ada", capacity=1)
    for number in range(4):
        hall.ends(ada, hall.waits(f"Customer {number}"))
    hall.waits("Carl")  # the fifth hand-out
    cora = hall.waits()
    assert snapshots.turn(fresh(cora)).wait is not None
    lonely = hall.waits("Cleo", hall.billing)
    assert snapshots.turn(fresh(lonely)).wait is None


def test_a_line_that_stands_still_alerts(hall: Hall) -> None:
    set_queue(hall.sales, alert_after_seconds=120)
    hall.waits()
    hall.passes(100)
    (sales,) = snapshots.queues_for_staff([hall.sales.pk], database.db_now())
    assert not sales.stands_still
    hall.passes(20)
    (sales,) = snapshots.queues_for_staff([hall.sales.pk], database.db_now())
    assert sales.stands_still


def test_a_line_that_moves_does_not(hall: Hall) -> None:
    set_queue(hall.sales, alert_after_seconds=120)
    ada = hall.agent("Ada", capacity=1)
    cora = hall.waits()
    hall.waits("Carl")
    hall.waits("Cleo")
    hall.passes(110)
    hall.ends(ada, cora)
    hall.passes(60)
    (sales,) = snapshots.queues_for_staff([hall.sales.pk], database.db_now())
    assert not sales.stands_still


def test_nor_does_one_to_which_somebody_has_come_back(hall: Hall) -> None:
    set_queue(hall.sales, alert_after_seconds=120)
    cora = hall.waits()
    hall.passes(100)
    ada = hall.agent("Ada", capacity=1)
    hall.vanishes(ada)
    hall.passes(70)
    assert fresh(cora).state == "waiting"
    (sales,) = snapshots.queues_for_staff([hall.sales.pk], database.db_now())
    assert not sales.stands_still


# --- twice the same


def test_a_repeated_id_does_nothing_more(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing)
    cora = hall.waits("Cora", hall.billing)
    frame = protocol.Take(id="once-only", conversation=str(cora.pk))
    first = protocol.decode(hall.does(ada, pairing.take, frame))
    version = fresh(cora).version
    assert protocol.decode(hall.does(ada, pairing.take, frame)) == first
    assert fresh(cora).version == version
