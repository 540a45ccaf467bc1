"""The browser and the server that all browser tests stand on."""

from __future__ import annotations

from playwright.async_api import Page

from tests.live import LiveServer


async def test_a_browser_reaches_the_server(page: Page, server: LiveServer) -> None:
    answer = await page.goto(f"{server.url}/healthz")
    assert answer is not None
    assert answer.status == 200


async def test_it_is_another_site_by_its_other_name(
    page: Page, server: LiveServer
) -> None:
    answer = await page.goto(f"{server.elsewhere}/healthz")
    assert answer is not None
    assert answer.status == 200
