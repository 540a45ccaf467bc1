"""The line: who waits, where, and how long it may take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from .. import protocol
from ..database import db_now
from ..models import (
    Assignment,
    Conversation,
)
from ..pace import SAMPLES, wait_range
from ..written import Written

if TYPE_CHECKING:
    pass

LINE_ORDER = (
    F("rescued").desc(),
    F("priority").desc(),
    F("waiting_since").asc(),
    F("id").asc(),
)
PACE_SECONDS = 3600  # hand-outs of longer ago tell nothing of now


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


def turns_of(conversations: Iterable[Conversation]) -> dict[UUID, Turn]:
    """Of those among them that stand in line."""
    waiting = Conversation.State.WAITING
    return turns(
        {
            each.queue_id
            for each in conversations
            if each.state == waiting and not each.left
        }
    )


def turn(conversation: Conversation) -> Turn:
    return turns_of([conversation]).get(conversation.pk, NO_TURN)


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
