"""Finding, locking and changing the rows; shared by the verbs here and in pairing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import F

from .. import snapshots
from ..database import Outdated
from ..models import Conversation, Transfer
from ..written import Written

OPEN = (Conversation.State.WAITING, Conversation.State.ACTIVE)


def pending_transfer(conversation: Conversation) -> Transfer | None:
    return getattr(conversation, snapshots.TRANSFER, None)


def find(wanted: str) -> Conversation | None:
    """By the id that a client named, which may be anything. Without what it refers
    to: verbs read that under the lock."""
    if not re.fullmatch(r"[0-9a-f-]{36}", wanted):
        return None
    try:
        (found,) = _find(UUID(wanted)) or (None,)
    except ValueError:
        return None
    return found


_find = Written(lambda pk: Conversation.objects.filter(pk=pk))


def locked(pk: UUID) -> Conversation:
    """The row as it is under its lock. Verbs check state and holder on this."""
    return locked_all([pk])[pk]


def locked_all(pks: Iterable[UUID]) -> dict[UUID, Conversation]:
    """Locked in the order of their ids. The lock leaves the key alone, so that rows
    which refer to it can still be inserted.

    Read in a second statement: one that had to wait for the lock sees the row as it
    is then, but what it joins (agent, queue, transfer) as it was before.
    """
    wanted = tuple(pks)
    _lock(wanted)
    return {row.pk: row for row in with_relations(wanted)}


_lock = Written(
    lambda pks: (
        Conversation.objects.select_for_update(no_key=True)
        .filter(pk__in=pks)
        .order_by("pk")
        .values_list("pk")
    )
)
with_relations = Written(
    lambda pks: (
        Conversation.objects.select_related(*snapshots.RELATED)
        .filter(pk__in=pks)
        .order_by("pk")
    )
)


def locked_with_holder(found: Conversation) -> Conversation:
    """The row, locked after whoever holds it. Raises Outdated when that is somebody
    else by now: to lock them behind it would be a deadlock with whoever does it in
    order."""
    lock_agents(found.agent_id)
    conversation = locked(found.pk)
    if conversation.agent_id not in (None, found.agent_id):
        raise Outdated
    return conversation


def lock_agents(*agent_ids: UUID | None) -> None:
    """Before the conversations that they hold, and by id, as the lock order says."""
    _lock_agents({agent_id for agent_id in agent_ids if agent_id})


_lock_agents = Written(
    lambda pks: (
        apps.get_model("agents", "Agent")
        .objects.select_for_update(no_key=True)
        .filter(pk__in=pks)
        .order_by("pk")
        .values_list("pk")
    )
)


def change(conversation: Conversation, **fields: Any) -> None:
    """Store new values of a locked conversation, as a new version."""
    change_all([conversation], **fields)


def change_all(conversations: Collection[Conversation], **fields: Any) -> None:
    """The same values of many."""
    Conversation.objects.filter(pk__in=[each.pk for each in conversations]).update(
        version=F("version") + 1, **fields
    )
    for conversation in conversations:
        conversation.version += 1
        for name, value in fields.items():
            setattr(conversation, name, value)
