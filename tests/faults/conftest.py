"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .installation import Services


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker starts the services, for all who ask for them."""
    for item in items:
        if "services" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    started = Services()
    yield started
    started.remove()
