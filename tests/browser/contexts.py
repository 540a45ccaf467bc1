"""Browser contexts that are used again: what a page has once fetched and compiled, the
next test's page need not. Between two tests nothing else is kept."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from playwright.async_api import Browser, BrowserContext


class Contexts:
    """For pages of one origin. Listen to a page, not to its context, which would go on
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

    async def give_back(self, context: BrowserContext) -> None:
        if context not in self.kind:
            await context.close()
            return
        page, *others = context.pages or [await context.new_page()]
        for other in others:
            await other.close()
        await page.goto("about:blank")  # what it writes as it goes is emptied too
        session = await context.new_cdp_session(page)
        what = {"origin": self.origin, "storageTypes": "all"}
        await session.send("Storage.clearDataForOrigin", what)
        await context.clear_cookies()
        await context.clear_permissions()
        await page.close()
        self.idle[self.kind[context]].append(context)
