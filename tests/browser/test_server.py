"""The browser and the server that all browser tests stand on."""

from __future__ import annotations

from playwright.async_api import Page

from tests.browser.contexts import Contexts, page_of
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


LEAVES_SOMETHING = """() => {
  localStorage.left = sessionStorage.left = "something"
  document.cookie = "left=something"
}"""
FINDS = "[localStorage.left, sessionStorage.left, document.cookie].join('')"


async def test_a_context_that_is_used_again_has_kept_nothing(
    server: LiveServer, contexts: Contexts
) -> None:
    context = await contexts.take(locale="de")
    page = await page_of(context)
    await page.goto(f"{server.url}/healthz")
    await page.evaluate(LEAVES_SOMETHING)
    assert await page.evaluate(FINDS) == "somethingsomethingleft=something"
    await contexts.give_back(context)
    assert await contexts.take(locale="de") is context
    page = await page_of(context)
    await page.goto(f"{server.url}/healthz")
    assert await page.evaluate(FINDS) == ""
    await contexts.give_back(context)
