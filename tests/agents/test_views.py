"""The dashboard's page and its canned replies (for files see test_uploads.py)."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from agents.models import CannedReply
from tests.back_office import PASSWORD, Office, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(office: Office) -> Client:
    return signed_in(office.ada.user)


@pytest.fixture
def mallory(office: Office) -> Client:
    """Signed in, and no agent."""
    return signed_in(User.objects.create_user("mallory", password=PASSWORD))


# --- the page


def test_a_stranger_is_sent_to_the_log_in_and_back() -> None:
    answer = Client().get("/agents/")
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/accounts/login/?next=/agents/",
    )


def test_an_agent_gets_the_desk(ada: Client, office: Office) -> None:
    answer = ada.get("/agents/")
    assert answer.status_code == 200
    assert f'data-agent="{office.ada.pk}"' in answer.content.decode()


def test_modules_are_served_one_by_one_only_in_development(
    ada: Client, settings: Settings
) -> None:
    assert b"packed/dashboard.js" in ada.get("/agents/?sources").content
    settings.DEBUG = True
    assert b"dashboard/main.js" in ada.get("/agents/?sources").content


def test_somebody_who_is_no_agent_is_told_so_kindly(mallory: Client) -> None:
    answer = mallory.get("/agents/")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "You are not an agent yet" in page
    assert "data-csrf" not in page


def test_a_manager_without_a_seat_is_shown_where_to_make_one(office: Office) -> None:
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    assert (
        "/admin/agents/agent/add/" in signed_in(boss).get("/agents/").content.decode()
    )


def test_the_kind_words_offer_no_admin_to_others(mallory: Client) -> None:
    assert "/admin/" not in mallory.get("/agents/").content.decode()


def test_the_desk_is_never_cached(ada: Client) -> None:
    assert "no-store" in ada.get("/agents/")["Cache-Control"]


def test_the_desk_may_not_be_framed(ada: Client) -> None:
    answer = ada.get("/agents/")
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"


def test_the_desk_has_no_inline_code(ada: Client) -> None:
    page = ada.get("/agents/").content.decode()
    scripts = re.findall(r"<script(?![^>]*src=)[^>]*>", page)
    assert scripts == ['<script id="words" type="application/json">']
    assert not re.search(r"\sstyle=|\son\w+=", page)


def test_a_name_with_markup_stays_a_name(ada: Client, office: Office) -> None:
    office.ada.name = '"><script>alert(1)</script>'
    office.ada.save()
    assert "<script>alert(1)" not in ada.get("/agents/").content.decode()


@pytest.mark.parametrize(
    ("wanted", "lang", "said"),
    [("en", "en", "Desk"), ("zh-CN", "zh-Hans", "服务台"), ("xx", "en", "Desk")],
)
def test_the_desk_speaks_the_agents_language(
    ada: Client, wanted: str, lang: str, said: str
) -> None:
    page = ada.get("/agents/", headers={"Accept-Language": wanted}).content.decode()
    assert f'<html lang="{lang}"' in page
    assert f"<title>{said}</title>" in page


def test_its_scripts_get_their_words(ada: Client) -> None:
    page = ada.get("/agents/", headers={"Accept-Language": "zh-CN"}).content.decode()
    found = re.search(r'id="words" type="application/json">(.*?)</script>', page)
    assert found is not None
    words = json.loads(found[1])
    assert words["locale"] == "zh-Hans"
    assert words["words"]["Take"] == "接待"


def test_the_language_can_be_chosen(ada: Client) -> None:
    answer = ada.post("/agents/language/", {"language": "zh-hans", "next": "/agents/"})
    assert answer["Location"] == "/agents/"
    assert "服务台" in ada.get("/agents/").content.decode()


def test_choosing_a_language_leads_nowhere_else(ada: Client) -> None:
    answer = ada.post(
        "/agents/language/", {"language": "en", "next": "https://evil.example/"}
    )
    assert answer["Location"] == "/"


def test_only_the_page_is_read_so(ada: Client) -> None:
    assert ada.post("/agents/").status_code == 405


# --- canned replies


def test_an_agent_gets_the_replies_of_all_queues_and_of_their_own(
    ada: Client, office: Office
) -> None:
    CannedReply.objects.create(shortcut="hello", text="Hello {name}")
    CannedReply.objects.create(shortcut="offer", text="An offer").queues.add(
        office.sales
    )
    CannedReply.objects.create(shortcut="secret", text="Secret").queues.add(
        office.billing
    )
    assert ada.get("/agents/canned/").json() == {
        "replies": [
            {"shortcut": "hello", "text": "Hello {name}", "queues": []},
            {
                "shortcut": "offer",
                "text": "An offer",
                "queues": [str(office.sales.pk)],
            },
        ]
    }


def test_a_reply_of_several_queues_comes_once_and_names_no_foreign_one(
    ada: Client, office: Office
) -> None:
    reply = CannedReply.objects.create(shortcut="both", text="Both")
    reply.queues.add(office.sales, office.billing)
    (only,) = ada.get("/agents/canned/").json()["replies"]
    assert only["queues"] == [str(office.sales.pk)]


def test_a_stranger_gets_no_replies() -> None:
    answer = Client().get("/agents/canned/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_mallory_gets_no_replies(mallory: Client) -> None:
    answer = mallory.get("/agents/canned/")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
