"""Where an agent's files come in: for agents, from the dashboard's own page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import AsyncClient, Client
from pytest_django.fixtures import Settings

from customers.identity import make_token
from helpdesk import limits
from helpdesk.database import reading
from helpdesk.models import Attachment
from tests.back_office import PASSWORD, Office
from tests.helpdesk import samples

ADDRESS = "/agents/uploads/"
CSRF = "a" * 32

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _disk(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "uploads", limits.Limit(0.5, 20))


def session_of(username: str) -> str:
    browser = Client()
    assert browser.login(username=username, password=PASSWORD)
    return browser.cookies["sessionid"].value


async def send(
    session: str = "", data: bytes = b"", *, csrf: str = CSRF, **headers: str
) -> HttpResponse:
    browser = AsyncClient(enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = CSRF
    if session:
        browser.cookies["sessionid"] = session
    response = await browser.post(
        ADDRESS,
        {"file": SimpleUploadedFile("photo.png", data or samples.picture())},
        headers={"X-CSRFToken": csrf, "Origin": "http://testserver", **headers},
    )
    assert isinstance(response, HttpResponse)
    return response


async def test_an_agent_sends_a_file(office: Office) -> None:
    response = await send(await reading(session_of, "ada"))
    assert response.status_code == 201
    kept = await reading(Attachment.objects.get)
    assert (kept.uploader, kept.message_id) == (office.ada.pk, None)


async def test_what_comes_back_opens(office: Office) -> None:
    response = await send(await reading(session_of, "ada"))
    opened = await AsyncClient().get(json.loads(response.content)["url"])
    assert opened.status_code == 200


async def test_who_is_not_signed_in_may_not(office: Office) -> None:
    assert (await send()).status_code == 401
    assert not await reading(Attachment.objects.exists)


async def test_who_is_signed_in_but_no_agent_may_not(office: Office) -> None:
    await reading(User.objects.create_user, "mallory", "", PASSWORD)
    response = await send(await reading(session_of, "mallory"))
    assert response.status_code == 403
    assert not await reading(Attachment.objects.exists)


@pytest.mark.parametrize(
    "headers", [{"csrf": ""}, {"csrf": "b" * 32}, {"Origin": "https://mallory.example"}]
)
async def test_another_sites_page_may_not_use_the_session(
    office: Office, headers: dict[str, str]
) -> None:
    session = await reading(session_of, "ada")
    assert (await send(session, **headers)).status_code == 403
    assert not await reading(Attachment.objects.exists)


async def test_a_customers_token_is_nothing_here(office: Office) -> None:
    token = make_token(office.acme, office.ada.pk)
    response = await send(Authorization=f"Bearer {token}")
    assert response.status_code == 401


async def test_a_page_is_refused(office: Office) -> None:
    session = await reading(session_of, "ada")
    response = await send(session, samples.REFUSED["html"])
    assert response.status_code == 415
    assert json.loads(response.content)["code"] == "type_unknown"


async def test_too_fast(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "uploads", limits.Limit(0.5, 1))
    session = await reading(session_of, "ada")
    assert (await send(session)).status_code == 201
    response = await send(session)
    assert response.status_code == 429
    assert json.loads(response.content)["retry_ms"]
