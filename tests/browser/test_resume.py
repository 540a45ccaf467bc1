"""The link in a follow-up mail, opened in a browser that has never seen the chat."""

from __future__ import annotations

from uuid import UUID

from playwright.async_api import Page, expect

from helpdesk import followups
from helpdesk.models import Conversation
from tests.live import LiveServer
from tests.shop import Shop, stored


def words_of_link(conversation: str) -> str:
    talk = Conversation.objects.select_related("site").get(pk=UUID(conversation))
    return followups.resume_link(talk).partition("#")[2]


async def test_it_leads_to_the_conversation(
    shop: Shop, server: LiveServer, page: Page
) -> None:
    _cora, ada, here = await shop.talk()
    await ada.posts(here, "Your teapot has come.")
    words = await stored(words_of_link, here)
    await page.goto(f"{server.url}/widget/shop/resume/#{words}")
    await expect(page.get_by_text("Your teapot has come.")).to_be_visible()
    assert words not in page.url


async def test_a_forged_one_is_told_so(
    shop: Shop, server: LiveServer, page: Page
) -> None:
    await page.goto(f"{server.url}/widget/shop/resume/#forged")
    await expect(page.get_by_role("alert")).to_contain_text("does not work any more")
    assert page.url.endswith("/resume/")
