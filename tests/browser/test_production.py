"""Pages as production serves them: files named by their content, no inline code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.async_api import ConsoleMessage, Page

from tests.live import ServerProcess

PASSWORD = "correct horse 7"


class Complaints:
    """What a page fetched in vain, and what its console holds against it."""

    def __init__(self, page: Page) -> None:
        self.heard: list[str] = []
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.heard.append(str(error)))

    def listen(self, message: ConsoleMessage) -> None:
        url = message.location["url"]
        if message.type == "error" and not url.endswith("/favicon.ico"):
            self.heard.append(f"{url}: {message.text}")


@pytest.fixture
def production(
    server_process: Callable[..., ServerProcess], static_root: Path
) -> ServerProcess:
    site = apps.get_model("customers", "Site").objects.create(key="shop", name="Shop")
    apps.get_model("helpdesk", "Queue").objects.create(site=site, name="Sales")
    # As production hashes it: tests' own hashes are weak and unknown there.
    hashed = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
    user = get_user_model().objects.create(username="ada", password=hashed)
    apps.get_model("agents", "Agent").objects.create(user=user, name="Ada")
    return server_process()


async def test_the_chat_has_all_it_needs(page: Page, production: ServerProcess) -> None:
    """And fetches it by its content."""
    complaints = Complaints(page)
    scripts: list[str] = []
    page.on(
        "response",
        lambda r: scripts.append(r.url) if r.url.endswith(".js") else None,
    )
    await page.goto(f"{production.url}/widget/shop/")
    await page.get_by_role("textbox").first.wait_for()
    static = [url for url in scripts if "/static/" in url]
    assert static
    assert all(len(url.split(".")[-2]) == 12 for url in static), static
    assert complaints.heard == []


async def test_the_dashboard_has_all_it_needs(
    page: Page, production: ServerProcess
) -> None:
    complaints = Complaints(page)
    await page.goto(f"{production.url}/agents/")
    await page.locator("[name=login]").fill("ada")
    await page.locator("[name=password]").fill(PASSWORD)
    await page.locator("[name=password]").press("Enter")
    await page.wait_for_url("**/agents/")
    await page.get_by_text("Online").first.wait_for()
    assert complaints.heard == []
