"""Every screen in every look, to be looked at by people: `make shots`.

Not a test, and not collected as one; but it opens the same pages in the same way.
Writes PNG files named <screen>-<width>-<scheme>-<language> into shots/.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.async_api import Page, expect

from helpdesk import followups
from helpdesk.models import Conversation, QueueMembership
from tests.browser.barriers import AT_REST, SCHEMES
from tests.browser.test_admin import Desk, desk  # noqa: F401
from tests.browser.test_dashboard import (  # noqa: F401
    Open,
    Screen,
    cora_talks,
    cora_waits,
    opens,
    reply,
)
from tests.browser.test_widget import (  # noqa: F401
    cora_waits as cora_waits_outside,
)
from tests.browser.test_widget import host, picture, talk, visitor  # noqa: F401
from tests.browser.visitors import Opens, Visitor
from tests.shop import Shop, change, stored

FOLDER = Path(os.environ.get("SHOTS", settings.BASE_DIR / "shots"))
SIZES = {1280: 800, 390: 844}


@pytest.fixture(params=["en", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Camera:
    def __init__(self, language: str) -> None:
        self.language = language
        FOLDER.mkdir(exist_ok=True)

    async def take(self, screen: str, page: Page) -> None:
        for width, height in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                for frame in page.frames:
                    await frame.evaluate(AT_REST)
                name = f"{screen}-{width}-{scheme}-{self.language[:2]}.png"
                await page.screenshot(path=FOLDER / name)
        await page.set_viewport_size({"width": 1280, "height": 800})


@pytest.fixture
def camera(language: str) -> Camera:
    return Camera(language)


# --- the widget


async def test_before_and_in_line(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    camera: Camera,
) -> None:
    await stored(change, shop.site, consent="I agree that you store what I write.")
    cora: Visitor = await visitor(lang=camera.language)
    await camera.take("widget-launcher", cora.page)
    await cora.opens_chat()
    await camera.take("widget-start", cora.page)
    await cora.chat.locator("[name=consent]").check()
    await cora.starts("My invoice is wrong.", queue="Billing", name="Cora Lee")
    await expect(cora.log.locator(".line")).to_be_visible()
    await camera.take("widget-line", cora.page)
    await cora.log.locator(".line .link").click()
    await camera.take("widget-leave", cora.page)


async def test_closed(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    camera: Camera,
) -> None:
    for queue in (shop.sales, shop.billing):
        await stored(change, queue, is_open=False)
    cora: Visitor = await visitor(lang=camera.language)
    await cora.opens_chat()
    await camera.take("widget-closed", cora.page)
    await cora.chat.locator("[name=name]").fill("Cora Lee")
    await cora.chat.locator("[name=email]").fill("cora@example.com")
    await cora.says("Do you ship to Norway?")
    await expect(cora.bubble("Norway")).to_be_visible()
    await camera.take("widget-left", cora.page)


async def test_talking(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    camera: Camera,
) -> None:
    cora, ada, here = await talk(shop, visitor, lang=camera.language)
    await ada.posts(here, "Hello Cora! How can I help? See https://shop.example/cups")
    await cora.says("The cup arrived broken.")
    await cora.chat.locator("input[type=file]").set_input_files([picture()])
    await expect(cora.chat.locator(".drafts progress")).to_have_count(0)
    await cora.says("It looks like this.")
    await ada.say("message.read", conversation=here, seq=9)
    await ada.posts(here, "Oh no! I send you a new one today.")
    await ada.say("typing", conversation=here, on=True)
    await expect(cora.log.locator(".typing")).to_be_visible()
    await camera.take("widget-talk", cora.page)
    await cora.chat.locator("#menu-button").click()
    await camera.take("widget-menu", cora.page)
    await cora.page.keyboard.press("Escape")
    await ada.ends(here)
    await expect(cora.chat.locator(".stars")).to_be_visible()
    await camera.take("widget-ended", cora.page)


async def test_agent_lost(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    camera: Camera,
) -> None:
    cora, _, here = await talk(shop, visitor, lang=camera.language)

    def say_lost() -> None:
        from helpdesk import conversations

        row = Conversation.objects.get(pk=here)
        conversations.say_event(row, "agent_lost", "?", {"name": "Ada"})

    await stored(say_lost)
    await expect(cora.log.locator(".system").last).to_contain_text("Ada")
    await camera.take("widget-lost", cora.page)


async def test_resume(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    camera: Camera,
) -> None:
    cora, _, here = await talk(shop, visitor, lang=camera.language)
    row = await stored(Conversation.objects.get, pk=here)
    link = await stored(followups.resume_link, row)
    where = shop.server.url + link[link.index("/widget/") :]
    await cora.page.goto(where)
    await cora.page.get_by_text("Hello?").wait_for()
    await camera.take("resume", cora.page)
    await cora.page.goto("about:blank")
    cora.forgiven = re.compile("401")
    await cora.page.goto(where.partition("#")[0] + "#nothing")
    await cora.page.get_by_role("alert").wait_for()
    await camera.take("resume-refused", cora.page)


# --- the dashboard


async def test_desk(
    shop: Shop,
    opens: Open,  # noqa: F811
    camera: Camera,
) -> None:
    await stored(reply, "hello", "Hello {name}")
    quiet: Screen = await opens(shop.ben, locale=camera.language)
    await camera.take("desk-quiet", quiet.page)
    cora, ada = await cora_talks(shop, opens, locale=camera.language)
    await ada.write("Hello! Let me look: https://shop.example/")
    await ada.press("Enter", "Alt+KeyM")
    await ada.write("A good customer, be generous")
    await ada.press("Enter", "Alt+KeyM")
    await cora.posts("Thanks, I wait.")
    for name in ("Deng Wei", "Eve Stone"):
        await cora_waits(shop, f"It is {name}. Is anybody there?", name=name)
    await cora.say("typing", on=True)
    await expect(ada.messages.locator(".typing")).to_be_visible()
    await camera.take("desk-talk", ada.page)
    for key, name in {
        "Alt+KeyE": "end",
        "Alt+KeyG": "transfer",
        "Control+KeyK": "jump",
    }.items():
        await ada.press(key)
        await expect(ada.page.get_by_role("dialog")).to_be_visible()
        await camera.take(f"desk-{name}", ada.page)
        await ada.press("Escape")
    await ada.page.locator(".rail-foot button").first.click()
    await camera.take("desk-settings", ada.page)
    await ada.press("Escape")
    await ada.press("Escape", "?")
    await camera.take("desk-keys", ada.page)
    await ada.press("Escape")
    await ada.page.evaluate("location.hash += '/about'")
    await camera.take("desk-about", ada.page)
    await ada.page.evaluate("location.hash = '#/'")
    await camera.take("desk-list", ada.page)


async def test_offer(
    shop: Shop,
    opens: Open,  # noqa: F811
    camera: Camera,
) -> None:
    await stored(change, shop.sales, delivery="offer")
    ada: Screen = await opens(shop.ada, locale=camera.language)
    cora = await shop.customer()
    await cora.starts("Is the teapot in stock?", name="Cora Lee")
    await expect(ada.page.locator(".offer")).to_be_visible()
    await camera.take("desk-offer", ada.page)


async def test_board(
    shop: Shop,
    opens: Open,  # noqa: F811
    camera: Camera,
) -> None:
    def promote() -> None:
        seats: Any = QueueMembership.objects.filter(agent=shop.ben)
        seats.update(role=QueueMembership.Role.SUPERVISOR)

    await stored(promote)
    ada = await shop.agent(shop.ada)
    cora = await cora_waits(shop)
    await ada.takes(str(cora.heard[-1]["conversation"]["id"]))
    await cora_waits(shop, "And me?", name="Deng Wei")
    ben: Screen = await opens(shop.ben, locale=camera.language)
    await ben.press("Alt+KeyB")
    await expect(ben.page.locator(".board")).to_be_visible()
    await camera.take("desk-board", ben.page)
    await ben.page.locator(".chip", has_text="Cora Lee").click()
    await expect(ben.page.locator(".talk-head .watched")).to_be_visible()
    await camera.take("desk-watch", ben.page)


# --- the back office


async def test_back_office(desk: Desk, camera: Camera) -> None:  # noqa: F811
    await desk.open("/accounts/login/")
    await camera.take("login", desk.page)
    await desk.sign_in("root")
    for name, address in {
        "admin": "/admin/",
        "admin-story": desk.story,
        "admin-transcripts": "/admin/helpdesk/transcript/",
        "admin-queue": desk.queue,
        "admin-site": desk.site,
        "admin-agents": "/admin/agents/agent/",
    }.items():
        await desk.open(address)
        await camera.take(name, desk.page)
