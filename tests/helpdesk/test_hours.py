"""When a queue is open: several slots a day, nights, holidays, clocks that change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.hours import Slot, is_open

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = dt.date(2026, 5, 4)
MIDNIGHT = dt.time(0)


def at(text: str, zone: dt.tzinfo = BERLIN) -> dt.datetime:
    """A local time, “Mon 08:59” in the week of MONDAY or “2026-03-29 02:30”."""
    day, _, clock = text.partition(" ")
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    if day in days:
        date = MONDAY + dt.timedelta(days=days.index(day))
    else:
        date = dt.date.fromisoformat(day)
    return dt.datetime.combine(date, dt.time.fromisoformat(clock), zone)


def slot(weekday: int, opens: str, closes: str) -> Slot:
    return Slot(weekday, dt.time.fromisoformat(opens), dt.time.fromisoformat(closes))


MORNING_AND_AFTERNOON = [slot(0, "09:00", "12:00"), slot(0, "13:30", "18:00")]


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("Mon 08:59", False),
        ("Mon 09:00", True),
        ("Mon 11:59", True),
        ("Mon 12:00", False),
        ("Mon 13:29", False),
        ("Mon 13:30", True),
        ("Mon 17:59", True),
        ("Mon 18:00", False),
        ("Tue 10:00", False),
        ("Sun 10:00", False),
    ],
)
def test_a_day_may_have_several_slots(when: str, opened: bool) -> None:
    assert is_open(at(when), MORNING_AND_AFTERNOON, ()) is opened


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("Fri 21:59", False),
        ("Fri 22:00", True),
        ("Fri 23:59", True),
        ("Sat 00:00", True),
        ("Sat 01:59", True),
        ("Sat 02:00", False),
        ("Fri 01:00", False),
        ("Sat 22:00", False),
    ],
)
def test_a_night_ends_on_the_next_day(when: str, opened: bool) -> None:
    assert is_open(at(when), [slot(4, "22:00", "02:00")], ()) is opened


@pytest.mark.parametrize(
    ("when", "opened"), [("Sun 22:30", True), ("Mon 01:00", True), ("Mon 02:00", False)]
)
def test_sundays_night_ends_on_monday(when: str, opened: bool) -> None:
    assert is_open(at(when), [slot(6, "22:00", "02:00")], ()) is opened


@pytest.mark.parametrize(
    ("when", "opened"),
    [("Mon 23:59", False), ("Tue 00:00", True), ("Tue 23:59", True)]
    + [("Wed 00:00", False)],
)
def test_midnight_to_midnight_is_the_whole_day(when: str, opened: bool) -> None:
    assert is_open(at(when), [slot(1, "00:00", "00:00")], ()) is opened


def test_open_until_midnight() -> None:
    evening = [slot(0, "18:00", "00:00")]
    assert is_open(at("Mon 23:59"), evening, ())
    assert not is_open(at("Tue 00:00"), evening, ())


def test_without_slots_it_is_always_open() -> None:
    assert is_open(at("Sun 03:00"), (), ())


# --- holidays


def test_on_a_holiday_it_is_closed_whatever_the_weekday_says() -> None:
    assert not is_open(at("Mon 10:00"), MORNING_AND_AFTERNOON, [MONDAY])
    assert is_open(at("Mon 10:00"), MORNING_AND_AFTERNOON, [dt.date(2026, 5, 5)])


def test_a_holiday_closes_a_queue_without_slots_too() -> None:
    assert not is_open(at("Mon 10:00"), (), [MONDAY])
    assert is_open(at("Tue 10:00"), (), [MONDAY])


def test_a_night_that_began_before_a_holiday_ends_in_it() -> None:
    night = [slot(6, "22:00", "02:00"), slot(0, "22:00", "02:00")]
    assert is_open(at("Mon 01:00"), night, [MONDAY])
    assert not is_open(at("Mon 23:00"), night, [MONDAY])


def test_the_night_of_a_holiday_does_not_begin_at_all() -> None:
    night = [slot(0, "22:00", "02:00")]
    assert not is_open(at("Tue 01:00"), night, [MONDAY])


# --- clocks that change: the hands of the local clock count


SUNDAY_NIGHT = [slot(6, "01:00", "04:00")]


@pytest.mark.parametrize(
    ("utc", "opened"),
    [
        ("2026-03-28 23:59", False),  # 00:59 in winter
        ("2026-03-29 00:00", True),  # 01:00; an hour later it is 03:00
        ("2026-03-29 01:59", True),  # 03:59 in summer
        ("2026-03-29 02:00", False),
    ],
)
def test_in_spring_a_slot_is_an_hour_shorter(utc: str, opened: bool) -> None:
    local = at(utc, dt.UTC).astimezone(BERLIN)
    assert is_open(local, SUNDAY_NIGHT, ()) is opened


@pytest.mark.parametrize(
    ("utc", "opened"),
    [
        ("2026-10-24 22:59", False),  # 00:59 in summer
        ("2026-10-24 23:00", True),
        ("2026-10-25 00:30", True),  # 02:30 for the first time
        ("2026-10-25 01:30", True),  # and for the second
        ("2026-10-25 02:59", True),
        ("2026-10-25 03:00", False),  # 04:00 in winter
    ],
)
def test_in_autumn_a_slot_is_an_hour_longer(utc: str, opened: bool) -> None:
    local = at(utc, dt.UTC).astimezone(BERLIN)
    assert is_open(local, SUNDAY_NIGHT, ()) is opened


# --- any week at all

times = st.times(timezones=st.none())
slots = st.lists(st.builds(Slot, st.integers(0, 6), times, times), max_size=5)
moments = st.datetimes(
    dt.datetime(2026, 1, 1),  # noqa: DTZ001 (a local clock's hands)
    dt.datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(BERLIN),
)


@given(slots, moments)
def test_a_holiday_never_opens_anything(week: list[Slot], when: dt.datetime) -> None:
    around = {when.date() + dt.timedelta(days=days) for days in (-1, 0)}
    assert not is_open(when, week, around)


@given(slots.filter(bool), slots, moments)
def test_a_further_slot_never_closes_anything(
    week: list[Slot], more: list[Slot], when: dt.datetime
) -> None:
    if is_open(when, week, ()):
        assert is_open(when, week + more, ())


@given(st.integers(0, 6), times, times, moments)
def test_a_slot_and_the_one_between_its_end_and_its_beginning_fill_the_week(
    weekday: int, opens: dt.time, closes: dt.time, when: dt.datetime
) -> None:
    """Every day from `opens` to `closes`, and every day from `closes` to `opens`:
    exactly one of them runs, unless both are whole days."""
    day = [Slot(each, opens, closes) for each in range(7)]
    rest = [Slot(each, closes, opens) for each in range(7)]
    if opens != closes:
        assert is_open(when, day, ()) != is_open(when, rest, ())
    else:
        assert is_open(when, day, ())
