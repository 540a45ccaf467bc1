"""Signing in and the back office, as a browser shows them."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image
from playwright.async_api import Page

from helpdesk.models import Conversation, Queue
from tests.back_office import (
    CHOSEN,
    NOON,
    PASSWORD,
    attach,
    conversation,
    hold,
    open_office,
    say,
    staff,
    superuser,
)
from tests.browser.barriers import violations
from tests.browser.contexts import Contexts, page_of
from tests.live import LiveServer
from tests.shop import session_cookie, stored

CANARY = "<img src=x onerror=document.title='canary'>"
BOTH = pytest.mark.parametrize("language", ["en-US", "zh-CN"])


@dataclass
class Desk:
    """A page of the back office and what went wrong on it."""

    page: Page
    url: str
    story: str
    queue: str
    site: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, address: str) -> None:
        await self.page.goto(f"{self.url}{address}")

    async def comes_as(self, login: str) -> None:
        """Who has signed in before."""
        user = await stored(User.objects.get, username=login)
        name, _, value = (await stored(session_cookie, user)).partition("=")
        await self.page.context.add_cookies(
            [{"name": name, "value": value, "url": self.url}]
        )

    async def sign_in(self, login: str, password: str = PASSWORD) -> None:
        await self.open("/accounts/login/")
        await self.page.fill("[name=login]", login)
        await self.page.fill("[name=password]", password)
        await self.page.press("[name=password]", "Enter")
        await self.page.wait_for_load_state()


def furnish() -> tuple[Conversation, Queue]:
    office = open_office()
    staff("mona", "Manager", office.acme)
    superuser()
    talk = conversation(
        office.sales, name=CANARY, agent=office.ada, rating=4, rating_comment=CANARY
    )
    talk.customer.page = {"url": "javascript:alert(1)", "title": CANARY}
    talk.customer.fields = {CANARY: CANARY}
    talk.customer.user_agent = CANARY
    talk.customer.save()
    say(talk, CANARY)
    hold(talk, office.ada, because=CHOSEN)
    say(talk, "Let me look.", office.ada)
    say(talk, "VIP", office.ada, kind="note")
    picture = io.BytesIO()
    Image.new("RGB", (64, 40), "teal").save(picture, "PNG")
    photo = attach(say(talk, "Look"), "label.png")
    photo.file.save("label", ContentFile(picture.getvalue()))
    return talk, office.sales


@pytest.fixture
def language() -> str:
    return "en-US"


@pytest.fixture
async def desk(
    server: LiveServer, contexts: Contexts, language: str
) -> AsyncIterator[Desk]:
    talk, queue = await stored(furnish)
    context = await contexts.take(locale=language)
    page = await page_of(context)
    opened = Desk(
        page,
        server.url,
        f"/admin/helpdesk/transcript/{talk.pk}/change/",
        f"/admin/helpdesk/queue/{queue.pk}/change/",
        f"/admin/customers/site/{queue.site_id}/change/",
    )
    watch(opened)
    yield opened
    await contexts.give_back(context)


def watch(desk: Desk) -> None:
    """A page that breaks the content security policy says so on the console."""
    desk.page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    desk.page.on(
        "console",
        lambda message: (
            desk.complaints.append(f"{desk.page.url}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )


@BOTH
async def test_signing_in_is_accessible(desk: Desk) -> None:
    wrong = []
    for address in (
        "/accounts/login/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/signup/",
    ):
        await desk.open(address)
        wrong += await violations(desk.page)
    await desk.sign_in("ada", "wrong")
    wrong += await violations(desk.page)
    assert wrong == []
    assert desk.complaints == []


@BOTH
async def test_so_is_looking_after_an_account(desk: Desk) -> None:
    await desk.sign_in("mona")
    wrong = []
    for address in (
        "/accounts/logout/",
        "/accounts/password/change/",
        "/accounts/2fa/",
    ):
        await desk.open(address)
        wrong += await violations(desk.page)
    await desk.open("/accounts/2fa/totp/activate/")
    if await desk.page.locator("[name=password]").count():
        await desk.page.fill("[name=password]", PASSWORD)
        await desk.page.press("[name=password]", "Enter")
        await desk.page.wait_for_selector("img.qr")
    wrong += await violations(desk.page)
    assert wrong == []
    assert desk.complaints == []


@pytest.mark.parametrize(
    ("language", "scheme", "words"),
    [("en-US", "light", "Print"), ("zh-CN", "dark", "打印")],
)
async def test_so_is_the_story(desk: Desk, scheme: str, words: str) -> None:
    await desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await desk.comes_as("mona")
    await desk.open(desk.story)
    assert await desk.page.locator("[data-print]").inner_text() == words
    assert await violations(desk.page) == []


async def test_so_are_forms_and_lists(desk: Desk) -> None:
    await desk.comes_as("root")
    wrong = []
    for address in ("/admin/helpdesk/transcript/", desk.queue, desk.site):
        await desk.open(address)
        wrong += await violations(desk.page)
    assert wrong == []


async def test_a_period_is_filled_in_by_keyboard(desk: Desk) -> None:
    await desk.comes_as("mona")
    await desk.open("/admin/helpdesk/transcript/")
    listed = desk.page.locator("#result_list tbody tr")
    for since, count in (("2026-05-05", 0), ("2026-05-04", 1)):
        await desk.page.get_by_label("From", exact=True).focus()
        await desk.page.keyboard.type(f"{since[5:7]}{since[8:]}{since[:4]}")
        async with desk.page.expect_navigation(url=f"**since={since}**"):
            await desk.page.keyboard.press("Enter")
        assert await listed.count() == count
    assert desk.complaints == []


async def test_a_customers_script_never_runs(desk: Desk) -> None:
    await desk.comes_as("mona")
    for address in (
        desk.story,
        "/admin/helpdesk/transcript/",
        "/admin/customers/customer/",
    ):
        await desk.open(address)
        assert await desk.page.title() != "canary"
        assert await desk.page.locator("img[src=x]").count() == 0
    assert desk.complaints == []


async def test_the_policy_holds_on_every_page_of_the_back_office(desk: Desk) -> None:
    await desk.comes_as("root")
    for address in (
        "/admin/helpdesk/queue/",
        desk.queue,
        "/admin/helpdesk/transcript/",
        desk.story,
        "/admin/agents/agent/add/",
        "/admin/agents/cannedreply/add/",
        desk.site,
        "/admin/customers/customer/",
    ):
        await desk.open(address)
    assert desk.complaints == []


async def test_so_it_does_when_opening_hours_are_filled_in(desk: Desk) -> None:
    await desk.comes_as("mona")
    await desk.open(desk.queue)
    await desk.page.click("#opening_slots-group .add-row a")
    await desk.page.click("#opening_slots-0 .field-opens .clock-icon")
    await desk.page.click(".clockbox:visible >> text=Noon")
    value = await desk.page.input_value("[name=opening_slots-0-opens]")
    assert value == "12:00:00"
    assert desk.complaints == []


async def test_the_picture_of_a_message_is_shown(desk: Desk) -> None:
    await desk.comes_as("mona")
    await desk.open(desk.story)
    picture = desk.page.locator(".bubble img")
    await picture.scroll_into_view_if_needed()
    assert (
        await picture.evaluate(
            "async image => { await image.decode(); return image.naturalWidth }"
        )
        == 64
    )


async def test_a_printed_story_leaves_the_admin_behind(desk: Desk) -> None:
    await desk.comes_as("mona")
    await desk.open(desk.story)
    await desk.page.emulate_media(media="print")
    assert await desk.page.locator(".bubble").first.is_visible()
    for part in ("#header", "#nav-sidebar", ".story-tools", ".breadcrumbs"):
        assert not await desk.page.locator(part).is_visible(), part


async def test_the_snippet_is_copied_by_a_click(desk: Desk) -> None:
    await desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await desk.comes_as("mona")
    await desk.open(desk.site)
    button = desk.page.locator("[data-copy]")
    before = await button.inner_text()
    await button.click()
    await desk.page.wait_for_function(
        "text => document.querySelector('[data-copy]').textContent.trim() !== text",
        arg=before,
    )
    copied = await desk.page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        rf'<script src="{desk.url}/widget.js" data-site="acme" async></script>', copied
    )


async def test_the_numbers_of_a_queue_follow(desk: Desk, contexts: Contexts) -> None:
    contexts.spoil(desk.page.context)
    await desk.page.clock.install()
    await desk.comes_as("mona")
    await desk.open("/admin/helpdesk/queue/")
    number = desk.page.locator("[data-number=waiting]")
    assert await number.inner_text() == "0"
    await stored(somebody_waits)
    async with desk.page.expect_response("**/numbers/"):
        await desk.page.clock.fast_forward(6000)
    await desk.page.wait_for_function(
        "document.querySelector('[data-number=waiting]').textContent === '1'"
    )


def somebody_waits() -> None:
    queue = Queue.objects.get(name="Sales")
    conversation(
        queue,
        state="waiting",
        outcome="",
        started_at=None,
        ended_at=None,
        waiting_since=NOON,
    )
