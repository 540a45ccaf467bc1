"""What a visitor's browser has to fetch, counted over what it really loads."""

from __future__ import annotations

import gzip

import pytest
from playwright.async_api import Browser, Response

from tests.browser.visitors import HostServer, visit
from tests.shop import Shop

LOADER_BYTES = 4_000
FRAME_BYTES = 30_000
CODE = ("text/html", "text/css", "text/javascript", "application/javascript")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_the_chat_is_small(shop: Shop, browser: Browser, lang: str) -> None:
    host = HostServer()
    cora = await visit(shop, host, browser.new_context, lang=lang)
    responses: list[Response] = []
    cora.context.on("response", lambda response: responses.append(response))
    await cora.comes()
    await cora.opens_chat()
    await cora.starts("Hello?")
    sizes = {
        response.url.removeprefix(shop.server.url): len(
            gzip.compress(await response.body(), 9)
        )
        for response in responses
        if response.url.startswith(shop.server.url)
        and response.headers.get("content-type", "").startswith(CODE)
    }
    await cora.context.close()
    host.shutdown()
    host.server_close()
    loader = sizes.pop("/widget.js")
    assert loader <= LOADER_BYTES, loader
    assert len(sizes) == 3, sizes  # the page, a script, a style sheet
    assert sum(sizes.values()) <= FRAME_BYTES, sizes
