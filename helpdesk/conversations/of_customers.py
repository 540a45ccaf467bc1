"""What customers do with their conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Case, F, When, Window
from django.db.models.functions import RowNumber

from .. import hub, protocol, reasons, snapshots, writer
from ..database import db_now
from ..errors import (
    AlreadyOpen,
    BadFrame,
    Empty,
    Ended,
    Forbidden,
    NotStarted,
    QueueClosed,
    QueueUnknown,
    TooLong,
)
from ..models import Conversation, Message, Queue
from ..protocol import wire_time
from ..written import Written
from .ending import end, withdraw
from .posting import attachment_ids, check_text
from .rows import OPEN, change, find, locked, locked_with_holder, with_relations
from .telling import announce_message, say_event, tell

if TYPE_CHECKING:
    from customers.models import Customer

COMMENT_CHARS = 2000


def start(
    customer: Customer, frame: protocol.Start, skip: hub.Listener | None = None
) -> protocol.Frame:
    """Open a conversation with its first message. The customer's row is stored and
    locked. When the queue cannot take it and an e-mail address is known, it is kept
    as a left message. Raises AlreadyOpen, QueueUnknown, QueueClosed, Empty, TooLong,
    AttachmentUnknown."""
    files = attachment_ids(frame.attachments)
    check_text(frame.text, files, "customer")
    queue = queue_of(customer, frame.queue)
    left = not has_room(queue)
    if left and not customer.email:
        raise QueueClosed
    if not left and open_conversation(customer):
        raise AlreadyOpen
    conversation = _open(customer, queue, left)
    message = writer.say(
        conversation,
        kind=Message.Kind.TEXT,
        author="customer",
        sender=customer.pk,
        client_id=frame.id,
        text=frame.text,
        attachments=files,
    )
    announce_message(conversation, message, skip)
    tell(conversation, moved=not left)
    return protocol.StartAck(
        id=frame.id,
        conversation=snapshots.for_customer(conversation, snapshots.turn(conversation)),
        seq=conversation.seq,
        at=wire_time(message.at),
    )


def _open(customer: Customer, queue: Queue, left: bool) -> Conversation:
    now = db_now()
    return Conversation.objects.create(
        site=customer.site,
        queue=queue,
        customer=customer,
        left=left,
        created_at=now,
        waiting_since=now,
        priority=int(queue.proven_first and customer.verified),
        because=(reasons.WasLeft if left else reasons.Waits)(queue.name),
    )


def queue_of(customer: Customer, wanted: str | None) -> Queue:
    """The site's queue of that id, or its first."""
    queues = Queue.objects.filter(site=customer.site)
    if wanted is not None:
        known = re.fullmatch(r"[0-9]{1,18}", wanted)  # what fits the column
        queues = queues.filter(pk=wanted) if known else queues.none()
    queue = queues.first()
    if queue is None:
        raise QueueUnknown
    return queue


def has_room(queue: Queue) -> bool:
    """Whether the queue is open and its line is not full."""
    waiting = snapshots.line([queue.pk]).count()
    return snapshots.queue_open(queue, db_now()) and waiting < queue.line_limit


def open_conversation(customer: Customer) -> Conversation | None:
    return customer.conversations.filter(state__in=OPEN, left=False).first()


def leave(customer_id: UUID, frame: protocol.Leave) -> protocol.Frame:
    """Who waits leaves the line, and what was written stays as a left message, to be
    answered by e-mail. Raises NotStarted, Ended, AlreadyOpen (somebody has taken it),
    Empty (no e-mail address is given or known), BadFrame (the one given is none)."""
    newest = customers_newest(customer_id)
    if newest is None:
        raise NotStarted
    conversation = locked(newest.pk)
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.state == Conversation.State.ACTIVE:
        raise AlreadyOpen("Somebody is here for you by now.")
    _reach_by(conversation.customer, frame.email)
    if not conversation.left:
        _turn_into_message(conversation)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def _reach_by(customer: Customer, email: str | None) -> None:
    """A typed address never covers a proven one."""
    typed = clean_email(email)
    if email and not typed:
        raise BadFrame("email: This is not an e-mail address.")
    if typed and not (customer.verified and customer.email):
        customer.email = typed
        customer.save(update_fields=["email"])
    if not customer.email:
        raise Empty("email: An address is needed to answer to.")


def _turn_into_message(conversation: Conversation) -> None:
    withdraw(conversation, "customer_left")
    change(
        conversation,
        left=True,
        rescued=False,
        customer_gone_at=None,
        because=reasons.WasLeft(conversation.queue.name),
    )
    say_event(
        conversation, "left", "This is a message now: it is answered by e-mail.", {}
    )
    tell(conversation, moved=True)


def rate(customer_id: UUID, frame: protocol.Rate) -> protocol.Frame:
    """Rate the newest conversation, which has ended or is being talked in. Again
    with another id rates anew."""
    newest = customers_newest(customer_id)
    if newest is None or newest.state == Conversation.State.WAITING:
        raise NotStarted("There is nothing to rate yet.")
    comment = frame.comment or ""
    if len(comment) > COMMENT_CHARS:
        raise TooLong(f"comment: at most {COMMENT_CHARS:,} characters.")
    conversation = locked(newest.pk)
    change(conversation, rating=frame.score, rating_comment=comment)
    tell(conversation)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def end_by_customer(customer_id: UUID, frame: protocol.CustomerEnd) -> protocol.Frame:
    """Raises NotStarted, Ended (also when another than the newest was meant)."""
    newest = customers_newest(customer_id)
    if newest is None:
        raise NotStarted
    if frame.conversation not in (None, str(newest.pk)):
        # Sent again after an outage, it may come when the next one has begun.
        raise Ended
    conversation = locked_with_holder(newest)
    waiting = conversation.state == Conversation.State.WAITING
    outcome = "abandoned" if waiting else "resolved"
    end(conversation, outcome=outcome, by="customer", sender=customer_id)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def customers_newest(customer_id: UUID) -> Conversation | None:
    """The open one before left messages before ended ones; then the newest."""
    return newest_of([customer_id]).get(customer_id)


def newest_of(customer_ids: Iterable[UUID]) -> dict[UUID, Conversation]:
    """As `customers_newest`, of many customers."""
    return {each.customer_id: each for each in with_relations(_newest(customer_ids))}


_newest = Written(
    lambda customer_ids: (
        Conversation.objects.filter(customer_id__in=customer_ids)
        .annotate(
            rank=Window(
                RowNumber(),
                partition_by=F("customer_id"),
                order_by=(
                    Case(When(state="ended", then=1), default=0),
                    F("left").asc(),
                    F("created_at").desc(),
                    F("id").desc(),
                ),
            )
        )
        .filter(rank=1)
        .order_by()
        .values_list("pk", flat=True)
    )
)


def customers_own(customer_id: UUID, wanted: str) -> Conversation:
    """Another's conversation and one that does not exist answer alike: Forbidden."""
    conversation = find(wanted)
    if conversation is None or conversation.customer_id != customer_id:
        raise Forbidden
    return conversation


def clean_email(email: str | None) -> str:
    """An e-mail address, or "" for what is none. A typed one is no identity."""
    try:
        validate_email((email or "").strip())
    except ValidationError:
        return ""
    return (email or "").strip()
