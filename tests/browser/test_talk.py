"""A customer's page and an agent's page talk: both as people have them before them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from helpdesk.models import Conversation, Message
from tests.browser.test_dashboard import Open, Screen, opens  # noqa: F401
from tests.browser.test_widget import becomes, host, picture, visitor  # noqa: F401
from tests.browser.visitors import Opens, Visitor
from tests.shop import Shop, stored, texts

LANGUAGES = {
    "en": {"note": "A good customer", "end": "Ada ended the conversation."},
    "zh-CN": {"note": "老客户", "end": "Ada 结束了对话。"},
}


@pytest.mark.parametrize("lang", list(LANGUAGES))
async def test_a_customer_and_an_agent_talk_from_page_to_page(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    opens: Open,  # noqa: F811
    lang: str,
) -> None:
    ada: Screen = await opens(shop.ada, locale=lang)
    cora: Visitor = await visitor(lang=lang)
    await cora.opens_chat()
    await cora.starts("Is the teapot in stock?", queue="Billing", name="Cora Lee")
    await expect(cora.log.locator(".line")).to_be_visible()

    await expect(ada.in_line("Cora Lee")).to_be_visible()
    await ada.press("Alt+KeyT")
    await expect(ada.bubble("Is the teapot in stock?")).to_be_visible()
    await cora.sees_agent("Ada")
    await expect(cora.log.locator(".line")).to_have_count(0)

    await ada.has_keyboard(ada.composer)
    await ada.write("Yes, two are left.")
    await expect(cora.log.locator(".typing")).to_be_visible()
    await ada.press("Enter")
    await expect(cora.bubble("Yes, two are left.")).to_be_visible()
    await expect(cora.log.locator(".typing")).to_have_count(0)

    words = LANGUAGES[lang]
    await ada.press("Alt+KeyM")
    await ada.write(words["note"])
    await ada.press("Enter", "Alt+KeyM")
    await expect(ada.bubble(words["note"])).to_be_visible()

    await cora.chat.locator("input[type=file]").set_input_files([picture()])
    await expect(cora.chat.locator(".drafts progress")).to_have_count(0)
    await cora.says("One like this, please.")
    await expect(ada.bubble("One like this, please.")).to_be_visible()
    await expect(ada.messages.get_by_role("img", name="cup.png")).to_be_visible()
    await expect(cora.log.locator(".own.read")).to_be_visible()

    await ada.press("Alt+KeyE", "Enter")
    await expect(cora.log).to_contain_text(words["end"])
    await expect(cora.log).not_to_contain_text(words["note"])
    await cora.chat.locator(".stars label").nth(4).click()
    await cora.chat.locator(".ending form button").click()
    await becomes(lambda: Conversation.objects.get().rating, 5)

    conversation = str((await stored(Conversation.objects.get)).pk)
    assert await stored(texts, conversation) == [
        "Is the teapot in stock?",
        "Yes, two are left.",
        words["note"],
        "One like this, please.",
    ]
    assert await stored(Message.objects.filter(kind="note").count) == 1


async def test_each_side_sees_the_same_order(
    shop: Shop,
    visitor: Opens,  # noqa: F811
    opens: Open,  # noqa: F811
) -> None:
    """Both write at once, without waiting for each other."""
    ada: Screen = await opens(shop.ada)
    cora: Visitor = await visitor()
    await cora.opens_chat()
    await cora.starts("Hello?", queue="Billing", name="Cora Lee")
    await expect(ada.in_line("Cora Lee")).to_be_visible()
    await ada.press("Alt+KeyT")
    await cora.sees_agent("Ada")
    await ada.has_keyboard(ada.composer)
    for number in range(5):
        await ada.write(f"ada {number}")
        await ada.press("Enter")
        await cora.says(f"cora {number}")
    for screen in (ada, cora):
        await expect(screen.bubble("cora 4")).to_be_visible()
        await expect(screen.bubble("ada 4")).to_be_visible()
    conversation = str((await stored(Conversation.objects.get)).pk)
    order = await stored(texts, conversation)
    assert len(order) == 11
    assert await cora.log.locator(".bubble").all_inner_texts() == order
    assert await ada.messages.locator(".bubble").all_inner_texts() == order
