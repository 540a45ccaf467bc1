"""From rows to what frames carry: the one place that decides what a customer may
see of a conversation and what staff see besides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.apps import apps
from django.conf import settings
from django.db.models import Count, F, Max, Min, Q, Window
from django.db.models.functions import RowNumber

from . import hours, presence, protocol, reasons, uploads, whys
from .database import db_now
from .models import (
    Assignment,
    Attachment,
    Conversation,
    Message,
    Queue,
    QueueMembership,
)
from .pace import SAMPLES, wait_range
from .protocol import wire_time
from .written import Written

if TYPE_CHECKING:
    from agents.models import Agent
    from customers.models import Customer

TRANSFER = "pending_transfer"
RELATED = ("queue", "agent", "customer", "site", "pending_transfer__by")
LINE_ORDER = (
    F("rescued").desc(),
    F("priority").desc(),
    F("waiting_since").asc(),
    F("id").asc(),
)
PACE_SECONDS = 3600  # hand-outs of longer ago tell nothing of now
ACTIVE = dt.timedelta(minutes=10)  # input since then counts as active


# --- conversations


def queues_with_line() -> list[int]:
    """In which somebody waits."""
    waiting = Conversation.objects.filter(state="waiting", left=False)
    return list(waiting.order_by().values_list("queue_id", flat=True).distinct())


class Turn(NamedTuple):
    """Where somebody stands in a line, and between how many and how many seconds it
    may take from there."""

    position: int | None = None
    wait: tuple[int, int] | None = None


NO_TURN = Turn()


def for_customer(
    conversation: Conversation, turn: Turn = NO_TURN
) -> protocol.Conversation:
    return protocol.Conversation(**_public(conversation, turn))


def for_staff(
    conversation: Conversation, turn: Turn = NO_TURN, online: bool = False
) -> protocol.StaffConversation:
    return protocol.StaffConversation(
        **_public(conversation, turn),
        notes=conversation.notes,
        customer=_staff_customer(conversation.customer, online),
        tags=list(conversation.tags),
        why=conversation.why,
        because=conversation.because,
        transfer=_transfer(conversation),
        gone_since=None if online else _time(conversation.customer_gone_at),
    )


def _transfer(conversation: Conversation) -> protocol.PendingTransfer | None:
    pending = getattr(conversation, TRANSFER, None)
    if pending is None:
        return None
    to = (
        {"queue": str(pending.to_queue_id)}
        if pending.to_queue_id
        else {"agent": str(pending.to_agent_id)}
    )
    by = protocol.AgentName(str(pending.by_id), pending.by.name)
    return protocol.PendingTransfer(to, by, pending.note)


def many_for_staff(
    conversations: Sequence[Conversation],
) -> list[protocol.StaffConversation]:
    waiting = {each.queue_id for each in conversations if each.state == "waiting"}
    line = turns(waiting)
    online = presence.connected({each.customer_id for each in conversations})
    return [
        for_staff(each, line.get(each.pk, NO_TURN), each.customer_id in online)
        for each in conversations
    ]


def line(queue_ids: Iterable[int]) -> Any:
    """Who waits, first come first served: a rescue before the others, then by the
    time since when. Left messages stand in no line."""
    waiting = Conversation.objects.filter(
        queue_id__in=queue_ids, state=Conversation.State.WAITING, left=False
    )
    return waiting.order_by("queue_id", *LINE_ORDER)


class Place(NamedTuple):
    """Where somebody stands in line, and what else of the conversation may have changed
    without a new version."""

    conversation: UUID
    customer: UUID
    queue: int
    version: int
    seq: int
    read_by_customer: int
    read_by_agent: int
    turn: Turn

    def shown(self, before: protocol.Conversation) -> protocol.Conversation:
        """The same version as it is now."""
        return msgspec.structs.replace(
            before,
            position=self.turn.position,
            wait_seconds=self.turn.wait,
            seq=self.seq,
            read=protocol.Read(self.read_by_customer, self.read_by_agent),
        )


def places(queue_ids: Iterable[int]) -> list[Place]:
    """Of everybody who waits in these queues; position 1 is next."""
    rows = _ranked(queue_ids)
    if not rows:
        return []
    now = db_now()
    paces = {queue: _handed_out(queue, now) for queue in {row[2] for row in rows}}

    def turn_in(queue: int, rank: int) -> Turn:
        return Turn(rank, wait_range(rank, paces[queue], now))

    return [
        Place(pk, whose, queue, version, seq, theirs, ours, turn_in(queue, rank))
        for pk, whose, queue, version, seq, theirs, ours, rank in rows
    ]


_ranked = Written(
    lambda queue_ids: (
        line(queue_ids)
        .annotate(
            rank=Window(RowNumber(), partition_by=F("queue_id"), order_by=LINE_ORDER)
        )
        .values_list(
            *("pk", "customer_id", "queue_id", "version"),
            *("seq", "read_by_customer", "read_by_agent", "rank"),
        )
    )
)


def turns(queue_ids: Iterable[int]) -> dict[UUID, Turn]:
    return {place.conversation: place.turn for place in places(queue_ids)}


def turn(conversation: Conversation) -> Turn:
    if conversation.state != Conversation.State.WAITING or conversation.left:
        return NO_TURN
    return turns([conversation.queue_id]).get(conversation.pk, NO_TURN)


def waiting_for_customers(ids: Iterable[UUID]) -> dict[UUID, protocol.Conversation]:
    """Without a place yet."""
    found = Conversation.objects.select_related(*RELATED).filter(
        pk__in=tuple(ids), state=Conversation.State.WAITING
    )
    return {each.pk: for_customer(each) for each in found}


def _handed_out(queue: int, now: dt.datetime) -> list[dt.datetime]:
    """When the queue's latest conversations found their agents, within the hour."""
    return _holds_since(queue, now - dt.timedelta(seconds=PACE_SECONDS))


_holds_since = Written(
    lambda queue, since: (
        Assignment.objects.filter(
            conversation__queue_id=queue,
            kind=Assignment.Kind.HOLD,
            started_at__gt=since,
        )
        .order_by("-started_at")
        .values_list("started_at", flat=True)[:SAMPLES]
    )
)


def _public(conversation: Conversation, turn: Turn) -> dict[str, Any]:
    agent = conversation.agent
    return {
        "id": str(conversation.pk),
        "version": conversation.version,
        "site": conversation.site.key,
        "queue": protocol.QueueName(
            str(conversation.queue_id), conversation.queue.name
        ),
        "state": conversation.state,
        "outcome": conversation.outcome or None,
        "agent": protocol.AgentName(str(agent.pk), agent.name) if agent else None,
        "position": turn.position,
        "wait_seconds": turn.wait,
        "seq": conversation.seq,
        "read": protocol.Read(
            conversation.read_by_customer, conversation.read_by_agent
        ),
        "rating": conversation.rating,
        "left": conversation.left or None,
        "created_at": wire_time(conversation.created_at),
        "started_at": _time(conversation.started_at),
        "ended_at": _time(conversation.ended_at),
    }


def _staff_customer(customer: Customer, online: bool) -> protocol.StaffCustomer:
    return protocol.StaffCustomer(
        id=str(customer.pk),
        name=customer.name,
        email=customer.email or None,
        verified=customer.verified,
        page=customer.page,
        locale=customer.locale,
        fields=customer.fields,
        online=online,
        browser=customer.user_agent or None,
    )


def _time(at: dt.datetime | None) -> str | None:
    return wire_time(at) if at else None


# --- messages


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


def messages(
    conversation: Conversation, rows: Iterable[Message], *, staff: bool, audience: str
) -> list[protocol.Message]:
    rows = list(rows)
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
    conversation: Conversation, row: Message, names: dict[UUID, str]
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
    lambda pks: _agents().filter(pk__in=pks).order_by().values_list("pk", "name")
)


# --- agents and queues


def agents(ids: Iterable[UUID], now: dt.datetime) -> list[protocol.Agent]:
    """In the order of their names."""
    found = _agents_by_name(ids)
    everybody = [each.pk for each in found]
    leased = loads(everybody, now)
    wrapping = wrap_ups(everybody, now)
    staffed = _queues_staffed(everybody)
    connected = presence.connected(set(everybody))
    return [
        protocol.Agent(
            id=str(each.pk),
            name=each.name,
            status=each.status,
            connected=each.pk in connected,
            active=each.pk in connected and is_active(each, now),
            load=leased.get(each.pk, 0),
            capacity=each.capacity,
            reason=each.status_reason or None,
            set_by=_agent_name(each.status_set_by),
            wrap_up_until=_time(wrapping.get(each.pk)),
            queues=staffed.get(each.pk, []),
        )
        for each in found
    ]


_agents_by_name = Written(
    lambda pks: (
        _agents().filter(pk__in=pks).order_by("name").select_related("status_set_by")
    )
)


def _agent_name(row: Agent | None) -> protocol.AgentName | None:
    return protocol.AgentName(str(row.pk), row.name) if row else None


def _queues_staffed(agent_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    staffed: dict[UUID, list[str]] = {}
    for agent_id, queue_id in _memberships(agent_ids):
        staffed.setdefault(agent_id, []).append(str(queue_id))
    return staffed


_memberships = Written(
    lambda agent_ids: (
        QueueMembership.objects.filter(agent_id__in=agent_ids)
        .order_by("pk")
        .values_list("agent_id", "queue_id")
    )
)


def is_active(row: Agent, now: dt.datetime) -> bool:
    return row.active_at is not None and row.active_at > now - ACTIVE


def agent(row: Agent, now: dt.datetime) -> protocol.Agent:
    return agents([row.pk], now)[0]


def colleagues(agent_id: UUID) -> set[UUID]:
    """Everybody who shares a queue with the agent, and the agent."""
    mine = QueueMembership.objects.filter(agent_id=agent_id).values("queue_id")
    shared = QueueMembership.objects.filter(queue_id__in=mine)
    return {agent_id, *shared.values_list("agent_id", flat=True)}


def queues_for_staff(
    queue_ids: Iterable[int], now: dt.datetime
) -> list[protocol.StaffQueue]:
    ids = tuple(queue_ids)
    chosen = Queue.objects.filter(pk__in=ids)
    lines, talks = _lines(ids), _talks(ids)
    staffed = _staffed(ids)
    shown = []
    for queue in chosen.prefetch_related("opening_slots", "holidays"):
        waiting, longest = lines.get(queue.pk, (0, None))
        shown.append(
            protocol.StaffQueue(
                id=str(queue.pk),
                name=queue.name,
                open=queue_open(queue, now),
                waiting=waiting,
                active=talks.get(queue.pk, 0),
                longest_wait_seconds=_seconds(longest, now),
                staffed=staffed.get(queue.pk, 0),
                stands_still=stands_still(queue, longest, now) or None,
            )
        )
    return shown


def _lines(queue_ids: Sequence[int]) -> dict[int, tuple[int, dt.datetime]]:
    """How many wait in each queue, and since when the first of them. Like what is
    counted beside it, this looks at open conversations alone: of those that have
    ended there may be millions."""
    counted = line(queue_ids).order_by().values_list("queue_id")
    return {
        queue: (many, longest)
        for queue, many, longest in counted.annotate(Count("pk"), Min("waiting_since"))
    }


def _talks(queue_ids: Sequence[int]) -> dict[int, int]:
    active = Conversation.objects.filter(state="active", queue_id__in=queue_ids)
    return dict(active.values_list("queue_id").order_by().annotate(Count("pk")))


def availability(queues: Sequence[Queue]) -> str:
    """For customers: "open" when an accepting agent is here with room, "busy" when
    there is a wait, "closed" when no queue is open."""
    now = db_now()
    opened = [queue.pk for queue in queues if queue_open(queue, now)]
    if not opened:
        return "closed"
    accepting = _agents().filter(status="online", memberships__queue_id__in=opened)
    capacities = dict(accepting.values_list("pk", "capacity"))
    leased = loads(capacities, now)
    here = presence.connected(capacities)
    room = any(leased.get(each, 0) < capacities[each] for each in here)
    return "open" if room else "busy"


def stands_still(queue: Queue, longest: dt.datetime | None, now: dt.datetime) -> bool:
    """Somebody has waited, and nobody was handed out, for the queue's alert time."""
    since = now - dt.timedelta(seconds=queue.alert_after_seconds)
    if longest is None or longest >= since:
        return False
    # What ended before was handed out before; each of the three has its index.
    handed_out = (
        Q(state="waiting") | Q(state="active") | Q(state="ended", ended_at__gte=since)
    )
    return not queue.conversations.filter(handed_out, started_at__gte=since).exists()


def queue_open(queue: Queue, now: dt.datetime) -> bool:
    """By its switch, its opening hours and its holidays, in its time zone."""
    if not queue.is_open:
        return False
    slots = [
        hours.Slot(each.weekday, each.opens, each.closes)
        for each in queue.opening_slots.all()
    ]
    holidays = {each.date for each in queue.holidays.all()}
    local = now.astimezone(ZoneInfo(queue.time_zone))
    return hours.is_open(local, slots, holidays)


def _staffed(queue_ids: Iterable[int]) -> dict[int, int]:
    """How many accepting agents are connected, by queue."""
    members = QueueMembership.objects.filter(
        queue_id__in=tuple(queue_ids), agent__status="online"
    ).values_list("queue_id", "agent_id")
    pairs = list(members)
    connected = presence.connected({agent_id for _, agent_id in pairs})
    counts: dict[int, int] = {}
    for queue_id, agent_id in pairs:
        counts[queue_id] = counts.get(queue_id, 0) + (agent_id in connected)
    return counts


def _seconds(since: dt.datetime | None, now: dt.datetime) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0


def loads(agent_ids: Iterable[UUID], now: dt.datetime) -> dict[UUID, int]:
    """How many slots are leased: offers that ring, what is held, and what is being
    wrapped up. To decide on it, lock the agents' rows first."""
    return dict(_loads(now, agent_ids))


_loads = Written(
    lambda now, agent_ids: (
        Assignment.objects.filter(
            Q(ended_at=None) | Q(free_at__gt=now), agent_id__in=agent_ids
        )
        .order_by()
        .values_list("agent_id")
        .annotate(Count("pk"))
    )
)


def wrap_ups(agent_ids: Iterable[UUID], now: dt.datetime) -> dict[UUID, dt.datetime]:
    """Until when agents wrap up: the last of their slots that are not free yet."""
    return dict(_wrap_ups(now, agent_ids))


_wrap_ups = Written(
    lambda now, agent_ids: (
        Assignment.objects.filter(free_at__gt=now, agent_id__in=agent_ids)
        .order_by()
        .values_list("agent_id")
        .annotate(Max("free_at"))
    )
)


def load(agent_id: UUID, now: dt.datetime) -> int:
    return loads([agent_id], now).get(agent_id, 0)


def _agents() -> Any:
    return apps.get_model("agents", "Agent").objects


# --- the same for everybody


def limits(text: int) -> protocol.Limits:
    return protocol.Limits(
        text=text,
        frame=protocol.FRAME_BYTES,
        attachment_bytes=settings.HELPDESK_UPLOAD_BYTES,
        attachments=settings.HELPDESK_ATTACHMENTS,
        types=sorted(uploads.TYPES),
    )
