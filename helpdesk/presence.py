"""Who is at the desk now: leases in the database, on its clock.

A process says every few seconds that it lives; the rows of those connected through
it count as long as its word does. So thousands of sockets cost one small write,
and a killed process is found by its silence. A long poll has an end of its own.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from .database import db_now
from .models import Connection, ServerProcess, new_id
from .written import Written

LEASE_SECONDS = 45
RENEW_SECONDS = 15  # two renewals may fail before anybody is missed
VOUCH_SECONDS = 5
COMMIT_SECONDS = 5  # at most, from a look at who is here to what is built on it
DOUBT_SECONDS = 20  # whoever lives has vouched for a new process by then
POLL_SECONDS = 60  # past a long poll's last answer


class Present:
    """This process's part: how many sockets each person has here. Only counts; the
    caller stores what `first` and `last` say, and notes whose arrival is stored."""

    def __init__(self) -> None:
        self.process = new_id()
        self.stored: set[UUID] = set()
        self._sockets: Counter[UUID] = Counter()

    def first(self, person: UUID) -> bool:
        """Count a socket; True when it is the person's first here."""
        self._sockets[person] += 1
        return self._sockets[person] == 1

    def last(self, person: UUID) -> bool:
        """Count one less; True when it was the person's last here."""
        self._sockets[person] -= 1
        if self._sockets[person] > 0:
            return False
        del self._sockets[person]
        self.stored.discard(person)
        return True

    def note_stored(self, person: UUID) -> None:
        """Unless they have left meanwhile."""
        if person in self._sockets:
            self.stored.add(person)

    def sockets(self, person: UUID) -> int:
        return self._sockets[person]

    def people(self) -> list[UUID]:
        return list(self._sockets)


def renew(process: UUID, people: Iterable[UUID] = ()) -> bool:
    """Say that the process lives. True when no process has lived just before: the
    desk was down, and nobody's absence meanwhile counts. Idempotent.

    That all others' leases have lapsed says so at once. All may also have been killed
    with leases still to run: a new process is in doubt until an older one vouches for
    it, or none has for a while."""
    now = db_now()
    until = now + dt.timedelta(seconds=LEASE_SECONDS)
    unvouched = ServerProcess.objects.filter(
        pk=process,
        settled=False,
        started_at__lte=now - dt.timedelta(seconds=DOUBT_SECONDS),
    )
    down = not desk_is_up(now) or unvouched.exists()
    fields = {"alive_until": until} | ({"settled": True} if down else {})
    renewed = ServerProcess.objects.filter(pk=process).update(**fields)
    if not renewed:
        ServerProcess.objects.create(
            pk=process, started_at=now, alive_until=until, settled=down
        )
        # Silent for too long, it was swept: those still connected here come back.
        Connection.objects.bulk_create(
            [Connection(process_id=process, person=each) for each in people],
            ignore_conflicts=True,
        )
    return down


def vouch(process: UUID) -> None:
    """The desk was up when younger processes started: this one was there."""
    older = ServerProcess.objects.filter(pk=process, settled=True).values("started_at")
    younger = ServerProcess.objects.filter(settled=False, started_at__gt=older)
    younger.update(settled=True)


def in_doubt(now: dt.datetime) -> bool:
    """Whether the desk may have been down a moment ago."""
    return unsettled(now).exists()


def unsettled(now: dt.datetime) -> QuerySet[ServerProcess]:
    return ServerProcess.objects.filter(alive_until__gt=now, settled=False)


def desk_is_up(now: dt.datetime) -> bool:
    """Whether any process has lately said that it lives."""
    return ServerProcess.objects.filter(alive_until__gt=now).exists()


def be_lenient(until: dt.datetime) -> None:
    """Nobody's absence has consequences before then."""
    ServerProcess.objects.update(lenient_until=until)


def is_lenient(now: dt.datetime) -> bool:
    live = ServerProcess.objects.filter(alive_until__gt=now)
    return live.filter(lenient_until__gt=now).exists()


def arrive(process: UUID, person: UUID, until: dt.datetime | None = None) -> None:
    """Idempotent. With `until`, a long poll, which never shortens a socket's."""
    if until is None:
        arrive_all(process, [person])
        return
    Connection.objects.get_or_create(
        process_id=process, person=person, defaults={"until": until}
    )
    stored = Connection.objects.filter(process_id=process, person=person)
    stored.filter(until__lt=until).update(until=until)


def arrive_all(process: UUID, people: Iterable[UUID]) -> None:
    """Many, with sockets. Idempotent."""
    Connection.objects.bulk_create(
        [Connection(process_id=process, person=each) for each in people],
        update_conflicts=True,
        unique_fields=["process", "person"],
        update_fields=["until"],
    )


def leave(process: UUID, person: UUID) -> bool:
    """Idempotent. True when the person is now connected nowhere."""
    return person in leave_all(process, [person])


def leave_all(process: UUID, people: Iterable[UUID]) -> set[UUID]:
    """Idempotent. Which of them are now connected nowhere. Whoever changes several in
    one transaction has to `lock` them first."""
    gone = set(people)
    if not gone:
        return gone
    Connection.objects.filter(process_id=process, person__in=gone).delete()
    return gone - connected(gone)


def lock(process: UUID, people: Iterable[UUID]) -> None:
    """What is stored of these people here, in the order in which `kept` locks it."""
    _lock(process, people)


def is_known(process: UUID) -> bool:
    """Or has it been swept, since it was silent for too long?"""
    return bool(_known(process))


def astray(process: UUID, here: Iterable[UUID]) -> set[UUID]:
    """Who has a socket here and is not stored so, or the other way round: an arrival or
    an end that could not be stored."""
    return set(_stored(process)) ^ set(here)


_known = Written(
    lambda process: ServerProcess.objects.filter(pk=process).values_list("pk")
)
_stored = Written(
    lambda process: Connection.objects.filter(
        process_id=process, until=None
    ).values_list("person", flat=True)
)
_lock = Written(
    lambda process, people: (
        Connection.objects.filter(process_id=process, person__in=people)
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk")
    )
)


def connected(people: Iterable[UUID], now: dt.datetime | None = None) -> set[UUID]:
    """Which of these people have a live lease. `now`: if the caller has just asked."""
    return set(_connected(now or db_now(), people))


def live(now: dt.datetime) -> QuerySet[Connection]:
    return Connection.objects.filter(
        Q(until=None) | Q(until__gt=now), process__alive_until__gt=now
    )


def kept(people: Iterable[UUID]) -> set[UUID]:
    """As `connected`, and still so at the caller's COMMIT. None of their sockets is
    gone before it: who leaves meanwhile leaves after it, and what they were given is
    seen to then. Nor does a lease lapse by itself meanwhile, as some would after a
    database has been away for nearly as long as one runs."""
    return set(_kept(db_now() + dt.timedelta(seconds=COMMIT_SECONDS), people))


_kept = Written(
    lambda until, people: (
        live(until)
        .filter(person__in=people)
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("person", flat=True)
    )
)
_connected = Written(
    lambda now, people: (
        live(now).filter(person__in=people).values_list("person", flat=True)
    )
)


def sweep(now: dt.datetime) -> None:
    """Forget processes that fell silent and polls that ended. Safe to run twice."""
    for forgotten in swept(now):
        forgotten.delete()


def swept(now: dt.datetime) -> tuple[QuerySet[Any], ...]:
    return (
        ServerProcess.objects.filter(alive_until__lte=now),
        Connection.objects.filter(until__lte=now),
    )


def retire(process: UUID) -> None:
    """The process says good-bye: nobody is connected through it any more."""
    ServerProcess.objects.filter(pk=process).delete()
