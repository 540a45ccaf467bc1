"""What a customer typed may stand in a mail to whoever they named: as one line of
plain text that cannot begin another one."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from helpdesk import followups
from helpdesk.models import Conversation
from tests.back_office import Office, conversation, say

pytestmark = pytest.mark.django_db
CANARY = '<img src=x onerror="alert(1)">{{ 7|add:7 }}{% now "Y" %}'


@pytest.fixture
def talk(office: Office, settings: Settings) -> Conversation:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    return conversation(office.sales)


def composed(talk: Conversation, **facts: str) -> str:
    for name, value in facts.items():
        setattr(talk.customer, name, value)
    talk.customer.save()
    mail = followups.compose(talk, talk.seq)
    raw = mail.message()
    assert raw.get_content_type() == "text/plain"
    assert raw.get_all("To") == [talk.customer.email]
    assert not {"Bcc", "Cc", "X-Mallory"} & {*raw.keys()}
    return str(mail.body)


@pytest.mark.parametrize(
    "name",
    [
        "Cora\n\nYour account is closed: https://mallory.example",
        "Cora\r\nBcc: everybody@example.com",
        "Cora\u2028\u2028Dear reader",
        "Cora\x0b\x0c\x85Dear reader",
    ],
)
def test_a_name_stays_on_its_line(talk: Conversation, name: str) -> None:
    first, *rest = composed(talk, name=name).strip().splitlines()
    assert first.startswith("Hello")
    assert "Dear reader" not in str(rest)
    assert "mallory" not in str(rest)


@pytest.mark.parametrize(
    "name",
    ["https://mallory.example", "Win at www.mallory.example", "mallory.example/win"],
)
def test_a_name_is_no_link(talk: Conversation, name: str) -> None:
    assert "mallory" not in composed(talk, name=name)


def test_a_name_with_full_stops_is_a_name(talk: Conversation) -> None:
    assert "Hello Cora J. Lee Jr.," in composed(talk, name="Cora J. Lee Jr.")


def test_what_is_said_is_text(talk: Conversation, office: Office) -> None:
    say(talk, CANARY, by=office.ada)
    assert CANARY in composed(talk, name=CANARY[:80])


def test_a_sites_name_writes_no_header(talk: Conversation) -> None:
    talk.site.name = "Shop\nBcc: everybody@example.com\r\nX-Mallory: 1"
    mail = followups.compose(talk, talk.seq)
    assert mail.message()["Subject"].startswith("Shop Bcc:")
    assert not {"Bcc", "X-Mallory"} & {*mail.message().keys()}
