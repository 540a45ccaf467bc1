"""Fixtures of tests/back_office.py, for the conftest.py of folders that use them."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.back_office import Office, open_office, signed_in, staff, superuser


@pytest.fixture
def office() -> Office:
    return open_office()


@pytest.fixture
def manager(office: Office) -> Client:
    """Of one of the two sites."""
    return signed_in(staff("mona", "Manager", office.acme))


@pytest.fixture
def root(office: Office) -> Client:
    return signed_in(superuser())
