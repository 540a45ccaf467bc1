"""A customer whose every word is a script: the agents' screen, the back office and the
customer's own chat show the words, and nothing runs."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.request
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, expect

from agents.models import CannedReply
from helpdesk.models import Queue
from tests.back_office import make_groups
from tests.browser.conftest import browser_type_launch_args  # noqa: F401
from tests.people import Customer
from tests.shop import PAGE, Shop, change, stored

# Any of them would leave an element behind, or a mark on the page. Names take 80.
CANARY = "'\"></p><img data-canary src=x onerror=canary()>{{7*7}}"
LONG = (
    f"{CANARY}</textarea></script><script data-canary>canary()</script>"
    "<a href=javascript:canary()>x</a> javascript:canary() data:text/html,x "
    "<svg data-canary onload=canary()><iframe data-canary srcdoc='<script>'>"
    'https://shop.example/"onmouseover=canary() ${canary()} <!--'
)
LOOK = """() => ({
  elements: document.querySelectorAll("[data-canary], [onerror], [onload]").length,
  links: [...document.querySelectorAll("a[href], iframe[src], img[src], form[action]")]
    .map((each) => each.href || each.src || each.action)
    .filter((address) => /^(javascript|vbscript|data:text)/i.test(address)).length,
  ran: window.ran ?? 0,
})"""
UNHARMED = {"elements": 0, "links": 0, "ran": 0}
WATCH = "window.canary = () => { window.ran = (window.ran ?? 0) + 1 }"


class Screen:
    """A page, and what its policy had to forbid."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.forbidden: list[str] = []
        page.on(
            "console",
            lambda message: (
                self.forbidden.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )

    async def is_unharmed(self) -> None:
        for frame in self.page.frames:
            if frame.url != "about:blank":
                assert await frame.evaluate(LOOK) == UNHARMED, frame.url
        assert self.forbidden == []


@pytest.fixture
async def screen(browser: Browser) -> AsyncIterator[Screen]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.add_init_script(WATCH)
    yield Screen(context, await context.new_page())
    await context.close()


def send_file(shop: Shop, token: str, name: str) -> str:
    """By the door that customers' pages use."""
    picture = io.BytesIO()
    Image.new("RGB", (40, 30)).save(picture, "PNG")
    mark = uuid.uuid4().hex
    head = (
        f"--{mark}\r\nContent-Disposition: form-data; name=file; "
        f"filename*=UTF-8''{urllib.request.quote(name)}\r\n\r\n"
    )
    body = head.encode() + picture.getvalue() + f"\r\n--{mark}--\r\n".encode()
    request = urllib.request.Request(
        f"{shop.server.url}/widget/shop/uploads/",
        body,
        {
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "Origin": PAGE,
        },
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["id"])


async def mallory(shop: Shop) -> tuple[Customer, str]:
    """Every text that a customer chooses."""
    person = await shop.knocks(**{"User-Agent": LONG})
    page = {"url": f"javascript:canary()//{LONG}", "title": LONG, "referrer": LONG}
    await person.hello(page=page, locale=CANARY[:35])
    file = await asyncio.to_thread(send_file, shop, person.token, f"{CANARY}.png")
    ack = await person.ask(
        "conversation.start",
        text=LONG,
        name=CANARY,
        email='"<img/src=x/onerror=canary()>"@shop.example',
        fields={CANARY: LONG, "__proto__": CANARY, "items": CANARY},
        attachments=[file],
    )
    if ack["type"] == "refused":  # that is no address
        ack = await person.starts(
            LONG,
            name=CANARY,
            fields={CANARY: LONG, "items": CANARY},
            attachments=[file],
        )
    return person, str(ack["conversation"]["id"])


async def signed_in(shop: Shop, screen: Screen, user: Any) -> None:
    name, _, value = (await shop.cookie(user)).partition("=")
    await screen.context.add_cookies(
        [{"name": name, "value": value, "url": shop.server.url}]
    )


async def test_on_the_agents_screen(shop: Shop, screen: Screen) -> None:
    def furnish() -> None:
        Queue.objects.filter(pk=shop.sales.pk).update(name=CANARY)
        CannedReply.objects.create(shortcut="hi", text=LONG)

    await stored(furnish)
    await signed_in(shop, screen, shop.ada.user)
    await screen.page.goto(f"{shop.server.url}/agents/")
    await expect(screen.page.locator(".status .load")).to_be_visible()
    person, here = await mallory(shop)
    row = screen.page.locator(".row:not(.in-line) a").first
    await expect(row).to_be_visible()
    await screen.is_unharmed()
    await row.click()
    log = screen.page.get_by_role("log")
    await expect(log.locator(".bubble").first).to_contain_text("data-canary")
    await expect(log.locator("img").first).to_be_visible()
    await person.say("typing", on=True, text=LONG)
    await screen.page.locator("textarea").fill("/hi")
    await screen.page.keyboard.press("Enter")
    await person.ask("conversation.end")
    await screen.is_unharmed()
    assert here


async def test_in_the_back_office(shop: Shop, screen: Screen) -> None:
    _person, here = await mallory(shop)

    def manager() -> Any:
        from django.apps import apps

        if not Group.objects.exists():
            make_groups(apps)
        user = shop.ben.user
        user.is_staff = user.is_superuser = True
        user.save()
        return user

    await signed_in(shop, screen, await stored(manager))
    story = f"/admin/helpdesk/transcript/{here}/change/"
    for address in (
        "/admin/helpdesk/transcript/",
        f"/admin/helpdesk/transcript/?q={urllib.request.quote(CANARY)}",
        story,
        "/admin/customers/customer/",
        "/admin/customers/customer/?q=canary",
    ):
        await screen.page.goto(f"{shop.server.url}{address}")
        assert "data-canary" in await screen.page.content(), address
        await screen.is_unharmed()
    await screen.page.get_by_role("link", name=CANARY).first.click()
    await screen.is_unharmed()
    await screen.page.goto(f"{shop.server.url}{story}")
    await screen.page.emulate_media(media="print")
    await screen.is_unharmed()


async def test_in_the_chat(shop: Shop, screen: Screen) -> None:
    """Here the hostile words are the desk's, and the customer's own in another tab."""
    await stored(change, shop.site, name=CANARY, greeting={"en": LONG}, consent=LONG)
    await stored(change, shop.ada, name=CANARY)
    ada = await shop.agent(shop.ada)
    person, here = await mallory(shop)
    await person.sees(state="active")
    await ada.posts(here, LONG)
    token = person.token
    await screen.context.add_init_script(
        f"localStorage.setItem('helpdesk:shop:token', {json.dumps(token)})"
    )
    await screen.page.goto(f"{shop.server.url}/widget/shop/?locale=en")
    log = screen.page.get_by_role("log")
    await expect(log.locator(".theirs .bubble")).to_contain_text("data-canary")
    await expect(log.locator(".own .bubble").first).to_contain_text("data-canary")
    await ada.say("typing", conversation=here, on=True)
    await screen.is_unharmed()
    await ada.ends(here)
    await expect(screen.page.locator(".ending")).to_be_visible()
    await screen.is_unharmed()
    await screen.page.goto(f"{shop.server.url}/widget/shop/resume/#{LONG}")
    await expect(screen.page.locator("[data-expired]")).to_be_visible()
    await screen.is_unharmed()


async def test_it_would_be_seen(screen: Screen) -> None:
    """On a page that puts such words into its markup."""
    await screen.page.goto("about:blank")
    await screen.page.set_content(f"<p>{LONG}</p>")
    found = await screen.page.evaluate(LOOK)
    assert found["elements"]
    assert found["links"]
