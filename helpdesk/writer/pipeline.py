"""Statements that travel to PostgreSQL together, and are waited for once.

This is libpq's pipeline (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html)
by way of psycopg.pq. psycopg's own writes every statement to the socket by itself and
looks for answers after each: for the six of a batch that is most of what its commit
costs the event loop, and it wakes the server as often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, TypeAlias

import msgspec
import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Row: TypeAlias = tuple[Any, ...]

BINARY = 1
TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK")  # of which there is nothing to plan


class Pipeline:
    """Has a connection for itself. What is asked is planned once, then only named."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._libpq = connection.pgconn
        self._libpq.enter_pipeline_mode()
        self._loader = Transformer(connection)
        self._planned: dict[str, bytes] = {}
        self._names = (f"asked_{number}".encode() for number in count())

    async def ask(self, *asked: tuple[str, *tuple[bytes, ...]]) -> list[list[Row]]:
        """Execute statements, each with its values ($1, $2) as PostgreSQL spells them;
        returns the rows of each. Raises the psycopg.Error of the first that fails:
        those behind it were not executed then, and a transaction remains to be
        rolled back. When cancelled, the connection is of no use any more."""
        planning: list[tuple[str, bytes] | None] = []  # None: the result is an answer
        for sql, *values in asked:
            planning += self._send(sql, values)
        self._libpq.pipeline_sync()
        answers = []
        for plan, result in zip(planning, await self._results(), strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if plan is None:
                answers.append(self._rows(result))
            else:
                self._planned.update([plan])
        return answers

    def _send(
        self, sql: str, values: list[bytes]
    ) -> Iterator[tuple[str, bytes] | None]:
        if sql in TRANSACTION:
            self._libpq.send_query_params(sql.encode(), None)
        else:
            name = self._planned.get(sql)
            if name is None:
                name = next(self._names)
                self._libpq.send_prepare(name, sql.encode())
                yield sql, name
            self._libpq.send_query_prepared(name, values, result_format=BINARY)
        yield None

    async def _results(self) -> list[PGresult]:
        """Of everything up to the sync, in order. The server may answer before it has
        read all, so that both ways are served at once."""
        results: list[PGresult] = []
        begun = False
        while True:
            unsent = self._libpq.flush()
            await self._readable(or_writable=bool(unsent))
            self._libpq.consume_input()  # raises when the server is gone
            while not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is None:  # one statement's end, or nothing is here
                    if not begun:
                        break
                    begun = False
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    return results
                else:
                    begun = True
                    results.append(result)

    async def _readable(self, *, or_writable: bool) -> None:
        loop = asyncio.get_running_loop()
        socket = self._libpq.socket
        ready = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(socket, wake)
        if or_writable:
            loop.add_writer(socket, wake)
        try:
            await ready
        finally:
            loop.remove_reader(socket)
            if or_writable:
                loop.remove_writer(socket)

    def _rows(self, result: PGresult) -> list[Row]:
        self._loader.set_pgresult(result)
        return self._loader.load_rows(0, result.ntuples, tuple)


def array(values: Iterable[object]) -> bytes:
    """Ids or numbers. (PostgreSQL's arrays are JSON's but for the brackets.)"""
    return b"{" + msgspec.json.encode(list(values))[1:-1] + b"}"
