"""The link in a follow-up mail."""

from __future__ import annotations

import pytest
from django.test import Client

from customers.identity import read_token
from customers.models import Customer, Site
from helpdesk import followups
from helpdesk.database import db_now
from helpdesk.models import Conversation
from tests.back_office import Office

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def link(office: Office) -> str:
    cora = Customer.objects.create(site=office.acme, name="Cora")
    now = db_now()
    talk = Conversation.objects.create(
        site=office.acme,
        queue=office.sales,
        customer=cora,
        created_at=now,
        waiting_since=now,
    )
    return followups.resume_link(talk).partition("#")[2]


def open_link(key: str, link: object) -> object:
    return Client().post(
        f"/widget/{key}/resume/token/",
        {"link": link},
        content_type="application/json",
        headers={"Origin": "http://testserver"},
    )


def test_it_opens_as_who_it_was_sent_to(office: Office, link: str):
    answer = open_link("acme", link)
    token = read_token(office.acme, answer.json()["token"])
    assert token.customer_id == Customer.objects.get().pk


def test_another_sites_link_opens_nothing(office: Office, link: str):
    assert open_link("other", link).status_code == 401


@pytest.mark.parametrize("forged", ["", "x", "a:b:c", "é" * 50])
def test_a_forged_one_opens_nothing(office: Office, forged: str):
    assert open_link("acme", forged).status_code == 401


def test_a_body_without_a_link_is_refused(office: Office):
    assert open_link("acme", None).status_code == 400


def test_the_page_tells_nobody_where_it_came_from(office: Office):
    page = Client().get("/widget/acme/resume/")
    assert page["Referrer-Policy"] == "no-referrer"


def test_there_is_no_page_of_an_unknown_site(db: None):
    assert Site.objects.count() == 0
    assert Client().get("/widget/nobody/resume/").status_code == 404
