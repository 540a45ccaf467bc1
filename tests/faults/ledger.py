"""The database as it is, read past the product."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from .history import Given, History, Lease, Row, Talk

Found = list[tuple[Any, ...]]
LOOK_SECONDS = 5

# At each COMMIT that gives an agent a lease: how they stood. Whoever counts later can
# only guess what was so then.
WATCH_LEASES = """
CREATE TABLE faults_given (
    lease bigint, agent uuid, connected bool, load int, capacity int);
CREATE FUNCTION faults_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO faults_given
    SELECT NEW.id, a.id,
        EXISTS (SELECT FROM helpdesk_connection c
                JOIN helpdesk_serverprocess p ON p.id = c.process_id
                WHERE c.person = a.id AND p.alive_until > clock_timestamp()),
        (SELECT count(*) FROM helpdesk_assignment l WHERE l.agent_id = a.id
         AND (l.ended_at IS NULL OR l.free_at > clock_timestamp())),
        a.capacity
    FROM agents_agent a WHERE a.id = NEW.agent_id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER faults_note AFTER INSERT ON helpdesk_assignment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION faults_note();
"""

ROWS = """
    SELECT conversation_id, place, seq, client_id, sender, kind, author, text
    FROM helpdesk_message ORDER BY conversation_id, place
"""
TALKS = """
    SELECT c.id, c.customer_id, c.queue_id, q.strategy <> 'manual', c.agent_id, c.state,
           c.outcome, c."left", c.priority, c.created_at, c.waiting_since,
           c.queue_id IS NOT NULL
    FROM helpdesk_conversation c JOIN helpdesk_queue q ON q.id = c.queue_id
"""
LEASES = """
    SELECT id, conversation_id, agent_id, kind, because, started_at, ended_at, free_at
    FROM helpdesk_assignment ORDER BY started_at, id
"""
LIVE = """
    SELECT DISTINCT c.person FROM helpdesk_connection c
    JOIN helpdesk_serverprocess p ON p.id = c.process_id WHERE p.alive_until > {now}
"""
GIVEN = "SELECT lease, agent, connected, load, capacity FROM faults_given"
STORED = "SELECT 1 FROM helpdesk_message WHERE sender = {0} AND client_id = {0}"
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Ledger:
    async def query(self, words: str, values: Sequence[Any] = ()) -> Found:
        raise NotImplementedError

    async def stored(self, sender: str, id: str) -> bool | None:
        """Whether a fresh reader finds the message; None when nobody can read."""
        raise NotImplementedError

    async def connections(self) -> int | None:
        """Which the database counts; None where it does not."""
        return None

    now: str

    async def read(self, history: History) -> None:
        """Write down what is stored."""
        history.rows = [row_of(each) for each in await self.query(ROWS)]
        history.talks = [talk_of(each) for each in await self.query(TALKS)]
        history.leases = [lease_of(each) for each in await self.query(LEASES)]
        live = await self.query(LIVE.format(now=self.now))
        history.live = [text(each[0]) for each in live]


class Postgres(Ledger):
    now = "clock_timestamp()"

    def __init__(self, url: str) -> None:
        self.url = url
        self._reader: psycopg.AsyncConnection[Any] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def query(self, words: str, values: Sequence[Any] = ()) -> Found:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    if self._reader is None:
                        self._reader = await psycopg.AsyncConnection.connect(
                            self.url, autocommit=True, connect_timeout=LOOK_SECONDS
                        )
                    cursor = await self._reader.execute(words, values or None)  # type: ignore[arg-type]
                    return await cursor.fetchall() if cursor.description else []
            except (psycopg.Error, TimeoutError):
                await self._forget()
                raise

    async def _forget(self) -> None:
        reader, self._reader = self._reader, None
        if reader:
            await reader.close()

    async def close(self) -> None:
        await self._forget()

    async def watch_leases(self) -> None:
        await self.query(WATCH_LEASES)

    async def stored(self, sender: str, id: str) -> bool | None:
        try:
            return bool(await self.query(STORED.format("%s"), [sender, id]))
        except (psycopg.Error, TimeoutError):
            return None

    async def connections(self) -> int | None:
        return int((await self.query(CONNECTIONS))[0][0])

    async def read(self, history: History) -> None:
        await super().read(history)
        given = await self.query(GIVEN)
        history.given = [Given(each[0], text(each[1]), *each[2:]) for each in given]


class SQLite(Ledger):
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now')"

    def __init__(self, path: str) -> None:
        self.path = path

    async def query(self, words: str, values: Sequence[Any] = ()) -> Found:
        return await asyncio.to_thread(self._query, words, values)

    def _query(self, words: str, values: Sequence[Any]) -> Found:
        connection = sqlite3.connect(self.path, timeout=LOOK_SECONDS)
        try:
            return connection.execute(words, values).fetchall()
        finally:
            connection.close()

    async def stored(self, sender: str, id: str) -> bool | None:
        values = [UUID(sender).hex, id]
        try:
            return bool(await self.query(STORED.format("?"), values))
        except sqlite3.Error:
            return None

    async def close(self) -> None: ...


def row_of(row: tuple[Any, ...]) -> Row:
    conversation, place, seq, id, sender, *rest = row
    return Row(text(conversation), place, seq, id, sender and text(sender), *rest)


def talk_of(row: tuple[Any, ...]) -> Talk:
    id, customer, queue, automatic, agent, state, outcome, left, priority, *rest = row
    created, since, in_line = rest
    return Talk(
        id=text(id),
        customer=text(customer),
        queue=queue,
        automatic=bool(automatic),
        agent=agent and text(agent),
        state=state,
        outcome=outcome,
        left=bool(left),
        priority=priority,
        created_at=seconds(created),
        waiting_since=seconds(since),
        in_line=bool(in_line),
    )


def lease_of(row: tuple[Any, ...]) -> Lease:
    id, conversation, agent, kind, because, began, ended, free = row
    why = json.loads(because) if isinstance(because, str) else because
    return Lease(
        id=id,
        conversation=text(conversation),
        agent=text(agent),
        kind=kind,
        rule=(why or {}).get("rule", ""),
        began=seconds(began),
        ended=ended and seconds(ended),
        free=free and seconds(free),
    )


def text(id: Any) -> str:
    """As the wire writes it; SQLite keeps 32 digits."""
    return str(UUID(str(id)))


def seconds(at: Any) -> float:
    if isinstance(at, str):
        at = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return float(at.timestamp())
