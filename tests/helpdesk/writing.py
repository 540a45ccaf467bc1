"""A desk with conversations to write in, for the tests of the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model

from agents.models import Agent
from customers.models import Customer, Site
from helpdesk import database, writer
from helpdesk.models import Attachment, Conversation, Message, Queue
from helpdesk.writer import Answered, Post, Stored

T = TypeVar("T")


def new_conversation(state: str = "active", **fields: Any) -> Conversation:
    """Cora with Ada, at a site of their own."""
    name = uuid4().hex
    site = Site.objects.create(key=name, name="Shop")
    user = get_user_model().objects.create(username=name)
    ada = Agent.objects.create(user=user, name="Ada")
    now = database.db_now()
    usual = {
        "site": site,
        "queue": Queue.objects.create(site=site, name="Billing"),
        "customer": Customer.objects.create(site=site, name="Cora"),
        "agent": None if state == "waiting" else ada,
        "state": state,
        "created_at": now,
        "waiting_since": now,
        "ended_at": now if state == "ended" else None,
    }
    return Conversation.objects.create(**usual | fields)


def hers(where: Conversation, text: str = "Hello?", **changes: Any) -> Post:
    """A post of the customer's."""
    usual = {
        "sender": where.customer_id,
        "author": "customer",
        "conversation": where.pk,
        "client_id": str(uuid4()),
        "text": text,
    }
    return Post(**usual | changes)


def holders(where: Conversation, text: str = "Hi!", **changes: Any) -> Post:
    """A post of the agent's who holds it."""
    usual = {"sender": where.agent_id, "author": "agent"}
    return hers(where, text, **usual | changes)


async def add(post: Post) -> Stored:
    stored = await writer.add(post)
    assert not isinstance(stored, Answered)
    return stored


def new_file(uploader: UUID, **fields: Any) -> Attachment:
    usual = {
        "uploader": uploader,
        "name": "a.png",
        "type": "image/png",
        "size": 7,
        "created_at": database.db_now(),
    }
    return Attachment.objects.create(**usual | fields)


def story(conversation: Conversation) -> list[Message]:
    return list(Message.objects.filter(conversation=conversation).order_by("place"))


def check_story(conversation: Conversation) -> list[Message]:
    """No hole, and the counters say what is there."""
    said = story(conversation)
    conversation.refresh_from_db()
    public = [message for message in said if message.kind != "note"]
    assert [message.seq for message in public] == list(range(1, len(public) + 1))
    assert [message.place for message in said] == list(range(1, len(said) + 1))
    assert (conversation.seq, conversation.notes) == (
        len(public),
        len(said) - len(public),
    )
    return said


def elsewhere(work: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
    """Run it in another thread with a loop, and so a writer, of its own."""

    async def with_writer() -> T:
        try:
            return await work()
        finally:
            await writer.close()

    executor = ThreadPoolExecutor(1)
    future: Future[T] = executor.submit(lambda: asyncio.run(with_writer()))
    executor.shutdown(wait=False)
    return asyncio.wrap_future(future)
