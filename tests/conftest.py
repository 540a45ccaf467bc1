"""What every test may rely on."""

from __future__ import annotations

import asyncio
import fcntl
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache as django_cache
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import translation

from tests.live import LiveServer, ServerProcess, collect_static
from tests.servers import WORKER
from tests.shop_fixtures import shop  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    # Strong hashes would take most of the run's time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]
    # What is imported stays; to walk through it again and again takes a tenth of a run.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


# What migrations filled: Django's own flush empties these too, and then spends most
# of a run's time on filling some of them again.
KEPT = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}


def empty_tables(case: TransactionTestCase) -> None:
    """After a test that committed. Only what it filled: a DELETE costs even where there
    is nothing."""
    connection.close_if_unusable_or_obsolete()
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Whoever still holds a row would make the run wait for ever. And no foreign
            # key is checked row by row, where all rows go.
            cursor.execute(
                "SET LOCAL lock_timeout = '20s';"
                "SET LOCAL session_replication_role = replica"
            )
        cursor.execute(which_are_filled())
        deletes = [f"DELETE FROM {table}" for (table,) in cursor.fetchall()]
        if connection.vendor == "postgresql":
            deletes = [";".join(deletes)]  # one way there and back
        for statement in filter(None, deletes):
            cursor.execute(statement)


@cache
def which_are_filled() -> str:
    tables = sorted({*connection.introspection.table_names()} - KEPT)
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables
    )


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """One test's failed log-ins are not the next one's, nor is its language: Django's
    LocaleMiddleware leaves the last visitor's active in the thread."""
    django_cache.clear()
    translation.deactivate()


@pytest.fixture(scope="session")
def _server_thread(django_db_setup: None) -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.stop()


@pytest.fixture
async def server(
    transactional_db: None, _server_thread: LiveServer
) -> AsyncIterator[LiveServer]:
    """The product on 127.0.0.1 and localhost, in a thread. When the test ends, its
    sockets are closed before the tables are emptied."""
    yield _server_thread
    await asyncio.to_thread(_server_thread.leave_nothing)


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Static files as production serves them: collected, named by their content. A
    test that opens pages of a `server_process` asks for it; collecting takes seconds,
    so that the first worker does it for all."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if WORKER else folder
    with (folder / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "static").exists():
            collect_static(folder / "collecting")
            (folder / "collecting").rename(folder / "static")
    return folder / "static"


@pytest.fixture
def server_process(
    transactional_db: None, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., ServerProcess]]:
    """Starts the product in processes of their own, as often as it is called; words
    go into their environment: `server_process(REDIS_URL=other.url)`."""
    started: list[ServerProcess] = []

    def start(**environment: str) -> ServerProcess:
        if "static_root" in request.fixturenames:
            environment["STATIC_ROOT"] = str(request.getfixturevalue("static_root"))
        log = tmp_path / f"server-{len(started)}.log"
        process = ServerProcess(log, **environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
