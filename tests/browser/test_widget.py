"""The chat as customers use it: on a page of another site, with agents on sockets."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image
from playwright.async_api import expect

from helpdesk import snapshots
from helpdesk.models import Conversation, Message
from tests.browser.barriers import barriers
from tests.browser.contexts import Contexts
from tests.browser.visitors import HostServer, Opens, Visitor, complaints, visit
from tests.people import PATIENCE_SECONDS, Agent
from tests.shop import Shop, change, rows, stored, texts

CANARY = "<img src=x onerror=document.title='canary'>"
PHONE = {"width": 390, "height": 780}
NO_SOCKETS = """window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({code: 1006}), 10) }
  close() {}
}"""
# From here on the network is gone whenever `away` is true.
CUT_OFF = """
  const [Socket, fetched] = [WebSocket, fetch]
  window.away = false
  window.WebSocket = function (...address) {
    if (!away) return new Socket(...address)
    setTimeout(() => this.onclose?.({code: 1006}), 5)
    this.close = () => {}
  }
  window.fetch = (...request) => (
    away ? Promise.reject(TypeError()) : fetched(...request)
  )
"""

CHOOSES_A_FILM = """input => {
  const chosen = new DataTransfer()
  chosen.items.add(new File(["x".repeat(11e6)], "film.txt", {type: "text/plain"}))
  input.files = chosen.files
  input.dispatchEvent(new Event("change", {bubbles: true}))
}"""

# Some browsers give a framed page of another site a storage of its own, others deny
# it that and leave it cookies.
SHELF = """
  const name = "helpdesk:shop:token"
  const stored = () => {
    try { return localStorage.getItem(name) } catch { return null }
  }
  const baked = () => document.cookie.split("; ").find((c) => c.includes("token"))
"""
KEPT_TOKEN = f"""(() => {{ {SHELF}
  return stored() ?? decodeURIComponent(baked().split("=")[1])
}})()"""
STALE_TOKEN = f"""(() => {{ {SHELF}
  if (stored()) localStorage.setItem(name, "stale")
  else document.cookie = encodeURIComponent(name) +
    "=stale; Path=/widget/shop/; Secure; SameSite=None; Partitioned"
}})()"""


@pytest.fixture(scope="module")
def host() -> Iterator[HostServer]:
    server = HostServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
async def visitor(
    shop: Shop, host: HostServer, contexts: Contexts
) -> AsyncIterator[Opens]:
    """`cora = await visitor()`: on the shop's page. When the test ends, no page may
    have complained: no error, nothing that its content security policy forbids."""
    everybody: list[Visitor] = []

    async def come(*, before: str = "", **options: Any) -> Visitor:
        somebody = await visit(shop, host, contexts.take, **options)
        everybody.append(somebody)
        if before:
            contexts.spoil(somebody.context)
            await somebody.context.add_init_script(before)
        await somebody.comes()
        return somebody

    yield come
    for somebody in everybody:
        await contexts.give_back(somebody.context, host.origin)
        assert complaints(somebody) == []


async def talk(
    shop: Shop, visitor: Opens, **options: Any
) -> tuple[Visitor, Agent, str]:
    """Cora talks with Ada, in the conversation of this id."""
    ada = await shop.agent(shop.ada)
    cora: Visitor = await visitor(**options)
    await cora.opens_chat()
    await cora.starts("Hello?", name="Cora Lee")
    conversation = await ada.sees(state="active")
    await cora.sees_agent("Ada")
    return cora, ada, str(conversation["id"])


async def cora_waits(visitor: Opens, **options: Any) -> Visitor:
    cora: Visitor = await visitor(**options)
    await cora.opens_chat()
    await cora.starts("My invoice is wrong.", queue="Billing")
    return cora


# --- before anybody opens it


async def test_until_it_is_opened_there_is_a_button_and_nothing_else(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    await cora.page.wait_for_load_state("networkidle")
    ours = [r.url for r in cora.requests if r.url.startswith(shop.server.url)]
    assert ours == [f"{shop.server.url}/widget.js"]
    assert len(cora.page.frames) == 1
    assert await cora.context.cookies() == []
    assert await cora.page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await stored(rows) == (0, 0)


async def test_opening_it_stores_nothing_on_the_desk_or_the_page(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    await cora.opens_chat()
    assert await stored(rows) == (0, 0)
    assert await cora.context.cookies() == []
    assert await cora.page.evaluate("localStorage.length") == 0


async def test_the_token_is_never_in_an_address(shop: Shop, visitor: Opens) -> None:
    cora, _, _ = await talk(shop, visitor)
    token = await cora.frame.evaluate(KEPT_TOKEN)
    assert token
    assert [r.url for r in cora.requests if token in r.url] == []


async def test_a_page_of_another_origin_cannot_frame_it(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    cora.forgiven = re.compile("frame-ancestors|Framing")
    await stored(change, shop.site, allowed_origins="https://shop.example")
    await cora.launcher.click()
    await expect(cora.page.locator("helpdesk-chat iframe")).to_be_attached()
    await cora.page.wait_for_load_state("networkidle")
    assert cora.complaints
    assert not [r for r in cora.requests if "main.js" in r.url or "/packed/" in r.url]


async def test_of_an_earlier_visitor_nothing_is_left(
    shop: Shop, visitor: Opens, contexts: Contexts, host: HostServer
) -> None:
    """The next one has the same context: what these tests stand on."""
    cora, _, _ = await talk(shop, visitor)
    kept = "localStorage.length + document.cookie.length"
    assert await cora.frame.evaluate(kept)
    await contexts.give_back(cora.context, host.origin)
    eve: Visitor = await visitor()
    assert eve.context is cora.context
    await eve.opens_chat()
    assert [await each.evaluate(kept) for each in eve.page.frames] == [0, 0]


# --- a conversation


async def test_a_customer_writes_and_sees_it_sent(shop: Shop, visitor: Opens) -> None:
    cora: Visitor = await visitor()
    await cora.opens_chat()
    await cora.starts("Is the teapot in stock?", name="Cora Lee")
    await expect(cora.bubble("teapot")).to_contain_text("Sent")
    message = await stored(lambda: Message.objects.get(kind="text"))
    assert message.text == "Is the teapot in stock?"


async def test_customer_and_agent_talk_and_see_each_other_type_and_read(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.say("typing", conversation=conversation, on=True)
    await expect(cora.log).to_contain_text("Ada is typing")
    await ada.posts(conversation, "Hello Cora!")
    await expect(cora.bubble("Hello Cora!")).to_be_visible()
    await expect(cora.log).not_to_contain_text("Ada is typing")
    seen = await ada.hears(
        "conversation.changed", where=lambda f: f["conversation"]["read"]["customer"]
    )
    assert seen["conversation"]["read"]["customer"] >= 3

    await cora.writing.press_sequentially("Hm")
    await ada.hears("typing", where=lambda f: f["on"])
    await cora.says("Thank you")
    message = await ada.hears_message("Thank you")
    await expect(cora.bubble("Thank you")).to_contain_text("Sent")
    await ada.say("message.read", conversation=conversation, seq=message["seq"])
    await expect(cora.bubble("Thank you")).to_contain_text("Read")


async def test_the_line_counts_down(shop: Shop, visitor: Opens) -> None:
    first = await shop.customer()
    await first.starts("I was here first", queue=str(shop.billing.pk))
    ada = await shop.agent(shop.ada)
    cora = await cora_waits(visitor)
    card = cora.log.locator(".line")
    await expect(card).to_contain_text("You are number 2 in line.")
    line = await stored(lambda: list(snapshots.line([shop.billing.pk])))
    await ada.takes(str(line[0].pk))
    await expect(card).to_contain_text("You are next in line.")
    await ada.takes(str(line[1].pk))
    await cora.sees_agent("Ada")
    await expect(card).to_have_count(0)


async def test_who_will_not_wait_leaves_a_message_instead(
    shop: Shop, visitor: Opens
) -> None:
    cora = await cora_waits(visitor)
    await cora.chat.get_by_role("button", name="Leave a message instead").click()
    address = cora.chat.locator("[name=email]")
    await expect(address).to_be_focused()
    found = await cora.barriers("leaving the line")
    await address.fill("cora")
    await address.press("Enter")
    await expect(cora.chat.get_by_role("alert")).to_contain_text("e-mail address")
    assert not (await stored(Conversation.objects.get)).left
    await address.fill("cora@example.com")
    await address.press("Enter")
    await expect(cora.log).to_contain_text("We have your message.")
    await expect(cora.log.locator(".line")).to_have_count(0)
    left = await stored(Conversation.objects.select_related("customer").get)
    assert (left.left, left.customer.email) == (True, "cora@example.com")
    assert found == []


async def test_a_closed_queue_takes_a_message_with_an_address(
    shop: Shop, visitor: Opens
) -> None:
    await stored(change, shop.sales, is_open=False)
    await stored(change, shop.billing, is_open=False)
    cora: Visitor = await visitor()
    await cora.launcher.click()
    await expect(cora.chat.locator(".standing")).to_contain_text("closed right now")
    await cora.says("Where is my order?")
    await expect(cora.chat.get_by_role("alert")).to_contain_text("e-mail address")
    assert await stored(rows) == (0, 0)
    await cora.chat.locator("[name=email]").fill("cora@example.com")
    await cora.writing.press("Enter")
    await expect(cora.log).to_contain_text("We have your message.")
    left = await stored(Conversation.objects.get)
    assert left.left


async def test_a_queue_that_closes_meanwhile_keeps_what_was_written(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    await cora.opens_chat()
    await stored(change, shop.sales, is_open=False)
    await cora.says("Where is my order?")
    await expect(cora.chat.locator("[name=email]")).to_be_visible()
    await expect(cora.writing).to_have_value("Where is my order?")
    await cora.chat.locator("[name=email]").fill("cora@example.com")
    await cora.writing.press("Enter")
    await expect(cora.log).to_contain_text("We have your message.")


async def test_the_end_is_rated_and_another_conversation_begins(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.ends(conversation)
    await expect(cora.log).to_contain_text("Ada ended the conversation.")
    await cora.chat.get_by_role("radio", name="4 of 5").check(force=True)
    await cora.chat.get_by_label("Anything to add?").fill("Quick!")
    await cora.chat.get_by_role("button", name="Send rating").click()
    await expect(cora.chat.get_by_text("Thank you for your rating.")).to_be_visible()
    await becomes(lambda: rating(conversation), (4, "Quick!"))

    await cora.chat.get_by_role("button", name="New conversation").click()
    back = cora.chat.get_by_role("button", name="Back to the earlier conversation")
    await back.click()
    await expect(cora.bubble("Hello?")).to_be_visible()
    await cora.chat.get_by_role("button", name="New conversation").click()
    await cora.starts("One more thing")
    await expect(cora.bubble("Hello?")).to_have_count(0)
    await becomes(lambda: rows()[0], 2)


async def test_the_customer_ends_it_after_being_asked(
    shop: Shop, visitor: Opens
) -> None:
    cora, _, _ = await talk(shop, visitor)
    await cora.chat.get_by_role("button", name="Menu").click()
    await cora.chat.get_by_role("button", name="End conversation").click()
    assert (await stored(Conversation.objects.get)).state == "active"
    await cora.chat.get_by_role("button", name="End it").click()
    await expect(cora.log).to_contain_text("You ended the conversation.")


async def test_the_transcript_is_a_file_made_here(shop: Shop, visitor: Opens) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.posts(conversation, "Hello Cora!")
    await expect(cora.bubble("Hello Cora!")).to_be_visible()
    await cora.chat.get_by_role("button", name="Menu").click()
    async with cora.page.expect_download() as download:
        await cora.chat.get_by_role("button", name="Download transcript").click()
    path = await (await download.value).path()
    said = path.read_text(encoding="utf-8-sig").splitlines()
    assert [line.partition("  ")[2] for line in said] == [
        "Cora Lee: Hello?",
        "–: Ada joined.",
        "Ada: Hello Cora!",
    ]


async def test_an_agent_who_vanished_is_named(shop: Shop, visitor: Opens) -> None:
    cora, _, conversation = await talk(shop, visitor)

    def say_lost() -> None:
        from helpdesk import conversations

        row = Conversation.objects.select_for_update().get(pk=conversation)
        conversations.say_event(row, "agent_lost", "?", {"name": "Ada"})

    await stored(say_lost)
    await cora.page.reload()
    await cora.opens_chat()
    await expect(cora.log).to_contain_text("Ada lost connection. We keep your place.")
    await expect(cora.chat.locator(".who")).to_contain_text("Reconnecting")


# --- nothing is lost


async def test_a_reload_keeps_the_conversation(shop: Shop, visitor: Opens) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.posts(conversation, "Hello Cora!")
    await cora.page.reload()
    await cora.opens_chat()
    await expect(cora.bubble("Hello Cora!")).to_be_visible()
    await expect(cora.log.locator(".message")).to_have_count(2)


async def test_a_reload_keeps_what_had_not_been_sent(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await cora.frame.evaluate("WebSocket.prototype.send = () => {}")
    await cora.says("one")
    await cora.says("two")
    await expect(cora.bubble("two")).to_contain_text("Sending")
    await cora.page.reload()
    await ada.hears_message("two")
    assert await stored(texts, conversation) == ["Hello?", "one", "two"]


async def test_what_is_written_offline_goes_out_when_it_is_back(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor, before=CUT_OFF)
    await cora.frame.evaluate("away = true")
    await shop.on_server(dismiss_customers(shop))
    banner = cora.chat.get_by_text("No connection. Trying again …")
    await expect(banner).to_be_visible(timeout=10_000)
    await cora.says("Are you there?")
    await expect(cora.bubble("Are you there?")).to_contain_text("Sending")
    await cora.frame.evaluate("away = false; dispatchEvent(new Event('online'))")
    await ada.hears_message("Are you there?")
    await expect(cora.bubble("Are you there?")).to_contain_text("Sent")
    await expect(banner).to_have_count(0)
    assert await stored(texts, conversation) == ["Hello?", "Are you there?"]


async def dismiss_customers(shop: Shop) -> None:
    for socket in list(shop.desk.sockets):
        if "/customer/" in socket.scope["path"]:
            await socket.close(4011)


async def test_without_websockets_it_talks_all_the_same(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor, before=NO_SOCKETS)
    await ada.posts(conversation, "Hello Cora!")
    await expect(cora.bubble("Hello Cora!")).to_be_visible()
    await cora.says("one")
    await cora.says("two")
    await ada.hears_message("two")
    await expect(cora.bubble("two")).to_contain_text("Sent")
    assert await stored(texts, conversation) == ["Hello?", "Hello Cora!", "one", "two"]
    assert [r for r in cora.requests if r.url.endswith("/poll/")]


async def test_two_tabs_are_one_conversation(shop: Shop, visitor: Opens) -> None:
    cora, _, _ = await talk(shop, visitor)
    other = await cora.context.new_page()
    second = Visitor(shop, cora.host, cora.context, other, "en")
    await second.comes()
    await second.opens_chat()
    await expect(second.bubble("Hello?")).to_be_visible()
    await second.says("from the second tab")
    await expect(cora.bubble("from the second tab")).to_be_visible()
    await cora.says("from the first tab")
    await expect(second.bubble("from the first tab")).to_be_visible()
    await expect(second.log.locator(".message")).to_have_count(3)


async def test_a_refused_message_may_be_tried_again_or_deleted(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await cora.frame.evaluate(
        "sent = WebSocket.prototype.send; WebSocket.prototype.send = () => {}"
    )
    await cora.says("too late")
    await ada.ends(conversation)
    await expect(cora.log).to_contain_text("Ada ended the conversation.")
    await cora.page.reload()
    await cora.launcher.click()
    failed = cora.bubble("too late")
    await expect(failed).to_contain_text("The conversation had ended.")
    await failed.get_by_role("button", name="Try again").click()
    await expect(failed).to_contain_text("The conversation had ended.")
    await failed.get_by_role("button", name="Delete").click()
    await expect(failed).to_have_count(0)
    assert await stored(texts, conversation) == ["Hello?"]


async def test_a_token_that_opens_nothing_begins_anew(
    shop: Shop, visitor: Opens
) -> None:
    cora, _, _ = await talk(shop, visitor)
    await cora.frame.evaluate(STALE_TOKEN)
    await cora.page.reload()
    await cora.opens_chat()
    await expect(cora.chat.locator(".hello")).to_be_visible()


async def test_a_long_history_is_read_page_by_page(shop: Shop, visitor: Opens) -> None:
    cora, _, conversation = await talk(shop, visitor)
    await stored(fill, conversation, 450)
    await cora.page.reload()
    await cora.opens_chat()
    bubbles = cora.log.locator(".message")
    await expect(bubbles).to_have_count(200)
    await expect(cora.bubble("line 452")).to_be_in_viewport()
    await cora.log.evaluate("log => log.scrollTop = 0")
    await expect(bubbles).to_have_count(300)
    await expect(cora.bubble("line 253")).to_be_in_viewport()


def rating(conversation: str) -> tuple[int | None, str]:
    row = Conversation.objects.get(pk=conversation)
    return row.rating, row.rating_comment


async def becomes(look: Callable[[], Any], wanted: Any) -> None:
    """What is stored, soon: the screen does not wait for it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await stored(look) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the desk does not tell when


def fill(conversation: str, count: int) -> None:
    now = timezone.now()
    Message.objects.bulk_create(
        Message(
            conversation_id=conversation,
            place=seq,
            seq=seq,
            notes=0,
            client_id=f"filled-{seq:06}",
            kind="text",
            author="customer",
            text=f"line {seq}",
            at=now,
        )
        for seq in range(3, 3 + count)
    )
    Conversation.objects.filter(pk=conversation).update(seq=2 + count)


# --- files


def picture() -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(file, "PNG")
    return {"name": "cup.png", "mimeType": "image/png", "buffer": file.getvalue()}


async def test_a_picture_is_shown_in_the_conversation(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, _ = await talk(shop, visitor)
    await cora.chat.locator("input[type=file]").set_input_files([picture()])
    draft = cora.chat.locator(".drafts li")
    await expect(draft).to_contain_text("cup.png")
    await expect(draft.locator("progress")).to_have_count(0)
    await cora.chat.get_by_role("button", name="Send", exact=True).click()
    shown = cora.log.get_by_role("img", name="cup.png")
    await expect(shown).to_be_visible()
    assert await shown.evaluate("async img => (await img.decode(), img.naturalWidth)")
    posted = await ada.hears(
        "message.posted", where=lambda f: f["message"]["attachments"]
    )
    assert posted["message"]["attachments"][0]["name"] == "cup.png"


async def test_a_file_may_be_taken_back(shop: Shop, visitor: Opens) -> None:
    cora, _, _ = await talk(shop, visitor)
    await cora.chat.locator("input[type=file]").set_input_files([picture()])
    await cora.chat.get_by_role("button", name="Remove cup.png").click()
    await expect(cora.chat.locator(".drafts li")).to_have_count(0)
    send = cora.chat.get_by_role("button", name="Send", exact=True)
    await expect(send).to_be_disabled()


async def test_a_file_that_is_too_big_is_refused_before_it_travels(
    shop: Shop, visitor: Opens
) -> None:
    cora, _, _ = await talk(shop, visitor)
    await cora.chat.locator("input[type=file]").evaluate(CHOOSES_A_FILM)
    await expect(cora.chat.get_by_role("alert")).to_contain_text("too big")
    assert not [r for r in cora.requests if "/uploads/" in r.url]


# --- strangers' texts


async def test_a_text_is_text_and_its_links_are_safe(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.posts(
        conversation, f"{CANARY} https://shop.example/x javascript:alert(1)"
    )
    message = cora.bubble("javascript:alert(1)")
    await expect(message).to_contain_text(CANARY)
    links = message.get_by_role("link")
    await expect(links).to_have_count(1)
    await expect(links).to_have_attribute("href", "https://shop.example/x")
    await expect(links).to_have_attribute("rel", re.compile("noopener"))
    assert await cora.frame.evaluate("document.title") != "canary"


# --- the launcher and its page


async def test_a_minimised_chat_counts_what_is_unread(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await cora.launcher.click()
    await ada.posts(conversation, "Are you still there?")
    await expect(cora.page.locator(".badge")).to_have_text("1")
    await expect(cora.launcher).to_have_accessible_name("Open chat, 1 unread")
    await cora.launcher.click()
    await expect(cora.page.locator(".badge")).to_be_empty()
    assert (await stored(Conversation.objects.get)).read_by_customer <= 3


async def test_who_comes_back_to_an_open_conversation_sees_at_once_what_is_unread(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    assert await cora.page.evaluate("localStorage.getItem('helpdesk:shop')") == "1"
    await cora.page.goto("about:blank")
    await ada.posts(conversation, "I found it!")
    await cora.comes()
    await expect(cora.page.locator(".badge")).to_have_text("1")


async def test_after_the_end_nothing_is_remembered_on_the_page(
    shop: Shop, visitor: Opens
) -> None:
    cora, ada, conversation = await talk(shop, visitor)
    await ada.ends(conversation)
    await expect(cora.log).to_contain_text("Ada ended the conversation.")
    await cora.page.wait_for_function("localStorage.getItem('helpdesk:shop') === null")


async def test_a_page_speaks_to_the_chat_by_its_own_words(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    await cora.page.evaluate(
        """() => {
          window.told = []
          for (const event of ['open', 'close', 'start', 'message', 'unread']) {
            Helpdesk.on(event, (detail) => told.push([event, detail]))
          }
          Helpdesk.setFields({order: '1234'})
          Helpdesk.open()
        }"""
    )
    ada = await shop.agent(shop.ada)
    await cora.starts("Hello?")
    conversation = await ada.sees(state="active")
    assert conversation["customer"]["fields"] == {"order": "1234"}
    assert conversation["customer"]["page"]["title"] == "The shop"
    await cora.page.evaluate("Helpdesk.close()")
    await ada.posts(conversation["id"], "Hi!")
    await cora.page.wait_for_function("told.length > 4")
    assert await cora.page.evaluate("told") == [
        ["open", None],
        ["start", None],
        ["close", None],
        ["message", {"author": "Ada", "text": "Hi!"}],
        ["unread", 1],
    ]
    await cora.page.evaluate("Helpdesk.shutdown()")
    await expect(cora.launcher).to_have_count(0)
    await cora.comes()
    await cora.opens_chat()
    await expect(cora.chat.locator(".hello")).to_be_visible()


async def test_another_window_cannot_pose_as_the_chat(
    shop: Shop, visitor: Opens
) -> None:
    cora: Visitor = await visitor()
    await cora.opens_chat()
    await cora.page.evaluate(
        """() => {
          window.ports = 0
          MessagePort.prototype.postMessage = () => window.ports++
          window.postMessage('helpdesk:ready', '*')
        }"""
    )
    await cora.page.evaluate("new Promise(done => setTimeout(done, 0))")
    assert await cora.page.evaluate("ports") == 0


async def test_without_storage_it_works_in_memory(shop: Shop, visitor: Opens) -> None:
    broken = """Object.defineProperty(window, 'localStorage', {
      get() { throw new DOMException('denied', 'SecurityError') }
    })
    Object.defineProperty(document, 'cookie', {get: () => '', set() {}})"""
    cora, ada, _ = await talk(shop, visitor, before=broken)
    await cora.says("Still here")
    await ada.hears_message("Still here")


# --- by keyboard, on phones, for everybody


async def test_the_keyboard_alone_suffices(shop: Shop, visitor: Opens) -> None:
    ada = await shop.agent(shop.ada)
    cora: Visitor = await visitor()
    keyboard = cora.page.keyboard
    await keyboard.press("Tab")
    await expect(cora.launcher).to_be_focused()
    await keyboard.press("Enter")
    name = cora.chat.locator("[name=name]")
    await expect(name).to_be_focused()
    await keyboard.type("Cora Lee")
    await keyboard.press("Tab")
    await keyboard.press("Tab")
    await expect(cora.writing).to_be_focused()
    await keyboard.type("Hello")
    await keyboard.press("Shift+Enter")
    await keyboard.type("there")
    await keyboard.press("Enter")
    await ada.sees(state="active")
    await expect(cora.writing).to_be_focused()
    await expect(cora.bubble("Hello\nthere")).to_contain_text("Sent")
    await keyboard.press("Escape")
    await expect(cora.launcher).to_be_focused()
    await expect(cora.launcher).to_have_attribute("aria-expanded", "false")


async def test_on_a_phone_it_fills_the_screen(shop: Shop, visitor: Opens) -> None:
    cora: Visitor = await visitor(viewport=PHONE)
    await cora.opens_chat()
    box = await cora.page.locator("helpdesk-chat iframe").bounding_box()
    assert box == {"x": 0, "y": 0, **PHONE}
    await expect(cora.launcher).to_be_hidden()
    await cora.chat.get_by_role("button", name="Minimise").click()
    await expect(cora.launcher).to_be_visible()


async def test_at_twice_the_size_nothing_is_cut_off(shop: Shop, visitor: Opens) -> None:
    """200 % zoom of a small screen: 320 pixels are left (WCAG 1.4.10)."""
    cora, _, _ = await talk(shop, visitor, viewport={"width": 320, "height": 300})
    await cora.says("A" * 300)
    await expect(cora.bubble("AAA")).to_contain_text("Sent")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert await cora.frame.evaluate(wide)
    await cora.writing.scroll_into_view_if_needed()
    await expect(cora.writing).to_be_in_viewport()


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_no_screen_has_a_barrier(shop: Shop, visitor: Opens, lang: str) -> None:
    await stored(change, shop.site, accent="#f0b429", consent="I agree.")
    await stored(change, shop.sales, is_open=False)
    ada = await shop.agent(shop.ada)
    cora: Visitor = await visitor(lang=lang)
    found = await barriers(cora.page, "the shop's page")
    await cora.opens_chat()
    found += await barriers(cora.page, "the shop's page, the chat open")
    await expect(cora.writing).to_have_attribute("placeholder", re.compile("…|……"))
    found += await cora.barriers("closed, with everything that is asked")

    await cora.chat.get_by_text("Billing").click()
    await cora.writing.fill("?")
    await cora.writing.press("Enter")
    found += await cora.barriers("a complaint")

    await cora.chat.locator("[name=consent]").check()
    await cora.starts("Hello https://shop.example/", queue="Billing")
    await expect(cora.log.locator(".line")).to_be_visible()
    found += await cora.barriers("in line")

    waiting = await ada.sees(state="waiting")
    await ada.takes(waiting["id"])
    await ada.posts(waiting["id"], "Look: https://shop.example/")
    await ada.say("typing", conversation=waiting["id"], on=True)
    await cora.chat.locator("input[type=file]").set_input_files([picture()])
    await expect(cora.log.locator(".typing")).to_be_visible()
    await cora.chat.locator(".tools button").nth(1).click()
    found += await cora.barriers("talking, a file added, emoji open")

    await cora.chat.locator("#menu-button").click()
    found += await cora.barriers("menu")

    await ada.ends(waiting["id"])
    await cora.chat.locator(".stars label").nth(2).click()
    found += await cora.barriers("the end")
    assert found == []


async def test_in_chinese_no_english_is_left(shop: Shop, visitor: Opens) -> None:
    ada = await shop.agent(shop.ada)
    cora: Visitor = await visitor(lang="zh-CN")
    await cora.opens_chat()
    heard = [await cora.chat.locator("body").inner_text()]
    await cora.starts("你好", queue="Billing")
    await expect(cora.log.locator(".line")).to_be_visible()
    heard.append(await cora.chat.locator("body").inner_text())
    waiting = await ada.sees(state="waiting")
    await ada.takes(waiting["id"])
    await cora.sees_agent("Ada")
    await ada.ends(waiting["id"])
    await expect(cora.chat.locator(".stars")).to_be_visible()
    heard.append(await cora.chat.locator("body").inner_text())
    english = set(re.findall(r"[A-Za-z]{2,}", " ".join(heard)))
    assert english <= {"Shop", "Sales", "Billing", "Ada"}


# In seconds, of every element: what moves now is a matter of chance.
LONGEST_MOTION = """() => Math.max(
  ...[...document.querySelectorAll("*")].map((element) => getComputedStyle(element))
    .flatMap((style) => [style.animationDuration, style.transitionDuration])
    .flatMap((durations) => durations.split(",")).map(parseFloat))"""


async def test_motion_moves_where_it_may(shop: Shop, visitor: Opens) -> None:
    cora: Visitor = await visitor()
    await cora.opens_chat()
    assert await cora.frame.evaluate(LONGEST_MOTION) > 0.05


async def test_motion_stops_where_it_is_not_wanted(shop: Shop, visitor: Opens) -> None:
    cora: Visitor = await visitor(reduced_motion="reduce")
    await cora.opens_chat()
    assert await cora.frame.evaluate(LONGEST_MOTION) < 0.001
