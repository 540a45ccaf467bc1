"""Messages, page by page, as their readers may see them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet, prefetch_related_objects

from .. import protocol, reasons, uploads, whys
from ..models import Attachment, Conversation, Message
from ..protocol import wire_time
from ..written import GivenAll, Written
from .agents import all_agents

ALL = 1 << 62  # places a conversation never reaches
SPANS = 64  # asked for in one query, at most


def page(
    conversation: Conversation,
    *,
    staff: bool,
    audience: str,
    after: int | None = None,
    before: int | None = None,
    limit: int = protocol.PAGE,
) -> tuple[list[protocol.Message], bool]:
    """A page in ascending order, and whether there is more the way it was asked:
    later ones with `after`, else earlier ones. Counts seqs for customers, places
    for staff."""
    rows, more = _rows(conversation, staff, after, before, limit)
    return messages(conversation, rows, staff=staff, audience=audience), more


def _rows(
    conversation: Conversation,
    staff: bool,
    after: int | None,
    before: int | None,
    limit: int,
) -> tuple[list[Message], bool]:
    order = "place" if staff else "seq"
    found = Message.objects.filter(conversation=conversation)
    if not staff:
        found = found.exclude(kind=Message.Kind.NOTE)
    if before is not None:
        found = found.filter(**{f"{order}__lt": before})
    if after is not None:
        found = found.filter(**{f"{order}__gt": after}).order_by(order)
    else:
        found = found.order_by(f"-{order}")
    rows = list(found.prefetch_related("attachments")[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return (rows if after is not None else rows[::-1]), more


class Known(NamedTuple):
    """The last message that a screen shows: its place, and its id if told."""

    place: int = 0
    client_id: str | None = None


class Span(NamedTuple):
    conversation: UUID
    first: int
    last: int


def pages_for_staff(
    conversations: Iterable[Conversation], known: Mapping[UUID, Known]
) -> dict[UUID, tuple[list[protocol.Message], bool]]:
    """As `page`, of many at once: what a screen lacks after what it knows; the newest
    page, if it knows nothing or the desk has another message in that place."""
    by_id = {each.pk: each for each in conversations}
    found = _in_spans([_span(each, known.get(each.pk)) for each in by_id.values()])
    stale = [pk for pk in by_id if _is_stale(known.get(pk), found[pk])]
    found |= _in_spans([_span(by_id[pk], None) for pk in stale])
    everything = [row for rows in found.values() for row in rows]
    prefetch_related_objects(
        [row for row in everything if row.kind != Message.Kind.SYSTEM], "attachments"
    )
    names = agent_names({row.sender for row in everything if row.sender})
    told = {}
    for pk, conversation in by_id.items():
        after = None if pk in stale else known.get(pk)
        rows = [row for row in found[pk] if after is None or row.place > after.place]
        span = _span(conversation, after)
        more = span.first > 1 if after is None else span.last < _places(conversation)
        shown = messages(
            conversation, rows, staff=True, audience=uploads.STAFF, names=names
        )
        told[pk] = shown, more
    return told


def _span(conversation: Conversation, known: Known | None) -> Span:
    """With the known one itself, to see whether it is the same."""
    if known is None:
        newest = _places(conversation) - protocol.PAGE + 1
        return Span(conversation.pk, newest, ALL)
    return Span(conversation.pk, known.place, known.place + protocol.PAGE)


def _places(conversation: Conversation) -> int:
    return conversation.seq + conversation.notes


def _is_stale(known: Known | None, rows: Sequence[Message]) -> bool:
    if known is None or known.client_id is None:
        return False
    here = rows[0] if rows and rows[0].place == known.place else None
    return here is None or here.client_id != known.client_id


def _in_spans(spans: Sequence[Span]) -> dict[UUID, list[Message]]:
    found: dict[UUID, list[Message]] = {span.conversation: [] for span in spans}
    for begin in range(0, len(spans), SPANS):
        for row in _spanned(*zip(*spans[begin : begin + SPANS], strict=True)):
            found[row.conversation_id].append(row)
    return found


def _any_of(pks: GivenAll, first: GivenAll, last: GivenAll) -> QuerySet[Message]:
    each = zip(pks.each, first.each, last.each, strict=True)
    spans = (Q(conversation=pk, place__gte=a, place__lte=b) for pk, a, b in each)
    asked = functools.reduce(operator.or_, spans)
    return Message.objects.filter(asked).order_by("conversation_id", "place")


_spanned = Written(_any_of)


def messages(
    conversation: Conversation,
    rows: Iterable[Message],
    *,
    staff: bool,
    audience: str,
    names: Mapping[UUID, str] | None = None,
) -> list[protocol.Message]:
    """`names`: of the agents among the senders, where they are known."""
    rows = list(rows)
    if names is None:
        names = agent_names({row.sender for row in rows if row.sender})
    return [
        protocol.Message(
            seq=row.seq,
            notes=row.notes if staff else None,
            id=row.client_id,
            kind=row.kind,
            author=_author(conversation, row, names),
            text=row.text,
            attachments=[
                uploads.attachment_frame(each, audience) for each in _files(row)
            ],
            at=wire_time(row.at),
            event=row.event or None,
            data=_data(row, staff) or None,
        )
        for row in rows
        if staff or row.kind != Message.Kind.NOTE
    ]


def _author(
    conversation: Conversation, row: Message, names: Mapping[UUID, str]
) -> protocol.Author:
    if row.author == Message.Author.CUSTOMER:
        customer = conversation.customer
        return protocol.Author("customer", str(customer.pk), customer.name)
    if row.sender is None:
        return SYSTEM
    return protocol.Author(row.author, str(row.sender), names.get(row.sender, ""))


def _files(row: Message) -> Iterable[Attachment]:
    return () if row.kind == Message.Kind.SYSTEM else row.attachments.all()


def _data(row: Message, staff: bool) -> dict[str, Any]:
    """Why the desk decided so is for staff: it names colleagues and their loads. Beside
    the reason they get it as a sentence."""
    if not staff:
        hidden = ("why", "because")
        return {key: value for key, value in row.data.items() if key not in hidden}
    if because := reasons.read(row.data.get("because")):
        return {**row.data, "why": whys.in_english(because)}
    return dict(row.data)


SYSTEM = protocol.Author("system", "", "")


def agent_names(ids: Iterable[UUID]) -> dict[UUID, str]:
    return dict(_agent_names(ids))


_agent_names = Written(
    lambda pks: all_agents().filter(pk__in=pks).order_by().values_list("pk", "name")
)


def limits(text: int) -> protocol.Limits:
    return protocol.Limits(
        text=text,
        frame=protocol.FRAME_BYTES,
        attachment_bytes=settings.HELPDESK_UPLOAD_BYTES,
        attachments=settings.HELPDESK_ATTACHMENTS,
        types=sorted(uploads.TYPES),
    )
