"""A small shop's desk, to look at."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from helpdesk.models import Queue, QueueMembership

# Printed in the manual: HELPDESK_DEMO keeps strangers out, this does not.
PASSWORD = "demo-pass-1"  # noqa: S105
USERNAMES = ("ada", "ben", "grace", "admin")
LOG_INS = "ada or ben (agents), grace (supervisor), admin"

CANNED = {
    "hello": "Hello {name}, I am {agent}. How can I help?",
    "moment": "Thank you, {name}. Give me a moment to look that up.",
    "order": "Could you tell me your order number? It stands in the confirmation "
    "e-mail and begins with two letters.",
    "refund": "Your refund is on its way. It takes three to five working days to "
    "reach your account.",
    "late": "I am sorry that your parcel is late. I am asking the carrier where it "
    "is and write as soon as I know.",
    "anything": "Is there anything else I can do for you?",
    "bye": "Thank you for writing, {name}. Have a good day!",
}
IN_QUEUE = {"order": "Sales", "late": "Sales", "refund": "Billing"}


class Command(BaseCommand):
    help = "Makes the demo's site, queues, agents and canned replies, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if settings.HELPDESK_PRODUCTION and not settings.HELPDESK_DEMO:
            raise CommandError(
                "Everybody knows the demo's passwords. Set DEMO=on to make its "
                "accounts; the server then answers this machine only."
            )
        with transaction.atomic():
            furnish(port)


def furnish(port: int) -> None:
    """Changes nothing that is there already, except that the shop's pages may
    embed the widget from this port too."""
    Site = apps.get_model("customers", "Site")
    site, is_new = Site.objects.get_or_create(
        key="demo", defaults={"name": "Kiln & Leaf", "greeting": GREETING}
    )
    allow(site, f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    if is_new:
        queues = make_queues(site)
        make_staff(queues)
        make_canned_replies({queue.name: queue for queue in queues})


GREETING = {
    "en": "Hello! Ask us anything about your order.",
    "zh-hans": "您好！关于订单的任何问题，都可以问我们。",
}


def allow(site: Any, *origins: str) -> None:
    known = site.allowed_origins.split()
    missing = [origin for origin in origins if origin not in known]
    if missing:
        site.allowed_origins = "\n".join(known + missing)
        site.save(update_fields=["allowed_origins"])


def make_queues(site: Any) -> list[Queue]:
    strategies = {
        "Sales": Queue.Strategy.LEAST_LOADED,
        "Billing": Queue.Strategy.MANUAL,
    }
    return [
        Queue.objects.create(site=site, name=name, position=place, strategy=strategy)
        for place, (name, strategy) in enumerate(strategies.items())
    ]


def make_staff(queues: list[Queue]) -> None:
    hashed = make_password(PASSWORD)  # takes long, as it must: once for all of them
    agent, supervisor = QueueMembership.Role.AGENT, QueueMembership.Role.SUPERVISOR
    make_agent("ada", hashed, agent, queues)
    make_agent("ben", hashed, agent, queues)
    make_agent("grace", hashed, supervisor, queues)
    make_user("admin", hashed, is_staff=True, is_superuser=True)


def make_agent(
    username: str, hashed: str, role: QueueMembership.Role, queues: list[Queue]
) -> None:
    """Ada is Ada's name."""
    reads_transcripts = role == QueueMembership.Role.SUPERVISOR  # in the admin
    user = make_user(username, hashed, is_staff=reads_transcripts)
    if user is None:
        return
    user.groups.add(*Group.objects.filter(name=role.value.capitalize()))
    if reads_transcripts:
        for queue in queues:
            queue.site.managers.add(user)
    Agent = apps.get_model("agents", "Agent")
    agent = Agent.objects.create(user=user, name=username.capitalize(), capacity=4)
    for queue in queues:
        QueueMembership.objects.create(queue=queue, agent=agent, role=role)


def make_user(username: str, hashed: str, **rights: bool) -> Any:
    """None when there is one of that name."""
    fields = {"email": f"{username}@example.com", "password": hashed, **rights}
    user, is_new = get_user_model().objects.get_or_create(
        username=username, defaults=fields
    )
    return user if is_new else None


def make_canned_replies(queues: dict[str, Queue]) -> None:
    CannedReply = apps.get_model("agents", "CannedReply")
    for shortcut, text in CANNED.items():
        reply = CannedReply.objects.create(shortcut=shortcut, text=text)
        if name := IN_QUEUE.get(shortcut):
            queues[name].canned_replies.add(reply)
