"""Browser tests: `page` and `context` come from pytest-playwright-asyncio, `server`
is the product. Close pages you opened by hand; the fixture closes their sockets."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import chromium
from tests.browser.contexts import Contexts
from tests.live import LiveServer

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


@pytest.fixture(scope="session")
async def contexts(browser: Browser, _server_thread: LiveServer) -> Contexts:
    return Contexts(browser, _server_thread.url)
