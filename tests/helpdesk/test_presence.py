"""Who is at the desk: leases on the database's clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from helpdesk import database, presence
from helpdesk.models import Connection, ServerProcess
from helpdesk.presence import COMMIT_SECONDS, LEASE_SECONDS, RENEW_SECONDS, Present

ADA = uuid4()


@pytest.fixture(autouse=True)
def _time_is_put_back(db: None) -> Iterator[None]:
    yield
    database.offset = dt.timedelta(0)


def passes(seconds: float) -> None:
    database.offset += dt.timedelta(seconds=seconds)


@pytest.fixture
def process(db: None) -> UUID:
    """One that lives."""
    process = uuid4()
    presence.renew(process)
    return process


def here() -> bool:
    return ADA in presence.connected([ADA])


# --- this process's sockets


def test_several_tabs_of_one_person_are_one_person() -> None:
    present = Present()
    assert [present.first(ADA) for _ in range(3)] == [True, False, False]
    assert present.people() == [ADA]
    assert [present.last(ADA) for _ in range(3)] == [False, False, True]
    assert present.people() == []


def test_one_persons_tabs_are_not_anothers() -> None:
    present = Present()
    present.first(ADA)
    assert present.first(uuid4())
    assert present.sockets(ADA) == 1


# --- leases


def test_who_arrives_is_connected_and_who_leaves_is_not(process: UUID) -> None:
    presence.arrive(process, ADA)
    assert here()
    assert presence.leave(process, ADA)
    assert not here()


def test_nobody_is_connected_through_a_process_that_never_lived() -> None:
    stranger = ServerProcess.objects.create(
        started_at=database.db_now(), alive_until=database.db_now()
    )
    presence.arrive(stranger.pk, ADA)
    assert not here()


def test_to_arrive_or_leave_twice_changes_nothing(process: UUID) -> None:
    for _ in range(2):
        presence.arrive(process, ADA)
    assert Connection.objects.count() == 1
    for _ in range(2):
        assert presence.leave(process, ADA)


def test_who_leaves_one_process_may_be_connected_through_another(
    process: UUID,
) -> None:
    other = uuid4()
    presence.renew(other)
    presence.arrive(process, ADA)
    presence.arrive(other, ADA)
    assert not presence.leave(process, ADA)
    assert here()


def test_a_silent_process_is_believed_for_its_lease_only(process: UUID) -> None:
    presence.arrive(process, ADA)
    passes(LEASE_SECONDS - 10)
    assert here()
    passes(11)
    assert not here()


def test_two_renewals_may_fail() -> None:
    assert 2 * RENEW_SECONDS < LEASE_SECONDS


def test_a_renewed_process_is_believed_on(process: UUID) -> None:
    presence.arrive(process, ADA)
    for _ in range(4):
        passes(RENEW_SECONDS)
        presence.renew(process)
    assert here()


@pytest.mark.parametrize(("left", "given"), [(COMMIT_SECONDS + 1, True), (1, False)])
def test_nobody_is_given_work_whose_lease_may_lapse_before_the_commit(
    process: UUID, left: int, given: bool
) -> None:
    presence.arrive(process, ADA)
    passes(LEASE_SECONDS - left)
    assert here()
    assert (ADA in presence.kept([ADA])) == given


def test_who_was_swept_and_lives_brings_back_its_people(process: UUID) -> None:
    presence.arrive(process, ADA)
    passes(LEASE_SECONDS + 1)
    presence.sweep(database.db_now())
    assert not Connection.objects.exists()
    presence.renew(process, [ADA])
    assert here()


def test_who_says_good_bye_takes_its_people_along(process: UUID) -> None:
    presence.arrive(process, ADA)
    presence.retire(process)
    assert not here()


def test_the_sweep_leaves_the_living_alone(process: UUID) -> None:
    presence.arrive(process, ADA)
    for _ in range(2):
        presence.sweep(database.db_now())
    assert here()


# --- was the desk down?


def test_the_first_process_finds_the_desk_down() -> None:
    assert presence.renew(uuid4())


def test_a_further_process_does_not(process: UUID) -> None:
    assert not presence.renew(uuid4())
    assert not presence.renew(process)


def test_after_everybody_was_silent_the_first_finds_it_down(process: UUID) -> None:
    other = uuid4()
    presence.renew(other)
    passes(LEASE_SECONDS + 1)
    assert not presence.desk_is_up(database.db_now())
    assert presence.renew(other)
    assert not presence.renew(process)


# --- long polls


def test_a_poll_counts_until_its_end(process: UUID) -> None:
    until = database.db_now() + dt.timedelta(seconds=30)
    presence.arrive(process, ADA, until)
    assert here()
    passes(31)
    presence.renew(process)
    assert not here()
    presence.sweep(database.db_now())
    assert not Connection.objects.exists()


def test_the_next_poll_makes_it_longer_never_shorter(process: UUID) -> None:
    now = database.db_now()
    for seconds in (30, 40, 10):
        until = now + dt.timedelta(seconds=seconds)
        presence.arrive(process, ADA, until)
    passes(35)
    presence.renew(process)
    assert here()


def test_a_poll_does_not_end_a_socket(process: UUID) -> None:
    presence.arrive(process, ADA)
    until = database.db_now() + dt.timedelta(seconds=5)
    presence.arrive(process, ADA, until)
    passes(10)
    assert here()
