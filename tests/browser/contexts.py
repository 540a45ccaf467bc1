"""Browser contexts that are used again, each with a page: what it has once fetched and
compiled, the next test need not. Between two tests nothing else is kept."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

FORGET = "() => { try { sessionStorage.clear() } catch {} }"


async def page_of(context: BrowserContext) -> Page:
    """The empty one that the last test left, or a new one."""
    return context.pages[0] if context.pages else await context.new_page()


class Contexts:
    """For pages of the server. Who listens to a page does so in vain after
    `give_back`; listen to no context, which would go on telling."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self.browser = browser
        self.origin = origin
        # Of those that may be used again, with what they were made of.
        self.options: dict[BrowserContext, dict[str, Any]] = {}
        self.idle: dict[str, list[BrowserContext]] = defaultdict(list)

    async def take(self, **options: Any) -> BrowserContext:
        if idle := self.idle[kind(options)]:
            return idle.pop()
        context = await self.browser.new_context(**options)
        self.options[context] = options
        return context

    def spoil(self, context: BrowserContext) -> None:
        """It gets a script or a clock, which it would give to every later page too."""
        self.options.pop(context, None)

    async def give_back(self, context: BrowserContext, *others: str) -> None:
        """With the other origins at which it has been. May be called again."""
        if context not in self.options:
            await context.close()
            return
        options = self.options[context]
        idle = self.idle[kind(options)]
        if context in idle:
            return
        for each in context.pages[1:]:
            await each.close()
        page = await page_of(context)
        await leave_as_it_was(page, options)
        session = await context.new_cdp_session(page)
        for origin in (self.origin, *others):
            what = {"origin": origin, "storageTypes": "all"}
            await session.send("Storage.clearDataForOrigin", what)
        await session.detach()
        await context.clear_cookies()
        await context.clear_permissions()
        idle.append(context)


def kind(options: dict[str, Any]) -> str:
    return repr(sorted(options.items()))


async def leave_as_it_was(page: Page, options: dict[str, Any]) -> None:
    for frame in page.frames:
        await frame.evaluate(FORGET)
    await page.goto("about:blank")  # what it writes as it goes is emptied too
    await page.emulate_media(
        media="null", color_scheme=options.get("color_scheme", "light")
    )
    if viewport := options.get("viewport"):
        await page.set_viewport_size(viewport)
