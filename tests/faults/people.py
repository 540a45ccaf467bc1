"""Opens the desk of a fault: `python -m tests.faults.people` migrates the database and
prints who works there and how they sign in.

Two sites. The shop has a queue for each way in which conversations reach an agent, and
agents in all of them; the rival has one of each, so that something could leak."""

from __future__ import annotations

import os
import sys
from typing import Any

import django
import msgspec

PAGE = "https://{}.example"  # which the site allows
CAPACITY = 4
STAFF = ("ada", "ben", "eve")


def main() -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return {"shop": shop("shop", STAFF), "rival": shop("rival", ("olaf",))}


def shop(key: str, names: tuple[str, ...]) -> dict[str, Any]:
    from customers.models import Site
    from helpdesk.models import Queue

    site = Site.objects.create(
        key=key, name=key.capitalize(), allowed_origins=PAGE.format(key)
    )
    ways: dict[str, dict[str, Any]] = {
        "given": {},
        "offered": {"delivery": "offer", "ring_seconds": 20},
        "taken": {"strategy": "manual"},
    }
    queues = {
        way: Queue.objects.create(site=site, name=way, position=number, **fields)
        for number, (way, fields) in enumerate(ways.items())
    }
    return {
        "key": key,
        "page": PAGE.format(key),
        "queues": {way: str(queue.pk) for way, queue in queues.items()},
        "agents": [agent(name, list(queues.values())) for name in names],
    }


def agent(name: str, queues: list[Any]) -> dict[str, str]:
    from django.contrib.auth.models import User

    from agents.models import Agent
    from helpdesk.models import QueueMembership

    # Never shown to anybody: a customer's tab that reads it has found a leak.
    user = User.objects.create(username=name, email=f"{name}@colleagues.invalid")
    user.set_unusable_password()
    user.save()
    row = Agent.objects.create(user=user, name=name.capitalize(), capacity=CAPACITY)
    for queue in queues:
        QueueMembership.objects.create(queue=queue, agent=row)
    return {"id": str(row.pk), "name": row.name, "cookie": cookie_of(user)}


def cookie_of(user: Any) -> str:
    """Of a browser in which the user is signed in."""
    from django.conf import settings
    from django.contrib.auth import (
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
        SESSION_KEY,
    )
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main()))
