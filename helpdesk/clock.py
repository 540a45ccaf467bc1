"""What happens when nobody acts. All times live in the database, so a restart
forgets none, and every process may run this at once: each step changes only what is
still as it believes, under the row's lock.

Most of the time there is nothing to do, which one query finds out (`_anything`).
Whatever a step would find must be found by it too.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, transaction
from django.db.models import F, QuerySet

from . import conversations, followups, pairing, presence, reasons, uploads
from .database import db_now
from .models import Assignment, Conversation, Queue
from .written import Look, Written

log = logging.getLogger(__name__)

TICK_SECONDS = 5
CUSTOMER_TOLD_SECONDS = 25  # of an agent's absence; a page reload takes less
IDLE_SECONDS = 25 * 60  # nobody has said anything: the customer is asked
EXPIRED_SECONDS = 30 * 60  # and then the conversation ends
AT_ONCE = 100  # changed in one transaction
GRACE_SECONDS = 60  # after the desk itself was down
ACTIVE, WAITING = Conversation.State.ACTIVE, Conversation.State.WAITING


def tick() -> list[int]:
    """One look at everything. Returns the queues that must be drained. Each step is
    a transaction of its own, and one that fails does not keep the others from theirs.

    Nothing happens while no process lives: after an outage the first to renew its
    lease forgives (desk.py), and only then may anybody be missed. As long as it is in
    doubt whether there was one, people are noticed, and nothing follows from it."""
    now = db_now()
    if not anything.finds(now) or not presence.desk_is_up(now):
        return []
    _try(now, presence.sweep, notice_agents, notice_customers)
    if not presence.in_doubt(now):
        _try(now, tell_of_lost_agents, warn_idle, expire_idle, lapse_due)
        if not presence.is_lenient(now):
            _try(now, requeue_of_lost_agents, abandon)
    _try(now, followups.queue_due, tell_of_changed_agents, uploads.purge_unused)
    return list(pairing.with_waiting().values_list("pk", flat=True))


def _anything(now: dt.datetime) -> list[QuerySet[Any]]:
    """What the steps would find, or more: a yes costs a tick, a wrong no a customer."""
    return [
        *presence.swept(now),
        presence.unsettled(now),
        _newly_gone(now),
        _returned(now),
        _rung_in_vain(now),
        _customers_gone(now),
        _customers_back(now),
        _with_lost_agents(),
        _with_lost_customers(),
        _silent(now),
        _expired(now),
        pairing.due(now),
        pairing.fallen_silent(now, TICK_SECONDS),
        pairing.wrapped_up(now, TICK_SECONDS),
        followups.unseen(now),
        uploads.unused(now),
        pairing.with_waiting(),
    ]


anything = Look(_anything)


def _try(now: dt.datetime, *steps: Callable[[dt.datetime], object]) -> None:
    for step in steps:
        try:
            step(now)
        except Exception:
            if not connection.is_usable():
                raise  # the database is away: the others would fail as well
            log.exception("clock: %s failed", step.__name__)


def lapse_offers() -> list[int]:
    """Returns the queues to drain. As with `tick`, only while the desk is up."""
    now = db_now()
    if not presence.desk_is_up(now) or presence.in_doubt(now):
        return []
    return lapse_due(now)


def lapse_due(now: dt.datetime) -> list[int]:
    queues: list[int] = []
    for offer_id in list(pairing.due(now).order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            queues += pairing.lapse(offer_id)
    return queues


def forgive(now: dt.datetime) -> None:
    """The desk itself was down: nobody's absence or silence counts from before now,
    and what would be up by now is up only after a while, however impatient a queue."""
    soon = now + dt.timedelta(seconds=GRACE_SECONDS)
    _agents().filter(gone_at__isnull=False).update(gone_at=now)
    ours = Conversation.objects.filter(state__in=conversations.OPEN)
    if not ours.exists():
        return
    presence.be_lenient(soon)
    ours.filter(customer_gone_at__isnull=False).update(customer_gone_at=now)
    silent = soon - dt.timedelta(seconds=EXPIRED_SECONDS)
    ours.filter(said_at__lt=silent).update(said_at=silent)
    ringing = Assignment.objects.filter(ended_at=None, kind=Assignment.Kind.OFFER)
    ringing.filter(lapses_at__lt=soon).update(lapses_at=soon)


# --- who is here


def notice_agents(now: dt.datetime) -> None:
    """Since when agents who hold conversations are gone."""
    _newly_gone(now).update(gone_at=now)
    for agent_id in _returned(now).values_list("pk", flat=True):
        agent_returned(agent_id)
    for agent_id in _rung_in_vain(now).values_list("pk", flat=True):
        with transaction.atomic():
            pairing.withdraw_from(agent_id)


def _here(now: dt.datetime) -> QuerySet[Any, Any]:
    return presence.live(now).values("person")


def _newly_gone(now: dt.datetime) -> QuerySet[Any]:
    return _agents().filter(gone_at=None).exclude(pk__in=_here(now))


def _returned(now: dt.datetime) -> QuerySet[Any]:
    return _agents().filter(gone_at__isnull=False, pk__in=_here(now))


def _rung_in_vain(now: dt.datetime) -> QuerySet[Any]:
    """Agents who are gone while an offer rings for them."""
    rings_for = _agents().filter(
        assignments__kind=Assignment.Kind.OFFER, assignments__ended_at=None
    )
    return rings_for.exclude(pk__in=_here(now))


def agent_moved(agent_id: UUID) -> None:
    """An agent's first socket opened or the last one closed."""
    if presence.connected([agent_id]):
        agent_returned(agent_id)
    else:
        with transaction.atomic():
            _agents().filter(pk=agent_id, gone_at=None).update(gone_at=db_now())
            pairing.nudge(pairing.withdraw_from(agent_id))


def tell_of_changed_agents(now: dt.datetime) -> None:
    """What changes by itself: activity and wrap-up."""
    silent = pairing.fallen_silent(now, TICK_SECONDS)
    free = pairing.wrapped_up(now, TICK_SECONDS).values("agent_id")
    for agent in silent | _agents().filter(pk__in=free):
        conversations.tell_agent(agent)


def agent_returned(agent_id: UUID) -> None:
    """Clear the absence; customers who were told of it are told of its end."""
    with transaction.atomic():
        if (
            not _agents()
            .filter(pk=agent_id, gone_at__isnull=False)
            .update(gone_at=None)
        ):
            return  # somebody else noticed first
        told = Conversation.objects.filter(
            agent_id=agent_id, state=ACTIVE, agent_lost_at__isnull=False
        )
        for conversation in _each_locked(told, wait=True):  # nobody does it later
            conversations.change(conversation, agent_lost_at=None)
            name = conversation.agent.name if conversation.agent else ""
            conversations.say_event(
                conversation, "agent_back", f"{name} is back.", {"name": name}
            )
            conversations.tell(conversation)
        pairing.return_to(agent_id)


def notice_customers(now: dt.datetime) -> None:
    """Since when customers with an open conversation are gone."""
    _set_gone(_ids(_customers_gone(now)), now, gone=True)
    _set_gone(_ids(_customers_back(now)), now, gone=False)


def _customers_gone(now: dt.datetime) -> QuerySet[Conversation]:
    here = _in_talk().filter(customer_gone_at=None)
    return here.exclude(customer_id__in=_here(now))


def _customers_back(now: dt.datetime) -> QuerySet[Conversation]:
    gone = _in_talk().filter(customer_gone_at__isnull=False)
    return gone.filter(customer_id__in=_here(now))


def _in_talk() -> QuerySet[Conversation]:
    """Open, and expected to be here."""
    return Conversation.objects.filter(state__in=conversations.OPEN, left=False)


def _ids(found: QuerySet[Conversation]) -> list[UUID]:
    return list(found.order_by("pk").values_list("pk", flat=True))


def customer_moved(customer_id: UUID) -> None:
    """A customer's first socket opened or the last one closed."""
    customers_moved([customer_id])


def customers_moved(ids: Sequence[UUID]) -> list[None]:
    """Of many at once. Most who come were not missed, and nothing is to be changed."""
    now = db_now()
    here = presence.connected(ids, now)
    _set_gone(_missed(here), now, gone=False)
    _set_gone(_not_missed(set(ids) - here), now, gone=True)
    return [None] * len(ids)


def _open_of(*, missed: bool) -> Written[UUID]:
    """What customers have open, who are missed there or are not."""
    return Written(
        lambda customers: (
            _in_talk()
            .filter(customer_id__in=customers, customer_gone_at__isnull=not missed)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
    )


_missed, _not_missed = _open_of(missed=True), _open_of(missed=False)


def _set_gone(pks: Sequence[UUID], now: dt.datetime, *, gone: bool) -> None:
    """Of those with whom it is not so yet once their rows are locked. By id, as all
    locks; the rows that another process has in hand are left to it, or else to the
    next tick."""
    for begin in range(0, len(pks), AT_ONCE):
        with transaction.atomic():
            free = Conversation.objects.select_for_update(
                skip_locked=True, no_key=True
            ).filter(pk__in=pks[begin : begin + AT_ONCE])
            locked = conversations.locked_all(
                free.order_by("pk").values_list("pk", flat=True)
            )
            here = presence.connected({each.customer_id for each in locked.values()})
            changed = [
                each
                for each in locked.values()
                if each.state in conversations.OPEN
                and not each.left
                and (each.customer_gone_at is None) == gone
                and (each.customer_id not in here) == gone
            ]
            conversations.change_all(changed, customer_gone_at=now if gone else None)
            if changed:
                conversations.tell_all(changed)


# --- what follows


def tell_of_lost_agents(now: dt.datetime) -> None:
    """The customer reads that the agent lost connection and that the place is kept."""
    with transaction.atomic():
        for conversation in _each_locked(_agent_lost(now)):
            name = conversation.agent.name if conversation.agent else ""
            conversations.change(conversation, agent_lost_at=now)
            conversations.say_event(
                conversation,
                "agent_lost",
                f"{name} lost connection. We keep your place.",
                {"name": name},
            )
            conversations.tell(conversation)


def _agent_lost(now: dt.datetime) -> QuerySet[Conversation]:
    since = now - dt.timedelta(seconds=CUSTOMER_TOLD_SECONDS)
    return _with_lost_agents().filter(agent_lost_at=None, agent__gone_at__lte=since)


def _with_lost_agents() -> QuerySet[Conversation]:
    return Conversation.objects.filter(state=ACTIVE, agent__gone_at__isnull=False)


def requeue_of_lost_agents(now: dt.datetime) -> None:
    for seconds in _used("lost_after_seconds"):
        since = now - dt.timedelta(seconds=seconds)
        held = _with_lost_agents().filter(
            queue__lost_after_seconds=seconds, agent__gone_at__lte=since
        )
        for agent_id in sorted(set(held.values_list("agent_id", flat=True))):
            _requeue_all(agent_id, held.filter(agent_id=agent_id))


def _requeue_all(agent_id: UUID, held: QuerySet[Conversation]) -> None:
    with transaction.atomic():
        conversations.lock_agents(agent_id)
        for conversation in _each_locked(held):
            name = conversation.agent.name if conversation.agent else ""
            gone = reasons.WasGone(name, conversation.queue.lost_after_seconds)
            pairing.requeue(conversation, gone, reason="agent_lost")


def abandon(now: dt.datetime) -> None:
    """Waiting customers who have been gone for the queue's time."""
    for seconds in _used("abandoned_after_seconds"):
        since = now - dt.timedelta(seconds=seconds)
        gone = _with_lost_customers().filter(
            queue__abandoned_after_seconds=seconds, customer_gone_at__lte=since
        )
        with transaction.atomic():
            for conversation in _each_locked(gone):
                conversations.end(conversation, outcome="abandoned", by="clock")


def _with_lost_customers() -> QuerySet[Conversation]:
    return Conversation.objects.filter(
        state=WAITING, left=False, customer_gone_at__isnull=False
    )


def warn_idle(now: dt.datetime) -> None:
    with transaction.atomic():
        for conversation in _each_locked(_silent(now)):
            minutes = (EXPIRED_SECONDS - IDLE_SECONDS) // 60
            conversations.change(conversation, idle_warned_at=now)
            conversations.say_event(
                conversation,
                "idle_warning",
                f"Are you still there? This ends in {minutes} minutes.",
                {"minutes": minutes},
            )


def _silent(now: dt.datetime) -> QuerySet[Conversation]:
    since = now - dt.timedelta(seconds=IDLE_SECONDS)
    silent = Conversation.objects.filter(state=ACTIVE, said_at__lte=since)
    return silent.exclude(idle_warned_at__gte=F("said_at"))


def expire_idle(now: dt.datetime) -> None:
    silent = _expired(now)
    for agent_id in sorted(set(silent.values_list("agent_id", flat=True))):
        with transaction.atomic():
            conversations.lock_agents(agent_id)
            for conversation in _each_locked(silent.filter(agent_id=agent_id)):
                conversations.end(conversation, outcome="expired", by="clock")


def _expired(now: dt.datetime) -> QuerySet[Conversation]:
    """Never without a warning some minutes before."""
    minutes = dt.timedelta(seconds=EXPIRED_SECONDS - IDLE_SECONDS)
    return Conversation.objects.filter(
        state=ACTIVE,
        said_at__lte=now - dt.timedelta(seconds=EXPIRED_SECONDS),
        idle_warned_at__gte=F("said_at"),
        idle_warned_at__lte=now - minutes,
    )


def _used(setting: str) -> list[int]:
    """The values that queues have for a setting: few, where queues may be many."""
    return list(Queue.objects.order_by().values_list(setting, flat=True).distinct())


def _each_locked(
    found: QuerySet[Conversation], *, wait: bool = False
) -> Iterator[Conversation]:
    """Those that are still as `found` believes once their row is locked. By id, as
    all locks; the rows that another process's clock has in hand are left to it, or
    else to the next tick."""
    for pk in found.order_by("pk").values_list("pk", flat=True):
        row = Conversation.objects.select_for_update(skip_locked=not wait, no_key=True)
        if row.filter(pk=pk).first() and found.filter(pk=pk).exists():
            yield conversations.locked(pk)


def _agents() -> QuerySet:  # type: ignore[type-arg]
    return apps.get_model("agents", "Agent").objects.all()
