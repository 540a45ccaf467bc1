"""The back office of the customer side: sites and customers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Customer, Site
from tests.back_office import (
    NOON,
    Office,
    conversation,
    signed_in,
    staff,
)

pytestmark = pytest.mark.django_db

SITES = "/admin/customers/site/"
CUSTOMERS = "/admin/customers/customer/"


def change(row: Site | Customer) -> str:
    folder = SITES if isinstance(row, Site) else CUSTOMERS
    return f"{folder}{row.pk}/change/"


def site_form(site: Site, **facts: Any) -> dict[str, Any]:
    return {
        "name": site.name,
        "allowed_origins": site.allowed_origins,
        "locale": site.locale,
        "accent": site.accent,
        "greeting_en": "Hi!",
        "greeting_zh_hans": "您好！",
        "secret": site.secret,
        "queues-TOTAL_FORMS": 0,
        "queues-INITIAL_FORMS": 0,
    } | facts


# Sites


def test_an_agent_may_not_see_sites(office: Office) -> None:
    ada = signed_in(office.ada.user)
    for address in (SITES, change(office.acme), CUSTOMERS):
        assert ada.get(address, follow=True).status_code == 403


def test_a_manager_sees_the_own_site_alone(office: Office, manager: Client) -> None:
    page = manager.get(SITES).content.decode()
    assert "Acme" in page
    assert "Other Corp" not in page
    assert manager.get(change(office.other)).status_code == 302


def test_the_snippet_stands_ready_to_copy(
    office: Office, manager: Client, settings: Any
) -> None:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    page = manager.get(change(office.acme)).content.decode()
    assert (
        "&lt;script src=&quot;https://chat.example/widget.js&quot; "
        "data-site=&quot;acme&quot; async&gt;&lt;/script&gt;"
    ) in page


def test_without_a_public_address_the_snippet_names_this_server(
    office: Office, manager: Client, settings: Any
) -> None:
    settings.HELPDESK_PUBLIC_URL = ""
    page = manager.get(change(office.acme), headers={"host": "127.0.0.1:8000"})
    assert "http://127.0.0.1:8000/widget.js" in page.content.decode()


def test_a_manager_changes_origins_and_greetings(
    office: Office, manager: Client
) -> None:
    form = site_form(office.acme, allowed_origins="https://shop.example")
    assert manager.post(change(office.acme), form).status_code == 302
    office.acme.refresh_from_db()
    assert office.acme.allows("https://shop.example")
    assert office.acme.greeting == {"en": "Hi!", "zh-hans": "您好！"}


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/",
        "*",
        "javascript:alert(1)",
        "https://a@b",
    ],
)
def test_what_is_no_origin_is_refused(
    office: Office, manager: Client, origin: str
) -> None:
    form = site_form(office.acme, allowed_origins=origin)
    assert (
        "is not an origin" in manager.post(change(office.acme), form).content.decode()
    )
    office.acme.refresh_from_db()
    assert office.acme.allowed_origins == ""


def test_greetings_in_other_languages_are_kept(office: Office, manager: Client) -> None:
    Site.objects.filter(pk=office.acme.pk).update(greeting={"de": "Hallo!"})
    manager.post(change(office.acme), site_form(office.acme, greeting_en=""))
    office.acme.refresh_from_db()
    assert office.acme.greeting == {"de": "Hallo!", "zh-hans": "您好！"}


def test_a_manager_may_not_change_another_site(office: Office, manager: Client) -> None:
    manager.post(change(office.other), site_form(office.other, name="Mine"))
    office.other.refresh_from_db()
    assert office.other.name == "Other Corp"


def test_a_manager_may_not_name_managers(office: Office, manager: Client) -> None:
    eve = staff("eve", None)
    manager.post(change(office.acme), site_form(office.acme, managers=[eve.pk]))
    assert eve not in office.acme.managers.all()


def test_a_superuser_names_managers(office: Office, root: Client) -> None:
    eve = staff("eve", None)
    root.post(change(office.acme), site_form(office.acme, managers=[eve.pk]))
    assert list(office.acme.managers.all()) == [eve]


def test_a_manager_may_neither_add_nor_delete_a_site(
    office: Office, manager: Client
) -> None:
    assert manager.get(f"{SITES}add/").status_code == 403
    assert manager.post(f"{SITES}{office.acme.pk}/delete/").status_code == 403


def test_a_superuser_adds_a_site(office: Office, root: Client) -> None:
    form = site_form(Site(name="New", secret="s"), key="new")
    assert root.post(f"{SITES}add/", form).status_code == 302
    assert Site.objects.get(key="new").greeting["en"] == "Hi!"


def test_the_key_stays(office: Office, root: Client) -> None:
    root.post(change(office.acme), site_form(office.acme, key="changed"))
    office.acme.refresh_from_db()
    assert office.acme.key == "acme"


def test_the_secret_is_shown_to_who_may_change_the_site(
    office: Office, manager: Client
) -> None:
    assert "acme-secret" in manager.get(change(office.acme)).content.decode()


def test_the_secret_is_not_shown_to_who_only_looks(office: Office) -> None:
    grace = signed_in(staff("grace", "Supervisor", office.acme))
    page = grace.get(change(office.acme)).content.decode()
    assert "widget.js" in page
    assert "acme-secret" not in page


@pytest.mark.parametrize("lookup", ["secret", "secret__startswith", "secret__gt"])
def test_nor_told_letter_by_letter(office: Office, lookup: str) -> None:
    grace = signed_in(staff("grace", "Supervisor", office.acme))
    assert grace.get(f"{SITES}?{lookup}=a").status_code == 400


# Customers


def test_a_manager_sees_the_own_sites_customers_alone(
    office: Office, manager: Client
) -> None:
    own = conversation(office.sales, name="Cora Lee").customer
    foreign = conversation(office.billing, name="Olga Other").customer
    page = manager.get(CUSTOMERS).content.decode()
    assert "Cora Lee" in page
    assert "Olga Other" not in page
    assert manager.get(change(own)).status_code == 200
    assert manager.get(change(foreign)).status_code == 302


@pytest.mark.parametrize("who", ["manager", "root"])
def test_nobody_changes_or_deletes_a_customer(
    office: Office, who: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(who)
    cora = conversation(office.sales, name="Cora Lee").customer
    assert client.post(change(cora), {"name": "Eve"}).status_code == 403
    assert client.post(f"{CUSTOMERS}{cora.pk}/delete/").status_code == 403
    assert client.get(f"{CUSTOMERS}add/").status_code == 403
    cora.refresh_from_db()
    assert cora.name == "Cora Lee"


def test_a_customer_leads_to_the_transcripts(office: Office, manager: Client) -> None:
    talk = conversation(office.sales)
    page = manager.get(change(talk.customer)).content.decode()
    assert f"/admin/helpdesk/transcript/{talk.pk}/change/" in page


def test_customers_are_found_by_name_and_address(
    office: Office, manager: Client
) -> None:
    conversation(office.sales, name="Cora Lee")
    for query in ("cora", "cora@example", "lee"):
        assert "Cora Lee" in manager.get(f"{CUSTOMERS}?q={query}").content.decode()


@pytest.mark.parametrize(("group", "may"), [("Manager", True), ("Supervisor", False)])
def test_a_manager_lets_a_blocked_customer_in_again(
    office: Office, group: str, may: bool
) -> None:
    eve = conversation(office.sales).customer
    foreign = conversation(office.billing).customer
    Customer.objects.update(blocked_until=NOON, blocked_why="Rude")
    client = signed_in(staff("mona", group, office.acme))
    client.post(
        CUSTOMERS, {"action": "unblock", "_selected_action": [eve.pk, foreign.pk]}
    )
    blocked = set(Customer.objects.filter(blocked_until=NOON))
    assert blocked == ({foreign} if may else {eve, foreign})
