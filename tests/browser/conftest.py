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


# As much as all others together.
LARGE = ("test_dashboard", "test_widget")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Three workers start a browser and use the pages that tests leave behind."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            name = item.path.stem if item.path.stem in LARGE else "browser"
            item.add_marker(pytest.mark.xdist_group(name))


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
