"""Crossing from the event loop to the database: one hop, one transaction.

Channels' own helpers share one thread per process, so one slow query would hold
up every socket. Here reads have a small pool of their own. Writes have another on
PostgreSQL; on SQLite all writes of the process go through one thread, in the order
in which they came, so that none meets a locked database.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from . import log
from .errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
WRITERS = 4
TRIES = 4  # of a transaction that met a deadlock or a serialization failure
# PostgreSQL: serialization failure, deadlock, a plan of before a migration
RETRY_STATES = ("40001", "40P01", "0A000")


class Outdated(Exception):
    """What a transaction had read before it had its locks is not so any more, and other
    locks are needed: run it again."""


# Tests move time by hand; nothing else may.
offset = dt.timedelta(0)


def db_now() -> dt.datetime:
    """The database's clock, to the millisecond: the same for every process, however
    wrong the clock of a host. Not the start of the transaction but now, so that a
    time taken after a lock is later than the one of whoever held it."""
    return milliseconds(_clock().astimezone(dt.UTC)) + offset


def _clock() -> dt.datetime:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            now: dt.datetime = cursor.fetchone()[0]
            return now
        cursor.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return dt.datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=dt.UTC)


def milliseconds(at: dt.datetime) -> dt.datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def in_transaction(
    function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a plain function in one transaction, off the loop, and return after COMMIT.

    It may run again when the database undid it (a deadlock, a serialization failure,
    or a constraint because somebody else was first) or it was Outdated, so all its
    effects must be in the database or on commit. Raises Overloaded when the database
    is away.
    """
    run = functools.partial(_committed, function, *args, **kwargs)
    return await _hop(write_executor(), run)


async def reading(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a plain function that only reads, off the loop, without a transaction."""
    run = functools.partial(_fresh, function, *args, **kwargs)
    return await _hop(read_executor(), run)


async def writing(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a plain function that makes its own transactions, off the loop."""
    run = functools.partial(_fresh, function, *args, **kwargs)
    return await _hop(write_executor(), run)


@functools.cache
def read_executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, thread_name_prefix="read")


@functools.cache
def write_executor() -> ThreadPoolExecutor:
    """One thread on SQLite, which has one writer anyway; some on PostgreSQL."""
    sqlite = connections[DEFAULT_DB_ALIAS].vendor == "sqlite"
    return ThreadPoolExecutor(1 if sqlite else WRITERS, thread_name_prefix="write")


def close_all() -> None:
    """Close the connections of every pool thread and start afresh. For shutdown and
    for tests that drop their database."""
    for cached in (read_executor, write_executor):
        if cached.cache_info().currsize:
            executor = cached()
            _on_each_thread(executor, connections.close_all)
            executor.shutdown()
        cached.cache_clear()


def _on_each_thread(executor: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    """One task a thread, which waits until all of them run: a thread that is busy takes
    its own later, and none takes two."""
    meet = threading.Barrier(executor._max_workers)

    def run() -> None:
        meet.wait(10)
        work()

    for future in [executor.submit(run) for _ in range(executor._max_workers)]:
        future.result(10)


async def _hop(executor: ThreadPoolExecutor, run: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(executor, log.carried(run))
    except (OperationalError, InterfaceError) as error:
        raise Overloaded from error


def _committed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    for left in reversed(range(TRIES)):
        _keep_connection()
        try:
            with transaction.atomic():
                return function(*args, **kwargs)
        except IntegrityError:
            if not left:
                raise
        except Outdated as outdated:
            if not left:
                raise Overloaded from outdated
        except (OperationalError, NotSupportedError) as error:
            undone = getattr(error.__cause__, "sqlstate", None) in RETRY_STATES
            if not (undone and left):
                raise
    raise AssertionError("unreachable")


def _fresh(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    _keep_connection()
    return function(*args, **kwargs)


def _keep_connection() -> None:
    """CONN_MAX_AGE is about requests, whose threads end. These threads stay, and to
    connect anew for each transaction would cost more than most of them do."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
