"""What supervisors do at the dashboard, and what agents do not."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from playwright.async_api import Locator, expect

from agents.models import Agent
from customers.models import Customer as Person
from helpdesk.models import Conversation, Queue, QueueMembership
from tests.browser.barriers import barriers
from tests.browser.test_dashboard import (  # noqa: F401
    PHONE,
    WIDE,
    Open,
    Screen,
    Wire,
    cora_waits,
    language,
    opens,
)
from tests.people import Agent as Colleague
from tests.people import Customer
from tests.shop import Shop, change, stored

MANY = 300
NOTIFICATIONS = """() => {
  window.told = []
  document.hasFocus = () => false
  window.Notification = class {
    static permission = "granted"
    static requestPermission = async () => "granted"
    constructor(title) { window.told.push(title) }
  }
}"""


def supervises(agent: Agent, queue: Queue) -> None:
    seat = QueueMembership.objects.filter(agent=agent, queue=queue)
    seat.update(role=QueueMembership.Role.SUPERVISOR)


async def ada_has_cora(shop: Shop) -> tuple[Colleague, Customer, str]:
    """In Billing, which Ben supervises."""
    await stored(supervises, shop.ben, shop.billing)
    ada = await shop.agent(shop.ada)
    cora = await cora_waits(shop)
    here = str(cora.heard[-1]["conversation"]["id"])
    await ada.takes(here)
    await cora.sees(state="active")
    return ada, cora, here


def chip(screen: Screen, name: str) -> Locator:
    return screen.page.locator(".chip", has_text=name)


# --- the board, and a colleague's conversation


async def test_a_supervisor_watches_joins_and_takes_over_by_keyboard_alone(
    shop: Shop,
    opens: Open,  # noqa: F811
    language: str,  # noqa: F811
) -> None:
    ada, cora, _ = await ada_has_cora(shop)
    wire = Wire()
    ben: Screen = await opens(shop.ben, wire=wire, locale=language)
    await ben.press("Alt+KeyB")
    await expect(ben.page.locator(".board-lines tbody tr")).to_have_count(
        1
    )  # not Sales
    await expect(ben.page.locator(".board-people > li")).to_have_count(1)
    found = await barriers(ben.page, "board")

    await chip(ben, "Cora Lee").focus()
    await ben.press("Enter")
    await expect(ben.page.locator(".talk-head .watched")).to_be_visible()
    await cora.posts("Is it broken?")
    await expect(ben.bubble("Is it broken?")).to_be_visible()
    found += await barriers(ben.page, "watching")

    # After a lost connection it is watched again, and what was missed is there.
    await wire.cut()
    await cora.posts("Nobody saw this")
    wire.is_up = True
    await ben.passes(30)
    await expect(ben.bubble("Nobody saw this")).to_be_visible()
    await cora.posts("This neither")
    await expect(ben.bubble("This neither")).to_be_visible()
    for person in (ada, cora):
        heard = await person.heard_so_far()
        assert not [frame for frame in heard if "Ben" in str(frame.get("message"))]

    await ben.press("Alt+KeyJ")
    await ben.has_keyboard(ben.composer)
    await cora.hears_message("Ben joined.")
    await ben.write("May I help?")
    await ben.press("Enter")
    await cora.hears_message("May I help?")
    await ada.hears_message("May I help?")
    found += await barriers(ben.page, "joined")

    await ben.press("Alt+KeyO")
    await expect(ben.page.locator(".talk-head .end")).to_be_visible()
    await expect(ben.page.locator(".beside")).to_have_count(0)
    assert (await cora.sees(agent={"id": str(shop.ben.pk), "name": "Ben"}))["version"]
    await ben.page.set_viewport_size(PHONE)
    await ben.page.evaluate("location.hash = '#/board'")
    await expect(ben.page.locator(".board")).to_be_visible()
    wide = await ben.page.evaluate("[document.body.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    assert found + await barriers(ben.page, "board, on a phone") == []


async def test_an_agent_has_none_of_it(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    _, _, here = await ada_has_cora(shop)
    await stored(lambda: QueueMembership.objects.update(role="agent"))
    ben: Screen = await opens(shop.ben)
    await expect(ben.page.locator(".colleagues li")).to_contain_text("Connected")
    await ben.press("Alt+KeyB")
    await expect(ben.page.locator("a.jump, .board, .colleagues .set")).to_have_count(0)
    await ben.page.evaluate(f"location.hash = '#/{here}'")
    await expect(
        ben.page.get_by_role("heading", name="This conversation is not on your desk")
    ).to_be_visible()
    await ben.page.evaluate("location.hash = '#/board'")
    await expect(
        ben.page.get_by_role("heading", name="The live board is for supervisors")
    ).to_be_visible()


# --- statuses


async def test_a_colleague_reads_who_set_the_status_and_is_back_by_one_click(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    await stored(supervises, shop.ben, shop.billing)
    ada: Screen = await opens(shop.ada)
    ben: Screen = await opens(shop.ben)
    row = ben.page.locator(".colleagues li", has_text="Ada")
    await expect(row.locator(".facts span")).to_have_text(
        ["Online", "Connected", "Quiet"]  # nobody has touched the page yet
    )
    await row.get_by_role("button", name="Set the status of Ada").focus()
    await ben.press("Enter")
    await ben.press("ArrowDown", "Tab")
    await ben.write("Please rest")
    assert await barriers(ben.page, "a colleague's status") == []
    await ben.press("Enter")
    await expect(row.locator(".facts span").first).to_have_text("Away")
    await expect(row).to_contain_text("Please rest")

    told = ada.page.locator(".absence")
    await expect(told).to_contain_text("Ben set you away.")
    assert await barriers(ada.page, "set away") == []
    await told.get_by_role("button", name="Go online").click()
    await expect(row.locator(".facts span")).to_have_text(
        ["Online", "Connected", "Active"]
    )
    await expect(told).to_have_count(0)


# --- a line that stands still


async def test_supervisors_are_told_of_a_line_that_stands_still_until_it_moves(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    await stored(supervises, shop.ben, shop.billing)
    await stored(change, shop.billing, alert_after_seconds=0)
    ada: Screen = await opens(shop.ada)
    ben: Screen = await opens(shop.ben)
    await ben.page.evaluate(NOTIFICATIONS)
    await ben.page.get_by_role("button", name="Settings").click()
    await ben.page.get_by_role("switch", name="Desktop notifications").click()
    await ben.press("Escape")
    await cora_waits(shop)
    strip = ben.page.locator(".banner.still")
    await expect(strip).to_contain_text("Billing stands still")
    await expect(strip).to_contain_text("1 person waits")
    await expect(ben.page.locator(".strips [role=alert]")).to_contain_text("Billing")
    assert await barriers(ben.page, "a line stands still") == []
    assert await ben.page.evaluate("window.told") == ["Billing stands still"]
    await expect(ada.in_line("Cora Lee")).to_be_visible()
    await expect(ada.page.locator(".banner.still")).to_have_count(0)
    await strip.get_by_role("button", name="Take the first").click()
    await expect(strip).to_have_count(0)
    await expect(ben.page.locator(".strips [role=alert]")).to_have_text("")


# --- keeping a customer out


async def test_a_customer_is_blocked_with_a_reason_and_an_end(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    _, cora, here = await ada_has_cora(shop)
    ben: Screen = await opens(shop.ben)
    await ben.page.evaluate(f"location.hash = '#/{here}'")
    await expect(ben.page.locator(".talk-head .watched")).to_be_visible()
    await ben.page.get_by_role("button", name="Block this customer").click()
    dialog = ben.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("This conversation ends now.")
    block = dialog.get_by_role("button", name="Block until")
    await expect(block).to_be_disabled()
    await ben.write("Threats")
    await dialog.get_by_role("radio", name="1 week").check()
    assert await barriers(ben.page, "block") == []
    await block.click()
    assert await cora.closed() == 4403
    await expect(ben.notice).to_contain_text("Cora Lee is blocked until")
    await expect(ben.page.locator(".instead")).to_contain_text("has ended")
    await expect(ben.page.get_by_role("button", name="Block")).to_have_count(0)
    why, left = await stored(blocked, here)
    assert why == "Threats"
    assert dt.timedelta(days=6) < left <= dt.timedelta(days=7)


async def test_who_only_waits_can_be_blocked_from_the_line(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    ada: Screen = await opens(shop.ada)
    cora = await cora_waits(shop)
    await ada.in_line("Cora Lee").locator("a").click()
    await ada.page.get_by_role("button", name="Block this customer").click()
    await ada.write("Threats")
    await ada.press("Enter")
    assert await cora.closed() == 4403
    await expect(ada.in_line("Cora Lee")).to_have_count(0)


def blocked(conversation: str) -> tuple[str, dt.timedelta]:
    customer = Conversation.objects.get(pk=conversation).customer
    assert customer.blocked_until
    return customer.blocked_why, customer.blocked_until - dt.datetime.now(dt.UTC)


# --- wrap-up


async def test_the_wrap_up_counts_down_until_the_agent_is_ready(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    await stored(change, shop.billing, wrap_up_seconds=90)
    await stored(change, shop.ada, capacity=1)
    ada: Screen = await opens(shop.ada, wire=Wire())
    await cora_waits(shop)
    await expect(ada.in_line("Cora Lee")).to_be_visible()
    await ada.press("Alt+KeyT")
    await ada.has_keyboard(ada.composer)
    await ada.press("Alt+KeyE", "Enter")
    strip = ada.page.locator(".wrap-up")
    await expect(strip).to_contain_text("No new conversations until then.")
    await expect(strip.get_by_role("timer")).to_have_text(re.compile(r"^1:[0-3]\d$"))
    await ada.passes(30)
    await expect(strip.get_by_role("timer")).to_have_text(re.compile(r"^0:[3-5]\d$"))
    assert await barriers(ada.page, "wrap-up") == []
    await strip.get_by_role("button", name="I am ready").click()
    await expect(strip).to_have_count(0)
    await expect(ada.page.locator(".status .load")).to_contain_text("0/1")


# --- many


async def test_a_line_of_hundreds_is_walked_while_few_rows_are_in_the_page(
    shop: Shop,
    opens: Open,  # noqa: F811
) -> None:
    await stored(crowd, shop)
    ada: Screen = await opens(shop.ada, viewport=WIDE)
    rows = ada.page.locator(".in-line")
    await expect(rows.first).to_contain_text("Customer 0")
    assert await rows.count() < MANY / 4
    await ada.page.locator(".in-line [data-row]").first.focus()
    for _ in range(30):
        await ada.press("ArrowDown")
    await expect(focused(ada)).to_contain_text("Customer 30")
    await ada.press("End")
    await expect(focused(ada)).to_contain_text(f"Customer {MANY - 1}")
    last = focused(ada).locator("xpath=..")
    await expect(last).to_have_attribute("aria-posinset", str(MANY))
    await expect(last).to_have_attribute("aria-setsize", str(MANY))
    await ada.press("ArrowUp", "ArrowUp")
    await expect(focused(ada)).to_contain_text(f"Customer {MANY - 3}")
    await expect(focused(ada)).to_be_in_viewport()
    assert await barriers(ada.page, "many") == []
    await ada.press("Home")
    await expect(focused(ada)).to_contain_text("Customer 0")
    assert await rows.count() < MANY / 4


def focused(screen: Screen) -> Locator:
    return screen.page.locator("[data-row]:focus")


def crowd(shop: Shop) -> None:
    start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    people = Person.objects.bulk_create(
        Person(site=shop.site, name=f"Customer {n}") for n in range(MANY)
    )
    facts: list[dict[str, Any]] = [
        {"customer": person, "at": start + dt.timedelta(seconds=n)}
        for n, person in enumerate(people)
    ]
    Conversation.objects.bulk_create(
        Conversation(
            site=shop.site,
            queue=shop.billing,
            customer=fact["customer"],
            created_at=fact["at"],
            waiting_since=fact["at"],
        )
        for fact in facts
    )
