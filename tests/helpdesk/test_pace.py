"""How long a wait may be: a range that the queue's own pace has earned."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.pace import FEWEST_SAMPLES, SAMPLES, wait_range

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


def every(seconds: int, times: int) -> list[dt.datetime]:
    """Handed out regularly, the last time `seconds` ago."""
    return [NOW - dt.timedelta(seconds=seconds * (n + 1)) for n in range(times)]


@pytest.mark.parametrize("samples", range(FEWEST_SAMPLES))
def test_below_five_samples_nothing_is_promised(samples: int) -> None:
    assert wait_range(1, every(60, samples), NOW) is None


def test_with_five_there_is_a_range_around_the_pace() -> None:
    low, high = wait_range(3, every(60, FEWEST_SAMPLES), NOW) or (0, 0)
    assert low <= 180 <= high


def test_it_looks_at_the_latest_only() -> None:
    slow_once = [NOW - dt.timedelta(hours=5)] * SAMPLES
    assert wait_range(1, slow_once + every(6, SAMPLES), NOW) == wait_range(
        1, every(6, SAMPLES), NOW
    )


def test_a_line_that_stands_still_promises_less_and_less() -> None:
    handed_out = every(60, 10)
    soon, later = (
        wait_range(1, handed_out, NOW + dt.timedelta(minutes=minutes)) or (0, 0)
        for minutes in (0, 30)
    )
    assert later > soon


def test_many_at_once_promise_no_time_below_zero() -> None:
    assert wait_range(1, [NOW] * 20, NOW) == (0, 1)


ages = st.lists(st.integers(0, 3600), min_size=FEWEST_SAMPLES, max_size=30)


@given(st.integers(1, 200), ages)
def test_who_stands_further_back_is_promised_no_less(
    position: int, ages: list[int]
) -> None:
    handed_out = [NOW - dt.timedelta(seconds=age) for age in ages]
    nearer = wait_range(position, handed_out, NOW)
    further = wait_range(position + 1, handed_out, NOW)
    assert nearer
    assert further
    assert nearer[0] < nearer[1]
    assert nearer[0] <= further[0]
    assert nearer[1] <= further[1]
