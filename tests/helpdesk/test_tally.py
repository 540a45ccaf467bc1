"""Numbers that are counted."""

from __future__ import annotations

from helpdesk.tally import Histogram


def taken(*values: float) -> Histogram:
    histogram = Histogram((1, 5))
    for value in values:
        histogram.take(value)
    return histogram


def test_a_value_belongs_to_the_first_bound_not_below_it() -> None:
    assert taken(0, 1, 2, 5, 6).counts == [2, 2, 1]


def test_what_was_taken_is_summed_up() -> None:
    assert taken(1, 2, 6).sum == 9
