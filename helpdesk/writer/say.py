"""A line that belongs to a change, said in the transaction that makes the change."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db.models import F

from ..database import db_now
from ..errors import AttachmentUnknown
from ..models import Attachment, Conversation, Message


def say(
    conversation: Conversation,
    *,
    kind: str,
    author: str,
    sender: uuid.UUID | None = None,
    client_id: str = "",
    text: str = "",
    event: str = "",
    data: dict[str, Any] | None = None,
    attachments: Collection[uuid.UUID] = (),
) -> Message:
    """Insert a message inside the caller's transaction and return it.

    The caller has locked the conversation's row and read it after that, has looked
    the client id up, and publishes the message on commit. The counters of the
    instance and of the row move on together, by the same rule as a batch of posts.
    """
    at = db_now()
    _count(conversation, kind, at)
    message = Message.objects.create(
        conversation=conversation,
        place=conversation.seq + conversation.notes,
        seq=conversation.seq,
        notes=conversation.notes,
        client_id=client_id or str(uuid.uuid4()),
        kind=kind,
        author=author,
        sender=sender,
        text=text,
        event=event,
        data=data or {},
        at=at,
    )
    _attach(message, attachments)
    return message


class SystemLine(NamedTuple):
    """What the desk says of a change. `text` is English; clients translate `event`
    with `data`."""

    conversation: Conversation
    event: str
    text: str
    data: dict[str, Any]


def say_lines(lines: Sequence[SystemLine]) -> list[Message]:
    """As `say`, for a system line in each of many conversations at once: a few
    statements, however many there are."""
    at = db_now()
    for line in lines:
        line.conversation.seq += 1
    spoken = Conversation.objects.filter(pk__in=[ln.conversation.pk for ln in lines])
    spoken.update(seq=F("seq") + 1)
    return Message.objects.bulk_create(
        Message(
            conversation=line.conversation,
            place=line.conversation.seq + line.conversation.notes,
            seq=line.conversation.seq,
            notes=line.conversation.notes,
            client_id=str(uuid.uuid4()),
            kind=Message.Kind.SYSTEM,
            author=Message.Author.SYSTEM,
            text=line.text,
            event=line.event,
            data=line.data,
            at=at,
        )
        for line in lines
    )


def _count(conversation: Conversation, kind: str, at: dt.datetime) -> None:
    if kind == Message.Kind.NOTE:
        conversation.notes += 1
    else:
        conversation.seq += 1
    if kind != Message.Kind.SYSTEM:  # nobody has said anything
        conversation.said_at = at
    Conversation.objects.filter(pk=conversation.pk).update(
        seq=conversation.seq, notes=conversation.notes, said_at=conversation.said_at
    )


def _attach(message: Message, attachments: Collection[uuid.UUID]) -> None:
    if not attachments:
        return
    if message.sender is None:
        raise AttachmentUnknown
    own = Attachment.objects.filter(
        pk__in=attachments, uploader=message.sender, message=None
    )
    # One statement finds and takes them: of two messages at once with one file, one
    # gets fewer rows than it asked for and is refused.
    if own.update(message=message) != len(attachments):
        raise AttachmentUnknown
