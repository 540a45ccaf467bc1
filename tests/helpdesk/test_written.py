"""A written query answers as the queryset would, however often and of whatever."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from customers.models import Site
from helpdesk import database, snapshots
from helpdesk.models import Conversation, Queue
from helpdesk.written import Look, Written
from tests.helpdesk.hall import Hall


def test_rows_come_with_what_they_refer_to(
    hall: Hall, django_assert_num_queries: Any
) -> None:
    ask = Written(
        lambda pks: Conversation.objects.select_related(*snapshots.RELATED).filter(
            pk__in=pks
        )
    )
    hall.agent("Ada")
    talks = [hall.waits(name) for name in ("Cora", "Carl", "Cleo")]
    for known in (talks[:1], talks[1:2], talks, talks[::-1]):
        wanted = [each.pk for each in known]
        with django_assert_num_queries(1):
            rows = ask(wanted)
            told = {row.pk: (row.customer.name, row.queue.name) for row in rows}
        assert told == {each.pk: (each.customer.name, "Sales") for each in known}
        assert rows[0].agent is not None


def test_values_come_in_the_querysets_order(hall: Hall) -> None:
    ask = Written(
        lambda queue, state: (
            Conversation.objects.filter(queue=queue, state=state)
            .order_by("-waiting_since", "-pk")
            .values_list("pk", flat=True)
        )
    )
    first, second = hall.waits("Cora"), hall.waits("Carl")
    assert ask(hall.sales.pk, "waiting") == [second.pk, first.pk]
    assert ask(hall.sales.pk, "ended") == []
    assert ask(hall.billing.pk, "waiting") == []


def test_of_nothing_nothing_is_found_and_nothing_asked(
    hall: Hall, django_assert_num_queries: Any
) -> None:
    ask = Written(lambda pks: Conversation.objects.filter(pk__in=pks))
    with django_assert_num_queries(0):
        assert ask([]) == []
        assert ask(set()) == []
    assert ask({uuid.uuid4()}) == []


def test_a_row_that_changed_is_read_anew(hall: Hall) -> None:
    ask = Written(lambda pk: Queue.objects.filter(pk=pk))
    (before,) = ask(hall.sales.pk)
    Queue.objects.filter(pk=hall.sales.pk).update(name="Shop floor")
    (after,) = ask(hall.sales.pk)
    assert (before.name, after.name) == ("Sales", "Shop floor")


def test_what_is_given_is_never_words_of_the_query(hall: Hall) -> None:
    ask = Written(lambda name: Queue.objects.filter(name=name))
    for name in ("Sales", "' OR 1 = 1 --", "%s", "Sales%"):
        assert [row.name for row in ask(name)] == [name] * (name == "Sales")


@pytest.mark.parametrize("seconds", [0, 59, 61, 3600])
def test_a_look_moves_with_the_time(hall: Hall, seconds: int) -> None:
    def old(now: dt.datetime) -> list[Any]:
        since = now - dt.timedelta(seconds=60)
        return [
            Queue.objects.filter(name="None such"),
            Conversation.objects.filter(waiting_since__lte=since),
        ]

    look = Look(old)
    assert not look.finds(database.db_now())
    since = hall.waits().waiting_since
    assert look.finds(since + dt.timedelta(seconds=seconds)) == (seconds >= 60)


def test_a_look_at_nothing_finds_nothing(hall: Hall) -> None:
    look = Look(lambda now: [Conversation.objects.none()])
    assert not look.finds(database.db_now())


@pytest.mark.parametrize("many", [0, 1, 3])
def test_among_finds_as_in_does(hall: Hall, many: int) -> None:
    talks = [hall.waits(name) for name in ("Cora", "Carl", "Cleo")]
    wanted = [each.pk for each in talks[:many]]
    for ids in (wanted, [*wanted, uuid.uuid4()], [str(each) for each in wanted]):
        found = Conversation.objects.filter(pk__among=ids)
        assert {each.pk for each in found} == set(wanted)
    by_customer = Conversation.objects.filter(
        customer_id__among=[each.customer_id for each in talks[:many]], state="waiting"
    )
    assert by_customer.count() == many
    named = Queue.objects.filter(name__among=["Sales", "' OR 1 = 1 --"])
    assert [queue.pk for queue in named] == [hall.sales.pk]


def test_among_takes_more_than_a_query_has_room_for(hall: Hall) -> None:
    strangers = [uuid.uuid4() for _ in range(40_000)]
    talk = hall.waits()
    found = Conversation.objects.filter(pk__among=[*strangers, talk.pk])
    assert [each.pk for each in found] == [talk.pk]


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that is read goes through one connection."""
    if connection.vendor != "postgresql":
        pytest.fail("only PostgreSQL keeps plans and has a connection to lose")
    database.close_all()
    monkeypatch.setattr(database, "READERS", 1)
    yield
    database.close_all()


named = Written(lambda name: Site.objects.filter(name=name))


async def ask_until_it_is_prepared() -> None:
    await asyncio.to_thread(
        in_thread, lambda: Site.objects.create(key="s", name="Shop")
    )
    for _ in range(4):
        assert [site.key for site in await database.reading(named, "Shop")] == ["s"]


def in_thread(act: Callable[[], Any]) -> None:
    try:
        act()
    finally:
        connection.close()


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.usefixtures("one_reader")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cross", [database.reading, database.in_transaction])
async def test_a_migration_under_way_stops_no_question(cross: Any) -> None:
    await ask_until_it_is_prepared()
    alter = "ALTER TABLE customers_site ALTER COLUMN name TYPE varchar({})"
    await cross(named, "Shop")
    await asyncio.to_thread(in_thread, lambda: execute(alter.format(100)))
    try:
        for _ in range(3):
            assert [site.key for site in await cross(named, "Shop")] == ["s"]
    finally:
        await asyncio.to_thread(in_thread, lambda: execute(alter.format(80)))


@pytest.mark.usefixtures("one_reader")
@pytest.mark.django_db(transaction=True)
async def test_after_the_databases_restart_the_first_question_is_answered() -> None:
    await ask_until_it_is_prepared()
    hang_up = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    await asyncio.to_thread(in_thread, lambda: execute(hang_up))
    assert [site.key for site in await database.reading(named, "Shop")] == ["s"]
