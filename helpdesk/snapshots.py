"""From rows to what frames carry: the one place that decides what a customer may
see of a conversation and what staff see besides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db.models import Count, F, Min, Q, Window
from django.db.models.functions import RowNumber

from . import presence, protocol, uploads
from .models import Assignment, Conversation, Message, Queue, QueueMembership
from .protocol import wire_time

if TYPE_CHECKING:
    from agents.models import Agent
    from customers.models import Customer

RELATED = ("queue", "agent", "customer", "site")
LINE_ORDER = (F("rescued").desc(), F("waiting_since").asc(), F("id").asc())
ACTIVE_MINUTES = 10  # input since then counts as active


# --- conversations


def for_customer(
    conversation: Conversation, position: int | None = None
) -> protocol.Conversation:
    return protocol.Conversation(**_public(conversation, position))


def for_staff(
    conversation: Conversation, position: int | None = None, online: bool = False
) -> protocol.StaffConversation:
    return protocol.StaffConversation(
        **_public(conversation, position),
        notes=conversation.notes,
        customer=_staff_customer(conversation.customer, online),
        tags=[],
        why=conversation.why,
    )


def many_for_staff(
    conversations: Sequence[Conversation],
) -> list[protocol.StaffConversation]:
    waiting = {each.queue_id for each in conversations if each.state == "waiting"}
    places = positions(waiting)
    online = presence.connected({each.customer_id for each in conversations})
    return [
        for_staff(each, places.get(each.pk), each.customer_id in online)
        for each in conversations
    ]


def line(queue_ids: Iterable[int]) -> Any:
    """Who waits, first come first served: a rescue before the others, then by the
    time since when. Left messages stand in no line."""
    waiting = Conversation.objects.filter(
        queue_id__in=tuple(queue_ids), state=Conversation.State.WAITING, left=False
    )
    return waiting.order_by("queue_id", *LINE_ORDER)


def positions(queue_ids: Iterable[int]) -> dict[UUID, int]:
    """Of everybody who waits in these queues; 1 is next."""
    ranked = line(queue_ids).annotate(
        rank=Window(RowNumber(), partition_by=F("queue_id"), order_by=LINE_ORDER)
    )
    return dict(ranked.values_list("pk", "rank"))


def position(conversation: Conversation) -> int | None:
    if conversation.state != Conversation.State.WAITING or conversation.left:
        return None
    return positions([conversation.queue_id]).get(conversation.pk)


def _public(conversation: Conversation, position: int | None) -> dict[str, Any]:
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
        "position": position,
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
                uploads.attachment_frame(each, audience)
                for each in row.attachments.all()
            ],
            at=wire_time(row.at),
            event=row.event or None,
            data=row.data or None,
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


SYSTEM = protocol.Author("system", "", "")


def agent_names(ids: Iterable[UUID]) -> dict[UUID, str]:
    return dict(_agents().filter(pk__in=tuple(ids)).values_list("pk", "name"))


# --- agents and queues


def agents(ids: Iterable[UUID], now: dt.datetime) -> list[protocol.Agent]:
    """In the order of their names."""
    chosen = _agents().filter(pk__in=tuple(ids)).order_by("name")
    found = list(chosen.annotate(load=_open_assignments()))
    connected = presence.connected({each.pk for each in found})
    recent = now - dt.timedelta(minutes=ACTIVE_MINUTES)
    return [
        protocol.Agent(
            id=str(each.pk),
            name=each.name,
            status=each.status,
            connected=each.pk in connected,
            active=bool(
                each.pk in connected and each.active_at and each.active_at > recent
            ),
            load=each.load,
            capacity=each.capacity,
            reason=each.status_reason or None,
        )
        for each in found
    ]


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
    chosen = Queue.objects.filter(pk__in=tuple(queue_ids))
    waiting = Q(conversations__state="waiting", conversations__left=False)
    counted = chosen.annotate(
        waiting=Count("conversations", filter=waiting),
        active=Count("conversations", filter=Q(conversations__state="active")),
        longest=Min("conversations__waiting_since", filter=waiting),
    )
    staffed = _staffed(queue_ids)
    return [
        protocol.StaffQueue(
            id=str(queue.pk),
            name=queue.name,
            open=queue.is_open,
            waiting=queue.waiting,
            active=queue.active,
            longest_wait_seconds=_seconds(queue.longest, now),
            staffed=staffed.get(queue.pk, 0),
        )
        for queue in counted
    ]


def availability(queues: Sequence[Queue]) -> str:
    """For customers: "open" when an accepting agent is here with room, "busy" when
    there is a wait, "closed" when no queue is open."""
    opened = [queue.pk for queue in queues if queue.is_open]
    if not opened:
        return "closed"
    accepting = _agents().filter(status="online", memberships__queue_id__in=opened)
    room = accepting.annotate(load=_open_assignments()).filter(load__lt=F("capacity"))
    here = presence.connected(room.values_list("pk", flat=True))
    return "open" if here else "busy"


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


def _open_assignments() -> Count:
    return Count("assignments", filter=Q(assignments__ended_at=None))


def load(agent_id: UUID) -> int:
    """How many slots of the agent are leased. Lock the agent's row first."""
    return Assignment.objects.filter(agent_id=agent_id, ended_at=None).count()


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
