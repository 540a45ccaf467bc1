"""Browser tests: `page` and `context` come from pytest-playwright-asyncio, `server`
is the product. Close pages you opened by hand; the fixture closes their sockets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser import chromium

chromium.give_playwright_a_node()


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any],
) -> dict[str, Any]:
    return {
        **browser_type_launch_args,
        "executable_path": str(chromium.find()),
        "args": chromium.ARGUMENTS,
    }
