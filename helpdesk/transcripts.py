"""The story of a conversation as one time line, and its files for other programs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from . import reasons, whys
from .models import Assignment, Attachment, AuditEntry, Conversation, Message
from .reasons import Because


@dataclass(frozen=True)
class Line:
    """One thing that happened. `kind` is a message's (text, note, system), or
    an assignment's (taken, released, offered, unanswered), or rated, or a
    supervisor's act."""

    at: datetime
    kind: str
    author: str = "system"
    name: str = ""
    text: str = ""
    why: str = ""
    because: Because | None = None
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    place: int | None = None
    seq: int | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def words(self) -> str:
        """What a person wrote."""
        return "" if self.is_event else self.text

    @property
    def is_event(self) -> bool:
        """The desk said it, as a system line or in a note to staff."""
        noted = self.kind == Message.Kind.NOTE and self.event
        return self.kind == Message.Kind.SYSTEM or bool(noted)

    @property
    def sentence(self) -> str:
        """What the desk says of it, in the reader's language."""
        return sentence(self)

    @property
    def reason(self) -> str:
        """Why the desk decided so, in the reader's language."""
        return whys.sentence(self.because)


@dataclass(frozen=True)
class Story:
    """A conversation with everything that happened in it, oldest first. It holds
    notes: staff alone may see it."""

    conversation: Conversation
    lines: tuple[Line, ...] = ()


def story(conversation: Conversation) -> Story:
    return stories([conversation])[0]


def stories(conversations: Iterable[Conversation]) -> list[Story]:
    """In the order given, with the same five queries for one as for a thousand."""
    told = list(conversations)
    messages = _by_conversation(
        Message.objects.filter(conversation__in=told)
        .order_by("place")
        .prefetch_related("attachments")
    )
    assignments = _by_conversation(
        Assignment.objects.filter(conversation__in=told).select_related("agent")
    )
    acts = _by_conversation(
        AuditEntry.objects.filter(conversation__in=told).select_related("by")
    )
    names = _agent_names(message for each in messages.values() for message in each)
    return [
        Story(
            conversation,
            tuple(
                _time_line(
                    conversation,
                    messages[conversation.pk],
                    assignments[conversation.pk],
                    acts[conversation.pk],
                    names,
                )
            ),
        )
        for conversation in told
    ]


def _by_conversation(rows: Iterable[Any]) -> defaultdict[Any, list[Any]]:
    grouped: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.conversation_id].append(row)
    return grouped


def _agent_names(messages: Iterable[Message]) -> dict[Any, str]:
    senders = {m.sender for m in messages if m.author == Message.Author.AGENT}
    agents: Any = Assignment._meta.get_field("agent").related_model
    return dict(agents.objects.filter(pk__in=senders).values_list("pk", "name"))


def _time_line(
    conversation: Conversation,
    messages: Sequence[Message],
    assignments: Sequence[Assignment],
    acts: Sequence[AuditEntry],
    names: dict[Any, str],
) -> Iterator[Line]:
    happened: list[tuple[datetime, int, Line]] = []
    latest = conversation.created_at
    for message in messages:
        # Place decides between messages, whatever the clocks of two hosts said.
        latest = max(latest, message.at)
        happened.append((latest, 1, _said(message, conversation, names)))
    for assignment in assignments:
        happened.extend(_held(assignment))
    happened.extend((act.at, 0, _done(act)) for act in acts)
    happened.sort(key=lambda entry: entry[:2])
    for _at, _rank, line in happened:
        yield line
    if conversation.rating:
        yield _rated(conversation, latest)


def _said(message: Message, conversation: Conversation, names: dict[Any, str]) -> Line:
    is_note = message.kind == Message.Kind.NOTE
    return Line(
        at=message.at,
        kind=message.kind,
        author=message.author,
        name=_name(message, conversation, names),
        text=message.text,
        event=message.event,
        data=message.data,
        because=_because(message),
        place=message.place,
        seq=None if is_note else message.seq,
        attachments=tuple(message.attachments.all()),
    )


def _because(message: Message) -> Because | None:
    """Where no assignment's line tells it already."""
    told = message.event == "requeued"
    return reasons.read(message.data.get("because")) if told else None


def _name(message: Message, conversation: Conversation, names: dict[Any, str]) -> str:
    if message.author == Message.Author.CUSTOMER:
        return str(conversation.customer)
    if message.author == Message.Author.AGENT:
        return names.get(message.sender) or _("Agent")
    return str(message.get_author_display())


def _held(assignment: Assignment) -> Iterator[tuple[datetime, int, Line]]:
    name = assignment.agent.name
    kind = "offered" if assignment.kind == Assignment.Kind.OFFER else "taken"
    # A decision stands before the messages of its moment, which speak of it.
    yield (
        assignment.started_at,
        0,
        Line(
            assignment.started_at,
            kind,
            name=name,
            why=assignment.why,
            because=assignment.because,
        ),
    )
    # That it ended or was accepted is told by a line of its own.
    if assignment.ended_at and assignment.ended_why not in ("ended", "accepted"):
        kind = "unanswered" if kind == "offered" else "released"
        yield (
            assignment.ended_at,
            0,
            Line(assignment.ended_at, kind, name=name, why=assignment.ended_why),
        )


def _done(act: AuditEntry) -> Line:
    return Line(
        act.at, "act", name=act.by.name, event=act.act, text=act.data.get("reason", "")
    )


def _rated(conversation: Conversation, latest: datetime) -> Line:
    return Line(
        at=max(latest, conversation.ended_at or latest),
        kind="rated",
        author="customer",
        name=str(conversation.customer),
        text=conversation.rating_comment,
        why=str(conversation.rating),
    )


# Files --------------------------------------------------------------------------

COLUMNS = (
    "conversation",
    "site",
    "queue",
    "customer",
    "email",
    "state",
    "outcome",
    "rating",
    "place",
    "at",
    "kind",
    "author",
    "name",
    "text",
    "event",
    "why",
    "attachments",
)


def as_csv(told: Iterable[Story]) -> str:
    """A row for each line of each story, safe to open in a spreadsheet."""
    out = io.StringIO()
    out.write("\ufeff")  # without it Excel reads Chinese as Latin-1
    rows = csv.writer(out, quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    for each in told:
        for line in each.lines:
            rows.writerow(harmless(cell) for cell in _row(each.conversation, line))
    return out.getvalue()


def _row(conversation: Conversation, line: Line) -> tuple[str, ...]:
    return (
        str(conversation.pk),
        conversation.site.name,
        conversation.queue.name,
        conversation.customer.name,
        conversation.customer.email,
        conversation.state,
        conversation.outcome,
        str(conversation.rating or ""),
        str(line.place or ""),
        _when(line.at),
        line.kind,
        line.author,
        line.name,
        line.text,
        line.event,
        line.why,
        " · ".join(attachment.name for attachment in line.attachments),
    )


# A spreadsheet runs what begins with = + - or @, also in full width and behind blanks
# and invisible characters. A new cell begins at the start and, where the reader's
# separator is not the comma, behind ";" or a line end. The lookbehind and the
# possessive *+ keep this linear on a message that is all blanks.
BLANK = r"\s\u00ad\u200b-\u200f\u2060\ufeff\"'"
FORMULA = re.compile(rf"(?<![;{BLANK}])[;{BLANK}]*+(?=[=+\-@＝＋－＠])")
CELL_END = re.compile(r"[;\t\r\n]")


def harmless(cell: str) -> str:
    """The same words, with an apostrophe before what a spreadsheet would run."""
    guarded = FORMULA.sub(_apostrophes, cell)
    return f"'{guarded}" if guarded.startswith(("\t", "\r", "\n")) else guarded


def _apostrophes(blank: re.Match[str]) -> str:
    first = "'" if blank.start() == 0 else ""
    last = "'" if CELL_END.search(blank[0]) else ""
    return first + blank[0] + last


def as_json(told: Iterable[Story]) -> str:
    """Everything, unaltered."""
    return json.dumps([_as_dict(each) for each in told], ensure_ascii=False, indent=2)


def _as_dict(told: Story) -> dict[str, Any]:
    conversation = told.conversation
    customer = conversation.customer
    return {
        "id": str(conversation.pk),
        "site": conversation.site.name,
        "queue": conversation.queue.name,
        "customer": {
            "id": str(customer.pk),
            "name": customer.name,
            "email": customer.email,
            "proven": customer.verified,
            "locale": customer.locale,
            "page": customer.page,
            "fields": customer.fields,
        },
        "agent": conversation.agent.name if conversation.agent else None,
        "state": conversation.state,
        "outcome": conversation.outcome or None,
        "left": conversation.left,
        "rating": conversation.rating,
        "rating_comment": conversation.rating_comment,
        "created_at": _when(conversation.created_at),
        "started_at": _when(conversation.started_at),
        "ended_at": _when(conversation.ended_at),
        "lines": [_line_as_dict(line) for line in told.lines],
    }


def _line_as_dict(line: Line) -> dict[str, Any]:
    return {
        "at": _when(line.at),
        "kind": line.kind,
        "author": line.author,
        "name": line.name,
        "text": line.text,
        "event": line.event,
        "why": line.why,
        "because": reasons.plain(line.because),
        "place": line.place,
        "seq": line.seq,
        "attachments": [
            {"id": str(a.pk), "name": a.name, "type": a.type, "size": a.size}
            for a in line.attachments
        ],
    }


def as_text(told: Iterable[Story]) -> str:
    """To be read by people: a heading and a paragraph for each line."""
    return "\n\n\n".join(_as_text(each) for each in told) + "\n"


def _as_text(told: Story) -> str:
    conversation = told.conversation
    heading = f"{_flat(str(conversation.customer))} · {conversation.queue.name}"
    facts = f"{conversation.site.name} · {_when(conversation.created_at)}"
    lines = (_line_as_text(line) for line in told.lines)
    return "\n\n".join([f"{heading}\n{facts}\n{conversation.pk}", *lines])


def _line_as_text(line: Line) -> str:
    # The name is the customer's own words: on one line it cannot play another's.
    heading = f"[{_when(line.at)}] {_flat(line.name)}"
    if line.kind == "note":
        heading += f" ({_('note')})"
    files = [f"[{_flat(a.name)}, {a.type}, {a.size} B]" for a in line.attachments]
    body = "\n".join(filter(None, (line.sentence, line.reason, line.words, *files)))
    return f"{heading}\n" + "\n".join("  " + row for row in body.splitlines())


def _flat(text: str) -> str:
    return " ".join(text.split())


def _when(at: datetime | None) -> str:
    """RFC 3339 in UTC, as everywhere that programs read."""
    if at is None:
        return ""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Words --------------------------------------------------------------------------

EVENTS = {
    "agent_joined": _lazy("%(name)s joined."),
    "agent_lost": _lazy("%(name)s lost connection. The customer keeps the place."),
    "agent_back": _lazy("%(name)s is back."),
    "requeued": _lazy("Back to the front of the line."),
    "idle_warning": _lazy("Asked whether the customer is still there."),
    "transferred": _lazy("%(name)s has taken over."),
    "left": _lazy("The customer left a message instead of waiting."),
}
ACTS = {
    "watch": _lazy("%(name)s watched as supervisor."),
    "join": _lazy("%(name)s joined as supervisor."),
    "transfer": _lazy("%(name)s transferred it as supervisor."),
    "block": _lazy("%(name)s blocked the customer."),
}


def sentence(line: Line) -> str:
    """What a line without words of its own says, in the reader's language."""
    match line.kind:
        case "taken":
            return _("Given to %(name)s.") % {"name": line.name}
        case "offered":
            return _("Offered to %(name)s.") % {"name": line.name}
        case "unanswered":
            return _("%(name)s did not take it.") % {"name": line.name}
        case "released":
            return _("%(name)s no longer holds it.") % {"name": line.name}
        case "rated":
            return _("Rated %(score)s of 5.") % {"score": line.why}
        case "act":
            words = ACTS.get(line.event)
            return str(words) % {"name": line.name} if words else line.event
    return _event(line) if line.is_event else ""


def _event(line: Line) -> str:
    name = str(line.data.get("name") or _("The agent"))
    if line.event == "ended":
        return _ended(line.data.get("by"), name)
    if line.event == "transfer_back":
        return _came_back(line.data.get("why"), name)
    words = EVENTS.get(line.event)
    return str(words) % {"name": name} if words else line.text


def _came_back(why: object, name: str) -> str:
    match why:
        case "declined":
            return _("%(name)s declined the transfer.") % {"name": name}
        case "missed":
            return _("%(name)s went away before answering.") % {"name": name}
    return _("%(name)s did not answer the transfer.") % {"name": name}


def _ended(by: object, name: str) -> str:
    match by:
        case "customer":
            return _("The customer ended the conversation.")
        case "agent":
            return _("%(name)s ended the conversation.") % {"name": name}
    return _("The conversation has ended.")
