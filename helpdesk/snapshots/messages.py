"""Messages, page by page, as their readers may see them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

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
    after: int | None = None,
    before: int | None = None,
    limit: int = protocol.PAGE,
) -> tuple[list[protocol.Message], bool]:
    """A page in ascending order, and whether there is more the way it was asked:
    later ones with `after`, else earlier ones. Counts seqs for customers, places
    for staff."""
    ascending = after is not None
    bounds = (0 if after is None else after, ALL if before is None else before)
    rows = _page(staff, ascending, limit + 1)(conversation.pk, *bounds)
    more = len(rows) > limit
    rows = rows[:limit]
    shown = messages(conversation, rows if ascending else rows[::-1], staff=staff)
    return shown, more


@functools.cache
def _page(staff: bool, ascending: bool, most: int) -> Written[Message]:
    order = _order(staff)

    def build(pk: Any, after: Any, before: Any) -> QuerySet[Message]:
        span = {f"{order}__gt": after, f"{order}__lt": before}
        found = _seen_by(staff).filter(conversation=pk, **span)
        return found.order_by(order if ascending else f"-{order}")[:most]

    return Written(build)


def _order(staff: bool) -> str:
    return "place" if staff else "seq"


def _seen_by(staff: bool) -> QuerySet[Message]:
    return Message.objects.all() if staff else Message.objects.exclude(kind="note")


class Known(NamedTuple):
    """The last message that a screen shows: its place (a customer's: its seq), and its
    id if told."""

    place: int = 0
    client_id: str | None = None


class Page(NamedTuple):
    """`more`: later ones, for a screen that knew some; else earlier ones. `reset`: what
    it knew is not so, and here is the newest page."""

    messages: list[protocol.Message]
    more: bool
    reset: bool


class Span(NamedTuple):
    conversation: UUID
    first: int
    last: int


def pages(
    asked: Sequence[tuple[Conversation, Known | None]], *, staff: bool
) -> list[Page]:
    """As `page`, of many at once: what a screen lacks after what it knows; the newest
    page, if it knows nothing or the desk has another message in that place. Several
    screens may ask of one conversation."""
    spans = [_span(each, known, staff) for each, known in asked]
    rows = _in_spans(spans, staff)
    stale = [
        number
        for number, (_, known) in enumerate(asked)
        if _is_stale(known, rows[number], staff)
    ]
    anew = [_span(asked[number][0], None, staff) for number in stale]
    for number, span, newest in zip(stale, anew, _in_spans(anew, staff), strict=True):
        spans[number], rows[number] = span, newest
    everything = [row for each in rows for row in each]
    names, files = _names_in(everything), _files_in(everything)
    told = []
    for number, (conversation, known) in enumerate(asked):
        after = None if number in stale or known is None else known.place
        lacks = [row for row in rows[number] if _number(row, staff) > (after or 0)]
        shown = messages(conversation, lacks, staff=staff, names=names, files=files)
        span = spans[number]
        later = span.last < _total(conversation, staff)
        more = span.first > 1 if after is None else later
        told.append(Page(shown, more, number in stale))
    return told


def _total(conversation: Conversation, staff: bool) -> int:
    return conversation.seq + (conversation.notes if staff else 0)


def _number(row: Message, staff: bool) -> int:
    return row.place if staff else row.seq


def _span(conversation: Conversation, known: Known | None, staff: bool) -> Span:
    """With the known one itself, to see whether it is the same."""
    if known is None:
        newest = _total(conversation, staff) - protocol.PAGE + 1
        return Span(conversation.pk, newest, ALL)
    return Span(conversation.pk, known.place, known.place + protocol.PAGE)


def _is_stale(known: Known | None, rows: Sequence[Message], staff: bool) -> bool:
    if known is None or not known.place or known.client_id is None:
        return False
    here = rows[0] if rows and _number(rows[0], staff) == known.place else None
    return here is None or here.client_id != known.client_id


def _in_spans(spans: Sequence[Span], staff: bool) -> list[list[Message]]:
    """Each in its order. Spans of one conversation may overlap."""
    found: dict[UUID, dict[int, Message]] = {each.conversation: {} for each in spans}
    for begin in range(0, len(spans), SPANS):
        for row in _spanned[staff](*zip(*spans[begin : begin + SPANS], strict=True)):
            found[row.conversation_id][_number(row, staff)] = row
    return [
        [
            rows[number]
            for rows in (found[span.conversation],)
            for number in sorted(rows)
            if span.first <= number <= span.last
        ]
        for span in spans
    ]


def _any_of(staff: bool) -> Written[Message]:
    order = _order(staff)

    def build(pks: GivenAll, first: GivenAll, last: GivenAll) -> QuerySet[Message]:
        each = zip(pks.each, first.each, last.each, strict=True)
        spans = (
            Q(conversation=pk, **{f"{order}__gte": a, f"{order}__lte": b})
            for pk, a, b in each
        )
        asked = functools.reduce(operator.or_, spans)
        return _seen_by(staff).filter(asked).order_by("conversation_id", order)

    return Written(build)


_spanned = {staff: _any_of(staff) for staff in (True, False)}


def messages(
    conversation: Conversation,
    rows: Iterable[Message],
    *,
    staff: bool,
    names: Mapping[UUID, str] | None = None,
    files: Mapping[int, Sequence[Attachment]] | None = None,
) -> list[protocol.Message]:
    """`names`: of the agents among the senders; `files`: by message; where they are
    known."""
    rows = [row for row in rows if staff or row.kind != Message.Kind.NOTE]
    names = _names_in(rows) if names is None else names
    files = _files_in(rows) if files is None else files
    audience = uploads.STAFF if staff else f"customer.{conversation.customer_id}"
    return [
        protocol.Message(
            seq=row.seq,
            notes=row.notes if staff else None,
            id=row.client_id,
            kind=row.kind,
            author=_author(conversation, row, names),
            text=row.text,
            attachments=[
                uploads.attachment_frame(each, audience)
                for each in files.get(row.pk, ())
            ],
            at=wire_time(row.at),
            event=row.event or None,
            data=_data(row, staff) or None,
        )
        for row in rows
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


def _names_in(rows: Iterable[Message]) -> dict[UUID, str]:
    return agent_names({row.sender for row in rows if row.sender})


def _files_in(rows: Iterable[Message]) -> dict[int, list[Attachment]]:
    """What the desk itself says has none."""
    files: dict[int, list[Attachment]] = {}
    for each in _attached([row.pk for row in rows if row.kind != Message.Kind.SYSTEM]):
        files.setdefault(each.message_id or 0, []).append(each)
    return files


_attached = Written(
    lambda pks: Attachment.objects.filter(message_id__in=pks).order_by(
        "created_at", "pk"
    )
)


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
