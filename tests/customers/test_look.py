"""Whatever colour a site chooses, it can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.look import DAY_GROUND, ENOUGH, NIGHT_GROUND, contrast, readable

COLOURS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


@pytest.mark.parametrize("night", [False, True])
@given(accent=COLOURS)
def test_text_on_the_accent_and_of_the_accent_can_be_read(
    accent: str, night: bool
) -> None:
    look = readable(accent, night=night)
    assert contrast(look.ground, look.on_ground) >= ENOUGH
    assert contrast(look.text, NIGHT_GROUND if night else DAY_GROUND) >= ENOUGH


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert str(readable("#2f6f5e", night=False)) == "#2f6f5e #ffffff #2f6f5e"


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
