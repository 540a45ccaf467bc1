"""The agents' dashboard, as agents use it: mostly by keyboard."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from PIL import Image
from playwright.async_api import (
    BrowserContext,
    FilePayload,
    Locator,
    Page,
    ViewportSize,
    WebSocketRoute,
    expect,
)

from agents.models import Agent, CannedReply
from helpdesk.models import Conversation, Message
from tests.back_office import PASSWORD
from tests.browser.barriers import barriers, violations
from tests.browser.contexts import Contexts, page_of
from tests.people import Customer
from tests.shop import Shop, change, stored, texts

expect.set_options(timeout=20_000)  # two cores may be busy with other tests

CANARY = "<img src=x onerror=document.title='canary'>"
CART = {"url": "https://shop.example/cart", "title": "Cart"}
SLOW = "closed before the connection is established"  # a busy machine, tried again
LOST = 4012  # after which a client tries again
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 780}


@dataclass
class Screen:
    """An agent's dashboard in a browser of its own, and what went wrong in it."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    forgiven: re.Pattern[str] | None = None

    # --- places

    @property
    def composer(self) -> Locator:
        return self.page.locator("textarea")

    @property
    def messages(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def notice(self) -> Locator:
        return self.page.locator(".notice")

    def mine(self, name: str) -> Locator:
        return self.page.locator(".row:not(.in-line) a", has_text=name)

    def in_line(self, name: str) -> Locator:
        return self.page.locator(".in-line", has_text=name)

    def bubble(self, text: str) -> Locator:
        return self.messages.locator(".bubble", has_text=text)

    # --- what the agent does

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def write(self, text: str) -> None:
        """Into whatever has the keyboard."""
        await self.page.keyboard.type(text)

    async def passes(self, seconds: int) -> None:
        """For the page, which was opened with a wire."""
        await self.page.clock.fast_forward(seconds * 1000)

    async def has_keyboard(self, place: Locator) -> None:
        await expect(place).to_be_focused()


Open = Callable[..., Any]


@pytest.fixture
async def opens(shop: Shop, contexts: Contexts) -> AsyncIterator[Open]:
    """`await opens(shop.ada)`: the agent's dashboard, ready. When the test ends, none
    of them may have complained: no error, nothing that the content security policy
    forbids."""
    screens: list[Screen] = []

    async def open(agent: Agent, *, wire: Wire | None = None, **options: Any) -> Screen:
        options = {"viewport": WIDE, "locale": "en-US"} | options
        context = await contexts.take(**options)
        await sign_in(context, shop, agent.user)
        screen = Screen(context, await page_of(context))
        screens.append(screen)
        watch(screen)
        if wire:
            contexts.spoil(context)
            await screen.page.clock.install()
            await screen.page.route_web_socket("**/ws/agent/", wire.carry)
        await screen.page.goto(f"{shop.server.url}/agents/")
        await expect(screen.page.locator(".status .load")).to_be_visible()
        return screen

    yield open
    for screen in screens:
        await contexts.give_back(screen.context)
        complaints = [
            each
            for each in screen.complaints
            if not (screen.forgiven and screen.forgiven.search(each))
        ]
        assert complaints == []


async def sign_in(context: BrowserContext, shop: Shop, user: User) -> None:
    name, _, value = (await shop.cookie(user)).partition("=")
    await context.add_cookies([{"name": name, "value": value, "url": shop.server.url}])


def watch(screen: Screen) -> None:
    """A page that breaks the content security policy says so on the console."""
    screen.page.on("pageerror", lambda error: screen.complaints.append(str(error)))
    screen.page.on(
        "console",
        lambda message: (
            screen.complaints.append(message.text)
            if message.type in ("error", "warning") and SLOW not in message.text
            else None
        ),
    )


async def cora_waits(
    shop: Shop, text: str = "My invoice is wrong.", **facts: Any
) -> Customer:
    """In the line from which agents take."""
    cora = await shop.customer(page=CART)
    await cora.starts(text, queue=str(shop.billing.pk), **{"name": "Cora Lee"} | facts)
    return cora


async def cora_talks(
    shop: Shop, opens: Open, **options: Any
) -> tuple[Customer, Screen]:
    """With Ada, who has the conversation open."""
    ada = await opens(shop.ada, **options)
    cora = await cora_waits(shop)
    await expect(ada.in_line("Cora Lee")).to_be_visible()
    await ada.press("Alt+KeyT")
    await expect(ada.composer).to_be_visible()
    await ada.has_keyboard(ada.composer)
    return cora, ada


def reply(shortcut: str, text: str) -> None:
    CannedReply.objects.create(shortcut=shortcut, text=text)


# --- a day at the desk


async def test_an_agent_signs_in_and_sees_the_desk(shop: Shop, page: Page) -> None:
    await page.goto(f"{shop.server.url}/agents/")
    await page.fill("[name=login]", "ada")
    await page.fill("[name=password]", PASSWORD)
    await page.press("[name=password]", "Enter")
    await expect(page.locator(".status .load")).to_contain_text("0/4")
    await expect(page.get_by_role("heading", name="All quiet")).to_be_visible()


async def test_an_agent_takes_answers_notes_and_ends_by_keyboard_alone(
    shop: Shop, opens: Open
) -> None:
    await stored(reply, "sorry", "Sorry, {name}. {agent} looks into it.")
    ada: Screen = await opens(shop.ada)
    cora = await cora_waits(shop)
    await expect(ada.in_line("Cora Lee")).to_contain_text("1")

    await ada.press("Alt+KeyT")
    await cora.sees(state="active")
    await ada.has_keyboard(ada.composer)
    await ada.write("Hello Cora")
    await ada.press("Shift+Enter")
    await ada.write("one moment")
    await ada.press("Enter")
    await cora.hears_message("Hello Cora\none moment")

    await ada.press("Alt+KeyM")
    await ada.write("She is a good customer")
    await ada.press("Enter", "Alt+KeyM")
    await expect(ada.bubble("good customer")).to_be_visible()

    await ada.write("/sor")
    await expect(ada.page.get_by_role("option")).to_contain_text("/sorry")
    await ada.press("Enter")
    await expect(ada.composer).to_have_value("Sorry, Cora Lee. Ada looks into it.")
    await ada.press("Enter")
    await cora.hears_message("Sorry, Cora Lee. Ada looks into it.")

    await ada.press("Alt+KeyE")
    await expect(ada.page.get_by_role("dialog")).to_contain_text("Cora Lee")
    await ada.press("ArrowDown", "Enter")
    ended = await cora.sees(state="ended")
    assert ended["outcome"] == "missed"
    await expect(ada.composer).to_have_count(0)
    assert await stored(texts, ended["id"]) == [
        "My invoice is wrong.",
        "Hello Cora\none moment",
        "She is a good customer",
        "Sorry, Cora Lee. Ada looks into it.",
    ]
    assert all("good customer" not in str(frame) for frame in cora.heard)


async def test_two_agents_see_the_same_line_and_one_take_wins(
    shop: Shop, opens: Open
) -> None:
    cora = await cora_waits(shop)
    ada, ben = await asyncio.gather(opens(shop.ada), opens(shop.ben))
    for screen in (ada, ben):
        await expect(screen.in_line("Cora Lee")).to_be_visible()
    await asyncio.gather(ada.press("Alt+KeyT"), ben.press("Alt+KeyT"))
    holder = (await cora.sees(state="active"))["agent"]["name"]
    winner, loser = (ada, ben) if holder == "Ada" else (ben, ada)
    await expect(winner.mine("Cora Lee")).to_be_visible()
    await expect(winner.composer).to_be_visible()
    await expect(loser.in_line("Cora Lee")).to_have_count(0)
    await expect(loser.mine("Cora Lee")).to_have_count(0)
    await expect(loser.composer).to_have_count(0)


async def test_the_line_can_be_read_before_it_is_taken(shop: Shop, opens: Open) -> None:
    await cora_waits(shop)
    ada: Screen = await opens(shop.ada)
    await ada.in_line("Cora Lee").locator("a").click()
    await expect(ada.bubble("My invoice is wrong.")).to_be_visible()
    await expect(ada.composer).to_have_count(0)
    await expect(ada.page.get_by_text("Not proven")).to_be_visible()
    await expect(ada.page.locator(".about .page")).to_have_attribute(
        "href", "https://shop.example/cart"
    )


async def test_who_is_no_agent_gets_kind_words(
    shop: Shop, context: BrowserContext, page: Page
) -> None:
    mallory = await stored(User.objects.create_user, "mallory", password=PASSWORD)
    await sign_in(context, shop, mallory)
    answer = await page.goto(f"{shop.server.url}/agents/")
    assert answer is not None
    assert answer.status == 403
    await expect(page.get_by_role("heading")).to_have_text("You are not an agent yet")
    assert await violations(page) == []


async def test_somebody_who_was_signed_out_is_told(shop: Shop, opens: Open) -> None:
    ada: Screen = await opens(shop.ada)
    await stored(change, shop.ada.user, is_active=False)
    await expect(ada.page.locator(".banner")).to_contain_text("You are signed out")
    link = ada.page.get_by_role("link", name="Sign in again")
    await expect(link).to_have_attribute("href", "/accounts/login/?next=%2Fagents%2F")


async def test_an_offer_rings_until_it_is_accepted_by_a_key(
    shop: Shop, opens: Open
) -> None:
    await stored(change, shop.sales, delivery="offer")
    ada: Screen = await opens(shop.ada)
    cora = await shop.customer()
    await cora.starts("Hello?", name="Cora Lee")
    card = ada.page.locator(".offer")
    await expect(card).to_contain_text("Cora Lee")
    assert await violations(ada.page) == []
    await ada.press("Alt+KeyA")
    await cora.sees(state="active")
    await ada.has_keyboard(ada.composer)
    await expect(ada.bubble("Hello?")).to_be_visible()
    await expect(card).to_have_count(0)


async def test_a_declined_offer_goes_to_the_next_agent(shop: Shop, opens: Open) -> None:
    await stored(change, shop.sales, delivery="offer")
    ada, ben = await asyncio.gather(opens(shop.ada), opens(shop.ben))
    cora = await shop.customer()
    await cora.starts("Hello?", name="Cora Lee")
    first, second = await whoever_is_asked(ada, ben)
    await first.press("Escape")
    await expect(second.page.locator(".offer")).to_contain_text("Cora Lee")
    await expect(first.page.locator(".offer")).to_have_count(0)


async def test_a_conversation_is_given_to_a_colleague_with_a_note(
    shop: Shop, opens: Open
) -> None:
    cora, ada = await cora_talks(shop, opens)
    ben: Screen = await opens(shop.ben)
    colleague = ada.page.locator(".colleagues li")
    await expect(colleague).to_contain_text("Online · Connected")
    await ada.press("Alt+KeyG")
    await expect(ada.page.get_by_role("radio", name="Ben")).to_be_checked()
    await ada.page.get_by_label("Note for whoever takes it").fill("A good customer")
    assert await violations(ada.page) == []
    await ada.page.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    await expect(ada.page.locator(".talk-head")).to_contain_text("waits for Ben")
    await expect(ben.page.locator(".offer")).to_contain_text("A good customer")
    await ben.press("Enter")
    await ben.has_keyboard(ben.composer)
    await expect(ben.bubble("My invoice is wrong.")).to_be_visible()
    await expect(ada.composer).to_have_count(0)
    await expect(ada.mine("Cora Lee")).to_have_count(0)
    assert all("good customer" not in str(frame) for frame in cora.heard)


async def test_tags_are_put_on_and_taken_off(shop: Shop, opens: Open) -> None:
    cora, ada = await cora_talks(shop, opens)
    conversation = (await cora.sees(state="active"))["id"]
    await ada.page.get_by_label("Add a tag").fill("refund")
    await ada.press("Enter")
    await expect(ada.page.locator(".tags .tag")).to_have_text(re.compile("refund"))
    assert (await stored(tags_of, conversation)) == ["refund"]
    await ada.page.get_by_role("button", name="Remove refund").click()
    await expect(ada.page.locator(".tags .tag")).to_have_count(0)


# --- messages


async def test_marks_tell_sent_from_read(shop: Shop, opens: Open) -> None:
    cora, ada = await cora_talks(shop, opens)
    await ada.write("Hello")
    await ada.press("Enter")
    await expect(ada.messages.locator(".own .meta")).to_contain_text("Sent")
    await cora.say("message.read", seq=3)
    await expect(ada.messages.locator(".own .meta")).to_contain_text("Read")


async def test_what_is_written_offline_goes_out_by_itself(
    shop: Shop, opens: Open
) -> None:
    wire = Wire()
    cora, ada = await cora_talks(shop, opens, wire=wire)
    await wire.cut()
    await ada.write("Are you there?")
    await ada.press("Enter")
    await expect(ada.messages).to_contain_text("Waits for the connection")
    await ada.passes(4)
    await expect(ada.page.locator(".banner")).to_contain_text("No connection")
    wire.is_up = True
    await ada.passes(30)
    await cora.hears_message("Are you there?")
    await expect(ada.messages).not_to_contain_text("Waits for the connection")
    await expect(ada.page.locator(".banner")).to_have_count(0)


async def test_what_was_said_meanwhile_is_there_after_a_reconnect(
    shop: Shop, opens: Open
) -> None:
    wire = Wire()
    cora, ada = await cora_talks(shop, opens, wire=wire)
    await wire.cut()
    await cora.posts("Hello?")
    await cora.posts("Anybody?")
    wire.is_up = True
    await ada.passes(30)
    await expect(ada.messages.locator(".them .bubble")).to_have_text(
        ["My invoice is wrong.", "Hello?", "Anybody?"]
    )


async def test_a_draft_is_kept_for_each_conversation_and_over_a_reload(
    shop: Shop, opens: Open
) -> None:
    _, ada = await cora_talks(shop, opens)
    await cora_waits(shop, name="Eve")
    await ada.write("Half a sen")
    await expect(ada.in_line("Eve")).to_be_visible()
    await ada.press("Alt+KeyT")
    await expect(ada.composer).to_have_value("")
    await expect(ada.mine("Cora Lee")).to_contain_text("Draft: Half a sen")
    await ada.mine("Cora Lee").click()
    await expect(ada.composer).to_have_value("Half a sen")
    await ada.page.reload()
    await expect(ada.composer).to_have_value("Half a sen")


async def test_files_are_shown_sent_and_can_be_taken_out(
    shop: Shop, opens: Open
) -> None:
    cora, ada = await cora_talks(shop, opens)
    files = [png("cat.png"), png("dog.png")]
    await ada.page.set_input_files("input[type=file]", files)
    await ada.page.get_by_role("button", name="Remove dog.png").click()
    await expect(ada.page.locator(".parcels li")).to_have_count(1)
    await ada.composer.focus()
    await ada.write("See")
    await ada.press("Enter")
    said = await cora.hears_message("See")
    assert [each["name"] for each in said["attachments"]] == ["cat.png"]
    shown = ada.messages.get_by_role("img", name="cat.png")
    await expect(shown).to_be_visible()
    assert await shown.evaluate(
        "image => image.decode().then(() => image.naturalWidth)"
    )


async def test_a_file_of_the_wrong_kind_says_why(shop: Shop, opens: Open) -> None:
    _, ada = await cora_talks(shop, opens)
    ada.forgiven = re.compile("status of 415")
    page = FilePayload(name="cat.png", mimeType="image/png", buffer=b"<script>")
    await ada.page.set_input_files("input[type=file]", page)
    parcel = ada.page.locator(".parcels")
    await expect(parcel.get_by_role("alert")).to_contain_text("not taken")


async def test_what_customers_write_is_text(shop: Shop, opens: Open) -> None:
    ada: Screen = await opens(shop.ada)
    cora = await shop.customer(
        page={"url": "javascript:alert(1)", "title": CANARY, "referrer": "data:x"}
    )
    await cora.starts(CANARY, name=CANARY, fields={CANARY: CANARY})
    await ada.mine("onerror").click()
    await expect(ada.bubble(CANARY)).to_be_visible()
    await expect(
        ada.page.locator("[href^='javascript'], [href^='data']")
    ).to_have_count(0)
    assert await ada.page.locator("img[src='x']").count() == 0
    assert "canary" not in await ada.page.title()


async def test_links_open_elsewhere_and_tell_nothing(shop: Shop, opens: Open) -> None:
    cora, ada = await cora_talks(shop, opens)
    await cora.posts("See https://shop.example/x.")
    link = ada.messages.get_by_role("link", name="https://shop.example/x")
    await expect(link).to_have_attribute("target", "_blank")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_earlier_messages_are_fetched_and_the_reader_stays_there(
    shop: Shop, opens: Open
) -> None:
    cora, ada = await cora_talks(shop, opens)
    conversation = (await cora.sees(state="active"))["id"]
    await stored(write_many, conversation, 250)
    await ada.page.reload()
    await expect(ada.bubble("line 249")).to_be_visible()
    earlier = ada.page.get_by_role("button", name="Earlier messages")
    await earlier.click()
    await expect(ada.messages.locator(".bubble")).to_have_count(251)
    assert await ada.messages.evaluate("log => log.scrollTop") > 500
    await expect(earlier).to_have_count(0)


# --- calm


async def test_a_frame_steals_neither_focus_nor_place(shop: Shop, opens: Open) -> None:
    await cora_waits(shop)
    ada: Screen = await opens(shop.ada)
    search = ada.page.get_by_role("button", name="Search or jump to")
    await ada.in_line("Cora Lee").locator("a").click()
    await search.focus()
    await shop.customer()
    eve = await shop.customer()
    await eve.starts("Hello?", name="Eve")  # goes to Ada by itself
    await expect(ada.mine("Eve")).to_be_visible()
    await ada.has_keyboard(search)
    await expect(ada.bubble("My invoice is wrong.")).to_be_visible()


async def test_a_reader_of_old_messages_is_not_thrown_to_the_newest(
    shop: Shop, opens: Open
) -> None:
    cora, ada = await cora_talks(shop, opens)
    for n in range(25):  # a customer's burst is 30
        await cora.posts(f"line {n}")
    await expect(ada.bubble("line 24")).to_be_in_viewport()
    await ada.messages.evaluate("log => log.scrollTop = 0")
    await expect(ada.page.get_by_role("button", name="Newest")).to_be_visible()
    await cora.posts("And one more")
    await expect(ada.bubble("And one more")).to_be_attached()
    await expect(ada.bubble("And one more")).not_to_be_in_viewport()
    await ada.page.get_by_role("button", name="Newest").click()
    await expect(ada.bubble("And one more")).to_be_in_viewport()


async def test_unread_conversations_are_bold_counted_and_one_key_away(
    shop: Shop, opens: Open
) -> None:
    ada: Screen = await opens(shop.ada)
    cora = await shop.customer()
    await cora.starts("Hello?", name="Cora Lee")
    await expect(ada.mine("Cora Lee").locator(".badge")).to_contain_text("1")
    await expect(ada.page).to_have_title("(1) Desk · Helpdesk")
    await ada.press("Alt+KeyN")
    await expect(ada.bubble("Hello?")).to_be_visible()
    await expect(ada.page).to_have_title("Desk · Helpdesk")
    seen = await cora.sees(read={"customer": 0, "agent": 2})
    assert seen["state"] == "active"


async def test_the_switcher_finds_by_name_and_words(shop: Shop, opens: Open) -> None:
    _, ada = await cora_talks(shop, opens)
    await cora_waits(shop, name="Eve Adams", text="Other")
    await expect(ada.in_line("Eve")).to_be_visible()
    await ada.press("Control+KeyK")
    await ada.write("eve")
    await expect(ada.page.get_by_role("option")).to_have_count(1)
    await ada.press("Enter")
    await expect(
        ada.page.get_by_role("heading", name="Eve Adams").first
    ).to_be_visible()
    await ada.press("Control+KeyK")
    await ada.write("invoice")
    await expect(ada.page.get_by_role("option")).to_have_count(1)
    await ada.press("Enter")
    await ada.has_keyboard(ada.composer)
    await expect(ada.bubble("My invoice is wrong.")).to_be_visible()


async def test_single_keys_are_letters_while_one_writes_and_can_be_switched_off(
    shop: Shop, opens: Open
) -> None:
    _, ada = await cora_talks(shop, opens)
    await ada.write("Why?")
    await expect(ada.composer).to_have_value("Why?")
    await ada.press("Escape", "?")
    await expect(ada.page.get_by_role("dialog")).to_contain_text("Take the first")
    await ada.press("Escape")
    await ada.page.get_by_role("button", name="Settings").click()
    await ada.page.get_by_role("switch", name="Shortcuts of a single key").click()
    await ada.press("Escape", "?")
    await expect(ada.page.get_by_role("dialog")).to_have_count(0)


async def test_colleagues_see_who_is_away_and_why(shop: Shop, opens: Open) -> None:
    ada, ben = await asyncio.gather(opens(shop.ada), opens(shop.ben))
    await ada.page.locator(".status > button").click()
    await ada.page.get_by_label("Why you are away").fill("Lunch")
    await ada.press("Enter")
    colleague = ben.page.locator(".colleagues li", has_text="Ada")
    await expect(colleague).to_contain_text("Away · Connected · Active · Lunch")
    await ada.page.close()
    await expect(colleague).to_contain_text("Not connected")


async def test_a_conversation_that_the_customer_ended_stays_until_it_is_left(
    shop: Shop, opens: Open
) -> None:
    cora, ada = await cora_talks(shop, opens)
    await cora.ask("conversation.end")
    await expect(ada.page.locator(".instead")).to_contain_text("has ended")
    await ada.has_keyboard(ada.messages)
    await cora.ask("conversation.rate", score=4)
    await expect(ada.page.get_by_role("img", name="4 of 5")).to_be_visible()
    await ada.page.evaluate("location.hash = '#/'")
    await expect(ada.mine("Cora Lee")).to_have_count(0)


# --- small screens, other eyes


async def test_on_a_phone_the_browsers_back_leads_to_the_list(
    shop: Shop, opens: Open
) -> None:
    await cora_waits(shop)
    ada: Screen = await opens(shop.ada, viewport=PHONE, has_touch=True)
    await ada.in_line("Cora Lee").locator("a").click()
    await expect(ada.messages).to_be_visible()
    await expect(ada.page.get_by_role("navigation")).to_be_hidden()
    await ada.page.get_by_role("link", name="About the customer").click()
    await expect(ada.page.get_by_role("heading", name="On the page")).to_be_visible()
    await ada.page.go_back()
    await expect(ada.messages).to_be_visible()
    await ada.page.go_back()
    await expect(ada.page.get_by_role("navigation")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE, {"width": 640, "height": 400}])
async def test_nothing_is_cut_off_at_the_side(
    shop: Shop, opens: Open, size: Any
) -> None:
    """640 × 400 is what 1280 × 800 leaves at 200 % zoom."""
    long = "Donaudampfschiffahrtsgesellschaft" * 4
    ada: Screen = await opens(shop.ada, viewport=size)
    cora = await shop.customer(page={"url": f"https://x.example/{long}", "title": long})
    await cora.starts(long, name=long[:80], email=f"{long[:60]}@example.com")
    first = await ada.page.locator("[data-row]").first.get_attribute("href")
    for place in ("talk", "about"):
        address = f"{first}/about" if place == "about" else first
        await ada.page.evaluate("to => location.hash = to", address)
        await expect(ada.page.locator(f"[data-shows={place}]")).to_be_visible()
        wide = "[document.documentElement.scrollWidth, innerWidth]"
        scroll, inner = await ada.page.evaluate(wide)
        assert scroll <= inner


@pytest.fixture(params=["en-US", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_waiting_is_no_barrier(shop: Shop, opens: Open, language: str) -> None:
    ada: Screen = await opens(shop.ada, locale=language)
    found = await barriers(ada.page, "all quiet")
    await cora_waits(shop)
    await ada.in_line("Cora Lee").locator("a").click()
    await expect(ada.bubble("My invoice is wrong.")).to_be_visible()
    found += await barriers(ada.page, "reading along")
    await ada.page.locator(".status > button").click()
    found += await barriers(ada.page, "status")
    assert found == []


async def test_talking_is_no_barrier(shop: Shop, opens: Open, language: str) -> None:
    await stored(reply, "hello", "Hello {name}")
    cora, ada = await cora_talks(shop, opens, locale=language)
    await ada.write("Hello https://shop.example/")
    await ada.press("Enter", "Alt+KeyM")
    await ada.write("Our mistake")
    await ada.press("Enter")
    await cora.posts("Thanks")
    await cora.say("typing", on=True)
    await expect(ada.messages.locator(".typing")).to_be_visible()
    found = await barriers(ada.page, "talking, writing a note")
    await ada.press("Alt+KeyM")
    await ada.write("/")
    await expect(ada.page.get_by_role("option")).to_be_visible()
    found += await barriers(ada.page, "canned replies")
    assert found == []


async def test_the_dialogs_are_no_barrier(
    shop: Shop, opens: Open, language: str
) -> None:
    _, ada = await cora_talks(shop, opens, locale=language)
    dialog, found = ada.page.get_by_role("dialog"), []
    for keys in (["Alt+KeyE"], ["Alt+KeyG"], ["Control+KeyK"], ["Escape", "?"]):
        await ada.press(*keys)
        await expect(dialog).to_be_visible()
        found += await barriers(ada.page, keys[-1])
        await ada.press("Escape")
        await expect(dialog).to_have_count(0)
    await ada.page.locator(".rail-foot button").first.click()
    await expect(dialog).to_be_visible()
    assert found + await barriers(ada.page, "settings") == []


async def test_an_ended_conversation_and_a_phone_are_no_barrier(
    shop: Shop, opens: Open, language: str
) -> None:
    cora, ada = await cora_talks(shop, opens, locale=language)
    await cora.ask("conversation.end")
    await expect(ada.page.locator(".instead")).to_be_visible()
    found = await barriers(ada.page, "ended")
    await ada.page.set_viewport_size(PHONE)
    found += await barriers(ada.page, "ended, on a phone")
    await ada.page.evaluate("location.hash += '/about'")
    found += await barriers(ada.page, "the customer, on a phone")
    await ada.page.evaluate("location.hash = '#/'")
    assert found + await barriers(ada.page, "the list, on a phone") == []


async def test_chinese_agents_read_no_english(shop: Shop, opens: Open) -> None:
    ada: Screen = await opens(shop.ada, locale="zh-CN")
    await expect(ada.page.get_by_role("heading", name="一切安静")).to_be_visible()
    words = await ada.page.locator("main").inner_text()
    names = r"Ada|Ben|Sales|Billing|Ctrl K|A|B"
    assert re.findall(r"[A-Za-z]{2,}", re.sub(names, "", words)) == []


# --- what the tests above need


class Wire:
    """The network between a page and the desk, to be cut."""

    def __init__(self) -> None:
        self.is_up = True
        self.open: list[WebSocketRoute] = []

    async def carry(self, page_side: WebSocketRoute) -> None:
        if not self.is_up:
            await page_side.close(code=LOST)
            return
        self.open += [page_side, page_side.connect_to_server()]

    async def cut(self) -> None:
        self.is_up = False
        for side in self.open:
            await side.close(code=LOST)
        self.open.clear()


async def whoever_is_asked(ada: Screen, ben: Screen) -> tuple[Screen, Screen]:
    """Whose screen rings, and the other one's."""
    rings = {
        asyncio.ensure_future(each.page.wait_for_selector(".offer")): each
        for each in (ada, ben)
    }
    done, waiting = await asyncio.wait(rings, return_when=asyncio.FIRST_COMPLETED)
    for other in waiting:
        other.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    first = rings[done.pop()]
    return (ada, ben) if first is ada else (ben, ada)


def tags_of(conversation: str) -> list[str]:
    return list(Conversation.objects.get(pk=conversation).tags)


def png(name: str) -> FilePayload:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")
    return FilePayload(name=name, mimeType="image/png", buffer=file.getvalue())


def write_many(conversation: str, many: int) -> None:
    """As many messages of the customer's, as if they had been said."""
    row = Conversation.objects.get(pk=conversation)
    last = Message.objects.filter(conversation=row).latest("place")
    Message.objects.bulk_create(
        Message(
            conversation=row,
            place=row.seq + n + 1,
            seq=row.seq + n + 1,
            notes=0,
            client_id=f"many-{n:04}",
            kind="text",
            author="customer",
            sender=row.customer_id,
            text=f"line {n}",
            at=last.at,
        )
        for n in range(many)
    )
    change(row, seq=row.seq + many)
