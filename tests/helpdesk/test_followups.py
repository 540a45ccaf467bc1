"""One mail for what a customer missed: after two minutes, once, not if it was seen."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.db import transaction

from customers.models import Customer
from helpdesk import conversations, database, followups, writer
from helpdesk.database import db_now
from helpdesk.models import Conversation, OutgoingMail
from helpdesk.pairing import assign
from helpdesk.reasons import Took
from tests.back_office import Office

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _public(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"  # type: ignore[attr-defined]
    monkeypatch.setattr(database, "offset", dt.timedelta(0))


@pytest.fixture
def talk(office: Office) -> Conversation:
    """Cora, whose address is known, talks with Ada."""
    cora = Customer.objects.create(
        site=office.acme, name="Cora", email="cora@example.com", locale="en"
    )
    now = db_now()
    conversation = Conversation.objects.create(
        site=office.acme,
        queue=office.sales,
        customer=cora,
        created_at=now,
        waiting_since=now,
    )
    with transaction.atomic():
        took = Took("Ada", 0, 4)
        assign(conversations.locked(conversation.pk), office.ada, took)
    return conversations.locked(conversation.pk)


def says(office: Office, talk: Conversation, text: str) -> None:
    row = conversations.locked(talk.pk)
    writer.say(row, kind="text", author="agent", sender=office.ada.pk, text=text)


def pass_time(seconds: float) -> None:
    database.offset += dt.timedelta(seconds=seconds)


def look() -> None:
    """What the clock does."""
    followups.queue_due(db_now())
    followups.send_due(db_now())


def test_it_mails_what_was_missed_in_one_mail(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    says(office, talk, "Here is the number: 42")
    pass_time(121)
    look()
    (sent,) = mail.outbox
    assert sent.to == ["cora@example.com"]
    assert "Ada: It ships today." in sent.body
    assert "42" in sent.body


def test_it_waits_for_two_minutes(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    pass_time(100)
    look()
    assert mail.outbox == []


def test_it_mails_once(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    pass_time(121)
    look()
    pass_time(600)
    look()
    assert len(mail.outbox) == 1
    assert not OutgoingMail.objects.exists()


def test_it_mails_again_of_what_is_said_later(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    pass_time(121)
    look()
    says(office, talk, "It has left.")
    pass_time(121)
    look()
    assert "It has left." in mail.outbox[1].body


def test_it_does_not_mail_what_was_seen(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    conversations.read(talk, "customer", 99)
    pass_time(121)
    look()
    assert mail.outbox == []


def test_it_is_cancelled_when_seen_just_before(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    pass_time(121)
    followups.queue_due(db_now())
    conversations.read(talk, "customer", 99)
    followups.send_due(db_now())
    assert mail.outbox == []
    assert not OutgoingMail.objects.exists()


def test_a_note_is_never_mailed(office: Office, talk: Conversation):
    row = conversations.locked(talk.pk)
    writer.say(row, kind="note", author="agent", sender=office.ada.pk, text="secret")
    says(office, talk, "Hello")
    pass_time(121)
    look()
    assert "secret" not in mail.outbox[0].body


def test_nobody_is_mailed_without_an_address(office: Office, talk: Conversation):
    Customer.objects.update(email="")
    says(office, talk, "It ships today.")
    pass_time(121)
    look()
    assert mail.outbox == []


def test_it_speaks_chinese(office: Office, talk: Conversation):
    Customer.objects.update(locale="zh-CN")
    says(office, talk, "今天发货")
    pass_time(121)
    look()
    assert mail.outbox[0].subject == "Acme 已回复您"


def test_a_mail_server_that_is_down_is_tried_again(
    office: Office, talk: Conversation, monkeypatch: pytest.MonkeyPatch
):
    says(office, talk, "It ships today.")
    pass_time(121)
    with monkeypatch.context() as down:

        def refuse(*_: object, **__: object) -> int:
            raise ConnectionRefusedError

        down.setattr("django.core.mail.EmailMessage.send", refuse)
        look()
    assert mail.outbox == []
    pass_time(300)
    look()
    assert len(mail.outbox) == 1


def test_two_processes_send_one(office: Office, talk: Conversation):
    says(office, talk, "It ships today.")
    pass_time(121)
    followups.queue_due(db_now())
    mine = OutgoingMail.objects.get()
    followups.send_due(db_now())
    assert not followups._claim(mine, db_now())
    assert len(mail.outbox) == 1


def test_a_name_cannot_add_a_header(office: Office, talk: Conversation):
    talk.site.name = "Acme\nBcc: everybody@example.com"
    assert "\n" not in followups.compose(talk, 99).subject


def test_its_link_opens_the_conversation(office: Office, talk: Conversation):
    link = followups.resume_link(talk)
    address, _, signed = link.partition("#")
    assert address == "https://chat.example/widget/acme/resume/"
    opened = followups.read_link(signed)
    assert opened == (talk.pk, talk.customer_id)


def test_a_forged_link_opens_nothing(office: Office, talk: Conversation):
    assert followups.read_link("forged") is None
