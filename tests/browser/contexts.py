"""Browser contexts that are used again: what a page has once fetched and compiled, the
next test's page need not. Between two tests nothing else is kept."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from playwright.async_api import Browser, BrowserContext


class Contexts:
    """For pages of the server. Listen to a page, not to its context, which would go on
    telling."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self.browser = browser
        self.origin = origin
        self.kind: dict[BrowserContext, str] = {}  # of those that may be used again
        self.idle: dict[str, list[BrowserContext]] = defaultdict(list)

    async def take(self, **options: Any) -> BrowserContext:
        kind = repr(sorted(options.items()))
        if idle := self.idle[kind]:
            return idle.pop()
        context = await self.browser.new_context(**options)
        self.kind[context] = kind
        return context

    def spoil(self, context: BrowserContext) -> None:
        """It gets a script or a clock, which it would give to every later page too."""
        self.kind.pop(context, None)

    async def give_back(self, context: BrowserContext, *others: str) -> None:
        """With the other origins at which it has been. May be called again."""
        if context not in self.kind:
            await context.close()
            return
        idle = self.idle[self.kind[context]]
        if context in idle:
            return
        page, *more = context.pages or [await context.new_page()]
        for each in more:
            await each.close()
        await page.goto("about:blank")  # what it writes as it goes is emptied too
        session = await context.new_cdp_session(page)
        for origin in (self.origin, *others):
            what = {"origin": origin, "storageTypes": "all"}
            await session.send("Storage.clearDataForOrigin", what)
        await context.clear_cookies()
        await context.clear_permissions()
        await page.close()
        idle.append(context)
