"""Somebody on a page of the shop that embeds the chat, in a browser of their own.

The page is of another site than the server, as browsers see it: it lives under
another name and port. It has a server of its own, since browsers let no page reach
loopback that did not come from there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.async_api import (
    BrowserContext,
    FrameLocator,
    Locator,
    Page,
    Request,
    expect,
)

from tests.browser.barriers import barriers
from tests.browser.contexts import page_of
from tests.shop import KEY, Shop, change, stored

Opens = Callable[..., Any]
expect.set_options(timeout=20_000)  # two cores may be busy with other tests

HOST_PAGE = """<!doctype html><html lang="{lang}"><head><title>The shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>The shop</h1></main>
<script src="{server}/widget.js" data-site="{key}" {more} async>
</script></body></html>"""
WORDS = {
    "en": {"open": "Open chat", "close": "Minimise chat", "write": "Write a message …"},
    "zh-CN": {"open": "打开聊天", "close": "收起聊天", "write": "写消息……"},
}


class HostServer(ThreadingHTTPServer):
    """The shop's own web server. It serves one page, on any path."""

    daemon_threads = True
    page = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HostHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.server_port}"


class HostHandler(BaseHTTPRequestHandler):
    server: HostServer

    def do_GET(self) -> None:
        body = b"" if "favicon" in self.path else self.server.page.encode()
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@dataclass
class Visitor:
    shop: Shop
    host: HostServer
    context: BrowserContext
    page: Page
    lang: str
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    forgiven: re.Pattern[str] | None = None

    @property
    def address(self) -> str:
        return f"{self.host.origin}/shop"

    @property
    def words(self) -> dict[str, str]:
        return WORDS[self.lang]

    # --- places

    @property
    def launcher(self) -> Locator:
        return self.page.locator(".launcher")

    @property
    def chat(self) -> FrameLocator:
        return self.page.frame_locator("helpdesk-chat iframe")

    @property
    def writing(self) -> Locator:
        return self.chat.locator(".writing textarea")

    @property
    def log(self) -> Locator:
        return self.chat.get_by_role("log")

    def bubble(self, text: str) -> Locator:
        return self.log.locator(".message", has_text=text)

    @property
    def frame(self) -> Any:
        """The chat's own document."""
        return next(f for f in self.page.frames if f"/widget/{KEY}/" in f.url)

    # --- what the visitor does

    async def comes(self) -> None:
        await self.page.goto(self.address)
        await expect(self.launcher).to_be_visible()

    async def opens_chat(self) -> None:
        await self.launcher.click()
        await expect(self.writing).to_be_visible()

    async def says(self, text: str) -> None:
        await self.writing.fill(text)
        await self.writing.press("Enter")

    async def starts(self, text: str, *, queue: str = "", name: str = "") -> None:
        if name:
            await self.chat.locator("[name=name]").fill(name)
        if queue:
            await self.chat.get_by_text(queue, exact=True).click()
        await self.says(text)
        await expect(self.bubble(text)).to_be_visible()

    async def sees_agent(self, name: str) -> None:
        await expect(self.chat.get_by_role("heading", name=name)).to_be_visible()

    async def barriers(self, state: str) -> list[str]:
        return await barriers(self.page, state, self.frame)


async def visit(
    shop: Shop, host: HostServer, new_context: Opens, **options: Any
) -> Visitor:
    """A visitor before the page; `attributes` go into the script tag."""
    lang = options.pop("lang", "en")
    attributes = options.pop("attributes", "")
    options = {"viewport": {"width": 1280, "height": 800}, "locale": lang} | options
    context = await new_context(**options)
    page = await page_of(context)
    visitor = Visitor(shop, host, context, page, lang)
    await stored(change, shop.site, allowed_origins=host.origin)
    host.page = HOST_PAGE.format(
        lang=lang, server=shop.server.url, key=KEY, more=attributes
    )
    watch(visitor)
    return visitor


def watch(visitor: Visitor) -> None:
    """A page that breaks the content security policy says so on the console."""

    def complain(text: str) -> None:
        visitor.complaints.append(text)

    visitor.page.on("pageerror", lambda error: complain(str(error)))
    visitor.page.on("request", lambda request: visitor.requests.append(request))
    visitor.page.on(
        "console",
        lambda m: complain(m.text) if m.type in ("error", "warning") else None,
    )


def complaints(visitor: Visitor) -> list[str]:
    forgiven = visitor.forgiven
    return [c for c in visitor.complaints if not (forgiven and forgiven.search(c))]
