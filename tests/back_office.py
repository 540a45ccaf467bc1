"""Two sites, each with a queue and people, for whoever tests what they may see."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from agents.models import Agent
from customers.models import Customer, Site
from helpdesk.models import (
    Assignment,
    Attachment,
    Conversation,
    Message,
    Queue,
    QueueMembership,
)
from helpdesk.reasons import Chosen

make_groups = import_module("helpdesk.migrations.0002_groups").make_groups

NOON = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
PASSWORD = "a-long-enough-one"
CHOSEN = Chosen(
    agent="Ada",
    load=1,
    capacity=4,
    idle_seconds=180,
    by="least_loaded",
    next="Ben",
)
ids = itertools.count(1)


@dataclass
class Office:
    acme: Site
    other: Site
    sales: Queue
    billing: Queue  # of the other site
    ada: Agent
    olaf: Agent  # of the other site


def open_office() -> Office:
    if not Group.objects.filter(name="Manager").exists():
        make_groups(apps)  # a transactional test has emptied what migrations filled
    acme = Site.objects.create(key="acme", name="Acme", secret="acme-secret")
    other = Site.objects.create(key="other", name="Other Corp", secret="other-secret")
    sales = Queue.objects.create(site=acme, name="Sales")
    billing = Queue.objects.create(site=other, name="Secret billing")
    ada, olaf = agent("ada", sales), agent("olaf", billing)
    return Office(acme, other, sales, billing, ada, olaf)


def agent(username: str, queue: Queue) -> Agent:
    user = User.objects.create_user(username, f"{username}@example.com", PASSWORD)
    user.groups.add(Group.objects.get(name="Agent"))
    made = Agent.objects.create(user=user, name=username.capitalize())
    QueueMembership.objects.create(queue=queue, agent=made)
    return made


def staff(username: str, group: str | None, *sites: Site) -> User:
    user = User.objects.create_user(
        username, f"{username}@example.com", PASSWORD, is_staff=True
    )
    if group:
        user.groups.add(Group.objects.get(name=group))
    for site in sites:
        site.managers.add(user)
    return user


def superuser() -> User:
    return User.objects.create_superuser("root", "root@example.com", PASSWORD)


def signed_in(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


def conversation(queue: Queue, **facts: Any) -> Conversation:
    """Ended unless said otherwise, with a customer of its own."""
    customer = facts.pop("customer", None) or Customer.objects.create(
        site=queue.site, name=facts.pop("name", "Cora Lee"), email="cora@example.com"
    )
    facts = {
        "state": "ended",
        "outcome": "resolved",
        "created_at": NOON,
        "waiting_since": NOON,
        "started_at": NOON + dt.timedelta(minutes=3),
        "ended_at": NOON + dt.timedelta(minutes=20),
    } | facts
    return Conversation.objects.create(
        site=queue.site, queue=queue, customer=customer, **facts
    )


def say(
    told: Conversation, text: str, by: Agent | None = None, **facts: Any
) -> Message:
    """The next message: the customer's, unless an agent says it."""
    facts = {
        "kind": "text",
        "author": "agent" if by else "customer",
        "sender": by.pk if by else told.customer_id,
    } | facts
    is_note = facts["kind"] == "note"
    told.seq += not is_note
    told.notes += is_note
    told.save()
    return Message.objects.create(
        conversation=told,
        place=told.seq + told.notes,
        seq=told.seq,
        notes=told.notes,
        client_id=f"client-{next(ids)}",
        text=text,
        **({"at": NOON + dt.timedelta(minutes=told.seq + told.notes)} | facts),
    )


def hold(told: Conversation, by: Agent, **facts: Any) -> Assignment:
    return Assignment.objects.create(
        conversation=told, agent=by, **({"started_at": NOON} | facts)
    )


def attach(message: Message, name: str, type: str = "image/png") -> Attachment:
    return Attachment.objects.create(
        site=message.conversation.site,
        uploader=message.sender,
        message=message,
        name=name,
        type=type,
        size=1234,
        file="attachments/none",
        created_at=NOON,
    )
