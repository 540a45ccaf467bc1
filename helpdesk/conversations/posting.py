"""Posts: many, and committed together by the writer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings

from .. import hub, protocol, uploads, writer
from ..errors import AttachmentUnknown, Empty, TooLong
from ..models import Conversation, Message
from ..protocol import wire_time
from .telling import staff_audiences

as_text: Callable[[UUID], str] = msgspec.to_builtins  # several times faster than str


class Acked(NamedTuple):
    """What the poster hears, and whether the id had been used before."""

    frame: bytes
    repeated: bool


async def post(
    post: writer.Post, author: protocol.Author, skip: hub.Listener | None = None
) -> Acked:
    """Store a message and tell everybody entitled but `skip`, the posting socket.
    Returns the ack once the message is on disk; an id used before is acked as then.
    Raises Refused."""
    check_text(post.text, post.attachments, post.author)
    stored = await writer.add(post)
    if isinstance(stored, writer.Answered):
        return Acked(protocol.encode(stored.ack), repeated=True)
    if not stored.repeated:
        publish_post(post, stored, author, skip)
    ack = protocol.PostAck(
        id=post.client_id,
        conversation=as_text(stored.conversation),
        seq=stored.seq,
        notes=None if post.author == "customer" else stored.notes,
        at=wire_time(stored.at),
    )
    return Acked(protocol.encode(ack), stored.repeated)


def check_text(text: str, attachments: Collection[object], author: str) -> None:
    """Raises Empty or TooLong (also for too many files)."""
    most = text_limit(author)
    if len(text) > most:
        raise TooLong(f"text: at most {most:,} characters.")
    if attachments and len(attachments) > settings.HELPDESK_ATTACHMENTS:
        raise TooLong(f"attachments: at most {settings.HELPDESK_ATTACHMENTS} files.")
    if not attachments and not text.strip():
        raise Empty


def text_limit(author: str) -> int:
    """In characters."""
    if author == "customer":
        return int(settings.HELPDESK_MESSAGE_CHARS)
    return int(settings.HELPDESK_AGENT_MESSAGE_CHARS)


def publish_post(
    post: writer.Post,
    stored: writer.Stored,
    author: protocol.Author,
    skip: hub.Listener | None,
) -> None:
    """Customer, holder and watchers hear a message; a note only the latter two."""
    where, customer = as_text(stored.conversation), as_text(stored.customer)
    agent = as_text(stored.agent) if stored.agent else None
    # Every process hears the first event, so that the second need not tell it again.
    mark = hub.Mark(
        where,
        stored.seq,
        stored.place,
        stored.version,
        customer,
        agent,
        Conversation.State.ACTIVE if agent else Conversation.State.WAITING,
    )
    desk = hub.current()
    message = _message(post, stored, author, uploads.STAFF, notes=stored.notes)
    frame = protocol.encode(protocol.Posted(where, message))
    desk.publish(hub.Event(staff_audiences(where, agent), frame, mark), skip)
    if not post.note:
        audience = f"customer.{customer}"
        message = _message(post, stored, author, audience, notes=None)
        frame = protocol.encode(protocol.Posted(where, message))
        desk.publish(hub.Event((audience,), frame), skip)


def _message(
    post: writer.Post,
    stored: writer.Stored,
    author: protocol.Author,
    audience: str,
    notes: int | None,
) -> protocol.Message:
    return protocol.Message(
        seq=stored.seq,
        notes=notes,
        id=post.client_id,
        kind=Message.Kind.NOTE if post.note else Message.Kind.TEXT,
        author=author,
        text=post.text,
        attachments=[uploads.attachment_frame(f, audience) for f in stored.attachments],
        at=wire_time(stored.at),
    )


def attachment_ids(wanted: Sequence[str] | None) -> tuple[UUID, ...]:
    """Raises AttachmentUnknown for what cannot be an id."""
    if not wanted:
        return ()
    try:
        return tuple(map(UUID, wanted))
    except ValueError:
        raise AttachmentUnknown from None
