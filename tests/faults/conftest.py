"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .installation import Services


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    started = Services()
    yield started
    started.remove()
