"""A written query is a prepared statement, which must not outlive what it was made
for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from customers.models import Site
from helpdesk import database
from helpdesk.written import Written


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that is read goes through one connection."""
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
