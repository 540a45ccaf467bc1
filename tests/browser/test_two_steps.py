"""A second step at the log-in, from switching it on to the last recovery code."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.back_office import PASSWORD, open_office, staff
from tests.browser.barriers import barriers
from tests.live import LiveServer
from tests.second_step import code_of
from tests.shop import stored

BOTH = pytest.mark.parametrize("language", ["en-US", "zh-CN"])


class Staff:
    """Mona, who looks after a site, at her browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.context.on("weberror", lambda error: self.complaints.append(str(error)))
        # A page that breaks the content security policy says so on the console.
        page.on("console", lambda message: self.complaints.append(message.text))

    async def opens(self, address: str) -> None:
        await self.page.goto(f"{self.url}{address}")

    async def gives(self, **fields: str) -> None:
        """Fills in a form and sends it."""
        for name, value in fields.items():
            await self.page.fill(f"[name={name}]", value)
        async with self.page.expect_navigation():
            await self.page.press(f"[name={name}]", "Enter")

    async def signs_in_for(self, address: str) -> None:
        await self.opens(address)
        await self.gives(login="mona", password=PASSWORD)

    async def switches_it_on(self) -> str:
        """Returns the secret that her telephone now has."""
        await self.opens("/accounts/2fa/totp/activate/")
        if await self.page.locator("[name=password]").count():
            await self.gives(password=PASSWORD)
        await self.page.wait_for_selector("img.qr")
        secret = await self.page.input_value("#authenticator_secret")
        await self.gives(code=code_of(secret))
        return secret

    @property
    def where(self) -> str:
        return self.page.url.removeprefix(self.url)


@pytest.fixture
def language() -> str:
    return "en-US"


@pytest.fixture
async def mona(
    server: LiveServer, browser: Browser, language: str
) -> AsyncIterator[Staff]:
    def furnish() -> None:
        staff("mona", "Manager", open_office().acme)

    await stored(furnish)
    context = await browser.new_context(locale=language)
    yield Staff(await context.new_page(), server.url)
    await context.close()


async def test_the_back_office_asks_for_it_from_then_on(mona: Staff) -> None:
    await mona.signs_in_for("/accounts/2fa/")
    secret = await mona.switches_it_on()
    await mona.page.context.clear_cookies()
    await mona.signs_in_for("/admin/")
    assert mona.where.startswith("/accounts/2fa/authenticate/")
    await mona.opens("/admin/")
    assert mona.where.startswith("/accounts/2fa/authenticate/")  # still
    await mona.gives(code=code_of(secret, later=1))
    assert mona.where == "/admin/"


async def test_a_recovery_code_opens_once(mona: Staff) -> None:
    await mona.signs_in_for("/accounts/2fa/")
    await mona.switches_it_on()
    shown = await mona.page.locator("textarea").input_value()
    code = shown.split()[0]
    for opens in (True, False):
        await mona.page.context.clear_cookies()
        await mona.signs_in_for("/admin/")
        await mona.gives(code=code)
        assert (mona.where == "/admin/") is opens


@BOTH
async def test_every_page_of_it_is_accessible_and_keeps_the_policy(mona: Staff) -> None:
    await mona.signs_in_for("/accounts/2fa/")
    wrong = await barriers(mona.page, "before")
    await mona.switches_it_on()
    for address in (
        "/accounts/2fa/",
        "/accounts/2fa/recovery-codes/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/2fa/totp/deactivate/",
    ):
        await mona.opens(address)
        assert mona.where == address
        wrong += await barriers(mona.page, address)
    await mona.page.context.clear_cookies()
    await mona.signs_in_for("/admin/")
    wrong += await barriers(mona.page, "asked")
    await mona.gives(code="000000")
    wrong += await barriers(mona.page, "refused")
    assert wrong == []
    assert mona.complaints == []
