"""Fills the bench's database with pairs that talk, and prints how they sign in:

python -m bench.people PAIRS
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

import django
import msgspec

TEAM = 10  # agents a queue; they hear of each other and of their queue


def main(pairs: int) -> list[list[dict[str, Any]]]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    django.setup()
    from customers.models import Site
    from helpdesk.models import Queue

    end_all()
    site = Site.objects.create(key=f"bench-{uuid.uuid4().hex[:8]}", name="Bench")
    queues = [
        Queue.objects.create(site=site, name=f"Team {number}")
        for number in range(-(-pairs // TEAM))
    ]
    return [pair(site, queues[number // TEAM]) for number in range(pairs)]


def end_all() -> None:
    """What earlier rounds left would be swept, requeued and told while we measure."""
    from helpdesk.database import db_now
    from helpdesk.models import Assignment, Conversation

    now = db_now()
    Assignment.objects.filter(ended_at=None).update(ended_at=now, ended_why="bench")
    left = Conversation.objects.exclude(state="ended")
    left.update(state="ended", outcome="resolved", ended_at=now)


def pair(site: Any, queue: Any) -> list[dict[str, Any]]:
    """A customer and the agent who holds her conversation, as sockets to open."""
    from customers.identity import make_token
    from customers.models import Customer

    customer = Customer.objects.create(site=site, name="Cora")
    agent, cookie = sign_in(queue)
    conversation = hold(site, queue, customer, agent)
    token = make_token(site, customer.pk)
    return [
        {
            "path": f"/ws/customer/{site.key}/",
            "hello": {"type": "hello", "token": token},
        },
        {
            "path": "/ws/agent/",
            "cookie": cookie,
            "hello": {"type": "hello"},
            "conversation": str(conversation.pk),
        },
    ]


def sign_in(queue: Any) -> tuple[Any, str]:
    from django.conf import settings
    from django.contrib.auth import (
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
        SESSION_KEY,
        get_user_model,
    )
    from django.contrib.sessions.backends.db import SessionStore

    from agents.models import Agent
    from helpdesk.models import QueueMembership

    user = get_user_model().objects.create(username=uuid.uuid4().hex)
    user.set_unusable_password()
    user.save()
    agent = Agent.objects.create(user=user, name="Ada", capacity=500)
    QueueMembership.objects.create(queue=queue, agent=agent)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return agent, f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def hold(site: Any, queue: Any, customer: Any, agent: Any) -> Any:
    from helpdesk.database import db_now
    from helpdesk.models import Assignment, Conversation

    now = db_now()
    conversation = Conversation.objects.create(
        site=site,
        queue=queue,
        customer=customer,
        agent=agent,
        state="active",
        created_at=now,
        waiting_since=now,
        started_at=now,
    )
    Assignment.objects.create(conversation=conversation, agent=agent, started_at=now)
    return conversation


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(int(sys.argv[1]))))
