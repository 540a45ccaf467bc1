"""Every page of every role, one after the other: a strict policy, no code in line, no
frame around it, and no copy of what is private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from tests.attackers.pages import in_line, loose, policy
from tests.back_office import (
    PASSWORD,
    Office,
    attach,
    conversation,
    hold,
    say,
    signed_in,
)

pytestmark = pytest.mark.django_db
OPEN = (
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/signup/",
    "/accounts/inactive/",
    "/nowhere/",
)
SIGNED_IN = (
    "/agents/",
    "/accounts/logout/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/email/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/recovery-codes/",
)


def check(response: Any, address: str, *, framed: bool = False) -> None:
    assert response.status_code < 500, address
    if response.status_code in (301, 302):
        return
    assert loose(response) == [], address
    assert in_line(response.content.decode()) == [], address
    assert response["X-Content-Type-Options"] == "nosniff", address
    assert response["Referrer-Policy"] in ("same-origin", "no-referrer"), address
    if not framed:
        assert policy(response)["frame-ancestors"] == ["'none'"], address
        assert response["X-Frame-Options"] == "DENY", address


def check_private(response: Any, address: str) -> None:
    check(response, address)
    if response.status_code == 200:
        assert "no-store" in response["Cache-Control"], address


def furnish(office: Office) -> None:
    """Something on every list."""
    talk = conversation(office.sales, agent=office.ada, rating=1)
    talk.customer.page = {"url": "https://shop.example", "title": "Cups"}
    talk.customer.fields = {"order": 17}
    talk.customer.save()
    attach(say(talk, "Hello"), "a.png")
    attach(say(talk, "Hello", by=office.ada), "a.pdf", "application/pdf")
    hold(talk, office.ada)
    office.ada.user.emailaddress_set.create(email="ada@example.com", primary=True)
    totp.TOTP.activate(office.olaf.user, totp.generate_totp_secret())


def back_office(user: Any) -> Iterator[str]:
    """Every page that the admin has, of every model and a row of each."""
    yield reverse("admin:index")
    yield "/admin/agents/"
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_changelist") + "?q=x&e=1"
        yield reverse(f"{name}_add")
        row = model._default_manager.first()
        if row is not None:
            for page in ("change", "delete", "history"):
                yield reverse(f"{name}_{page}", args=[quote(row.pk)])


def test_who_is_not_signed_in(office: Office) -> None:
    for address in (*OPEN, *SIGNED_IN, "/admin/", "/admin/login/"):
        check(Client().get(address), address)


@pytest.mark.django_db(transaction=True)  # its views read in threads of their own
def test_the_chat_may_be_framed_by_the_sites_pages_alone(office: Office) -> None:
    office.acme.allowed_origins = "https://shop.example"
    office.acme.save()
    page = Client().get("/widget/acme/")
    check(page, "the chat", framed=True)
    ancestors = policy(page)["frame-ancestors"]
    assert set(ancestors) == {"'self'", "http://testserver", "https://shop.example"}
    check(Client().get("/widget/acme/resume/"), "the link of a mail")


def test_the_demo(office: Office, settings: Settings) -> None:
    settings.HELPDESK_DEMO = True
    page = Client().get("/demo/", headers={"host": "localhost:8000"})
    assert loose(page) == []
    assert in_line(page.content.decode()) == []
    assert policy(page)["script-src"] == ["'self'", "http://127.0.0.1:8000"]


def test_an_agent(office: Office) -> None:
    furnish(office)
    client = Client()
    client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    for address in SIGNED_IN:
        check_private(client.get(address, follow=True), address)


@pytest.mark.parametrize("who", ["manager", "root"])
def test_the_back_office(
    office: Office, who: str, request: pytest.FixtureRequest
) -> None:
    furnish(office)
    client: Client = request.getfixturevalue(who)
    seen = 0
    for address in back_office(client):
        page = client.get(address)
        check_private(page, address)
        seen += page.status_code == 200
    assert seen > 15


def test_what_is_fetched_beside_a_page_is_private_too(office: Office) -> None:
    client = signed_in(office.ada.user)
    for address in ("/agents/canned/",):
        assert "no-store" in client.get(address)["Cache-Control"], address


def test_a_page_for_everybody_is_not(office: Office) -> None:
    assert "no-store" not in Client().get("/widget.js")["Cache-Control"]


def test_a_page_that_does_not_exist_shows_no_internals(office: Office) -> None:
    page = Client().get("/admin/nowhere/../%00/", follow=True).content.decode()
    for word in ("Traceback", "urlpatterns", "helpdesk.urls", "DEBUG"):
        assert word not in page


@pytest.mark.parametrize(
    "html",
    [
        "<p onclick=x>",
        "<img src=x OnError='x'>",
        "<p style='a'>",
        "<style>",
        "<script>x</script>",
        "<script type=module>x</script>",
        "<a href=' javascript:x'>",
        "<a href='java&#115;cript:x'>",
        "<iframe srcdoc=x>",
        "<base href=x>",
    ],
)
def test_the_reader_sees_what_could_run(html: str) -> None:
    assert in_line(html)
    assert in_line(f"<pre>{html.replace('<', '&lt;')}</pre>") == []
