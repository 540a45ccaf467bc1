"""Fixtures of tests/shop.py, for conftest.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests import shop as shops
from tests.live import LiveServer
from tests.shop import Shop


@pytest.fixture
async def shop(server: LiveServer) -> AsyncIterator[Shop]:
    """A shop as it opens: nobody is there yet."""
    shops.forget_limits()
    opened = await shops.stored(shops.open_shop, server)
    yield opened
    await opened.close()
