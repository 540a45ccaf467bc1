"""Repeating a client id changes nothing and gets the first ack again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from .. import protocol, writer
from ..database import db_now
from ..models import Message, Receipt
from ..protocol import wire_time
from ..written import Written


def once(sender: UUID, client_id: str, act: Callable[[], protocol.Frame]) -> bytes:
    """The ack of `act`, or, if this sender has used the id before, the ack of then,
    without any effect. In the caller's transaction, as the first thing: of two at once
    one waits for the other."""
    writer.claim(sender, client_id)
    if (ack := answered(sender, client_id)) is not None:
        return ack
    ack = protocol.encode(act())
    Receipt.objects.create(
        sender=sender, client_id=client_id, ack=protocol.decode(ack), at=db_now()
    )
    return ack


def answered(sender: UUID, client_id: str) -> bytes | None:
    """The first ack of an id that this sender has used, in any conversation."""
    for ack in _receipts(sender, client_id):
        return protocol.encode(ack)
    for message in _posts(sender, client_id):
        return protocol.encode(
            protocol.PostAck(
                id=client_id,
                conversation=str(message.conversation_id),
                seq=message.seq,
                notes=message.notes if message.author != "customer" else None,
                at=wire_time(message.at),
            )
        )
    return None


_receipts = Written(
    lambda sender, client_id: Receipt.objects.filter(
        sender=sender, client_id=client_id
    ).values_list("ack", flat=True)
)
_posts = Written(
    lambda sender, client_id: Message.objects.filter(
        sender=sender, client_id=client_id
    ).order_by()
)
