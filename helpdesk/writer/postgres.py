"""Storing a batch in PostgreSQL, on a connection of its own.

Posts into conversations that are known from earlier batches go the short way
(remembered.py), all others take two round trips. The first locks the conversations and
looks up what is known; the plan is made here; the second inserts, counts and commits.
Each look-up is a statement after the lock, so that (READ COMMITTED) it sees what the
last holder of the lock has committed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.errors import LockNotAvailable, ReadOnlySqlTransaction

from .. import database
from . import claims
from .line import PATIENCE_SECONDS, Away
from .pipeline import Pipeline, Row, array
from .plan import (
    Answer,
    Answered,
    File,
    Found,
    Key,
    Later,
    Plan,
    Post,
    Said,
    Standing,
    Upload,
    into_newest,
    plan,
)
from .remembered import CLAIMS, Memory

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]

CONNECT_SECONDS = 5
# (Read-only: a standby has taken over the address.)
AWAY = psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction
LOCK_WAIT_MS = 10  # of a patient batch; everybody else's posts wait as long

# The planner must not learn from an empty table: these look-ups are by key, always.
# And a server that has lost us must not keep our locks. (As start-up options: behind a
# pooler that shares connections, SET would reach the wrong ones; this is refused.)
OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "jit": "off",
        "max_parallel_workers_per_gather": 0,  # KNOWN is answered in its order
        "plan_cache_mode": "force_generic_plan",
        "lock_timeout": LOCK_WAIT_MS,
        "statement_timeout": PATIENCE_SECONDS * 1000,
        "idle_in_transaction_session_timeout": PATIENCE_SECONDS * 1000,
        "timezone": "UTC",
    }.items()
)

# NO KEY UPDATE: it excludes other writers and the verbs (FOR UPDATE), but not those
# who only make sure that the conversation exists (a foreign key's KEY SHARE).
LOCK = """
    SELECT id, customer_id, agent_id, queue_id, state, version, seq, notes
    FROM helpdesk_conversation WHERE id = ANY($1)
    ORDER BY id FOR NO KEY UPDATE
"""
LOCK_WHAT_IS_FREE = LOCK + " SKIP LOCKED"

# A bucket that a command has (claims.py): its posts wait for the next batch.
CLAIM = """
    SELECT b, pg_advisory_xact_lock_shared($1::int, b) FROM unnest($2::int[]) AS b
"""
CLAIM_WHAT_IS_FREE = """
    SELECT b FROM unnest($2::int[]) AS b
    WHERE pg_try_advisory_xact_lock_shared($1::int, b)
"""
EXIST = "SELECT id FROM helpdesk_conversation WHERE id = ANY($1)"

NEWEST = """
    SELECT DISTINCT ON (customer_id) customer_id, id
    FROM helpdesk_conversation WHERE customer_id = ANY($1)
    ORDER BY customer_id, (state <> 'ended' AND NOT "left") DESC, created_at DESC
"""

# Three questions in one, as each statement costs as much as what it asks: the time, by
# the clock and once the locks are held; what these ids have said; what they were told.
KNOWN = """
    SELECT clock_timestamp(), NULL::uuid, NULL, NULL::int, NULL::int, NULL::timestamptz,
           NULL::uuid, NULL::uuid, NULL::uuid, NULL::bigint, NULL, NULL::int,
           NULL::int, NULL::int, NULL::jsonb
    UNION ALL
    SELECT NULL, m.sender, m.client_id, m.seq, m.notes, m.at,
           c.id, c.customer_id, c.agent_id, c.queue_id, c.state, c.version,
           c.seq, c.notes, NULL
    FROM json_array_elements($1::json) AS p
    JOIN helpdesk_message m
      ON (m.sender, m.client_id) = ((p ->> 0)::uuid, p ->> 1)
    JOIN helpdesk_conversation c ON c.id = m.conversation_id
    UNION ALL
    SELECT NULL, r.sender, r.client_id, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.ack
    FROM json_array_elements($1::json) AS p
    JOIN helpdesk_receipt r
      ON (r.sender, r.client_id) = ((p ->> 0)::uuid, p ->> 1)
"""

# FOR UPDATE: two messages may ask for one file at once, in different conversations.
UPLOADS = """
    SELECT id, name, type, size, width, height, duration,
           uploader, message_id IS NOT NULL
    FROM helpdesk_attachment WHERE id = ANY($1) ORDER BY id FOR UPDATE
"""

SAY = """
    WITH said AS (
        INSERT INTO helpdesk_message (conversation_id, place, seq, notes, client_id,
                                      kind, author, sender, text, event, data, at)
        SELECT r.conversation, r.place, r.seq, r.notes, r.client_id,
               r.kind, r.author, r.sender, r.text, '', '{}', $1::timestamptz
        FROM json_to_recordset($2::json) AS r (
            conversation uuid, place int, seq int, notes int, client_id text,
            kind text, author text, sender uuid, text text)
    )
    UPDATE helpdesk_conversation c SET seq = n.seq, notes = n.notes, said_at = $1
    FROM json_to_recordset($3::json) AS n (id uuid, seq int, notes int)
    WHERE c.id = n.id
"""

ATTACH = """
    UPDATE helpdesk_attachment a SET message_id = m.id
    FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS u (id, conversation, place)
    JOIN helpdesk_message m
      ON (m.conversation_id, m.place) = (u.conversation, u.place)
    WHERE a.id = u.id
"""


class Postgres:
    """One connection, made when it is needed and again when it is lost."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    async def commit(self, posts: Sequence[Post], *, patient: bool) -> list[Answer]:
        try:
            connection = await self._connected()
            return await _in_time(connection, self._commit(posts, patient))
        except LockNotAvailable:
            await self._undo()
            return [Later()] * len(posts)
        except AWAY as error:
            await self.close()
            raise Away(str(error)) from error
        except BaseException:
            await self.close()  # what it knows may be of before a migration
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(**_parameters())
            self._pipeline = Pipeline(self._connection)
            self._memory = Memory()
        return self._connection

    async def _commit(self, posts: Sequence[Post], patient: bool) -> list[Answer]:
        """A patient batch goes the long way, the only one on which locks are waited
        for."""
        short = [not patient and each for each in self._memory.believes(posts)]
        looked, fresh = await self._look_first(among(posts, short, False), patient)
        said = await self._memory.commit(self._pipeline, among(posts, short, True))
        # Not before: those were judged by what was believed when the batch began.
        self._memory.learn(fresh)
        answers: dict[bool, Iterator[Answer]] = {False: iter(looked), True: iter(said)}
        return [next(answers[way]) for way in short]

    async def _look_first(
        self, posts: Sequence[Post], patient: bool
    ) -> tuple[list[Answer], Iterable[Standing]]:
        """The answers, and how the conversations stood."""
        if not posts:
            return [], ()
        posts = await _resolved(self._pipeline, posts)
        found = await _look(self._pipeline, posts, patient=patient)
        decided = plan(posts, found)
        await _store(self._pipeline, decided, found.now)
        return decided.answers, found.standings.values()

    async def _undo(self) -> None:
        try:
            await self._pipeline.ask(("ROLLBACK",))
        except psycopg.Error:
            await self.close()


def among(posts: Sequence[Post], short: Sequence[bool], way: bool) -> list[Post]:
    return [post for post, its in zip(posts, short, strict=True) if its is way]


def _parameters() -> dict[str, Any]:
    """Django's, as far as they say where the database is and who we are."""
    django = connections[DEFAULT_DB_ALIAS].get_connection_params()
    own = {
        "autocommit": True,  # BEGIN and COMMIT travel in the pipeline
        "connect_timeout": CONNECT_SECONDS,
        "options": f"{django.get('options', '')} {OPTIONS}".strip(),
        "context": None,
        "cursor_factory": None,
    }
    return django | own


async def _in_time(connection: Connection, work: Coroutine[Any, Any, T]) -> T:
    """Hang up when it takes too long. (Cancelling would ask the server's consent.)"""
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(PATIENCE_SECONDS, _hang_up, connection)
    try:
        return await work
    finally:
        alarm.cancel()


def _hang_up(connection: Connection) -> None:
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


async def _resolved(pipeline: Pipeline, posts: Sequence[Post]) -> Sequence[Post]:
    """Posts of customers who did not say where, with their newest conversation."""
    senders = {post.sender for post in posts if post.conversation is None}
    if not senders:
        return posts
    (rows,) = await pipeline.ask((NEWEST, array(senders)))
    newest: dict[UUID, UUID] = dict(rows)
    return [into_newest(post, newest) for post in posts]


async def _look(pipeline: Pipeline, posts: Sequence[Post], *, patient: bool) -> Found:
    ids = {post.conversation for post in posts if post.conversation}
    bucket_of = {key: claims.bucket(*key) for key in (post.key for post in posts)}
    buckets = array(sorted({*bucket_of.values()}))
    files = [id for post in posts for id in post.attachments]
    _, claimed, locked, looked_up, *uploads = await pipeline.ask(
        ("BEGIN",),
        (CLAIM if patient else CLAIM_WHAT_IS_FREE, CLAIMS, buckets),
        (LOCK if patient else LOCK_WHAT_IS_FREE, array(ids)),
        (KNOWN, msgspec.json.encode([*bucket_of])),
        *([(UPLOADS, array(files))] if files else []),
    )
    (now, *_), *known = looked_up
    ours = {row[0] for row in claimed}
    standings = {row[0]: Standing(*row) for row in locked}
    return Found(
        standings=standings,
        elsewhere=await _existing(pipeline, ids - standings.keys()),
        claimed={key for key, bucket in bucket_of.items() if bucket not in ours},
        known=_known(known),
        uploads={
            row[0]: Upload(File(*row[:7]), *row[7:]) for rows in uploads for row in rows
        },
        now=database.milliseconds(now) + database.offset,
    )


def _known(rows: Iterable[Row]) -> dict[Key, Said | Answered]:
    known: dict[Key, Said | Answered] = {}
    for _, sender, client_id, seq, notes, at, *standing, ack in rows:
        # A command that also said something (a start, say) is answered by its receipt,
        # which comes last.
        known[sender, client_id] = (
            Said(seq, notes, at, Standing(*standing)) if ack is None else Answered(ack)
        )
    return known


async def _existing(pipeline: Pipeline, ids: set[UUID]) -> set[UUID]:
    if not ids:
        return set()
    (rows,) = await pipeline.ask((EXIST, array(ids)))
    return {id for (id,) in rows}


async def _store(pipeline: Pipeline, decided: Plan, now: dt.datetime) -> None:
    writes: list[tuple[str, *tuple[bytes, ...]]] = []
    if decided.rows:
        rows, counters = map(msgspec.json.encode, (decided.rows, decided.counters))
        writes.append((SAY, now.isoformat().encode(), rows, counters))
    if attached := _attached(decided):
        writes.append((ATTACH, *map(array, attached)))
    await pipeline.ask(*writes, ("COMMIT",))


def _attached(decided: Plan) -> list[tuple[Any, ...]]:
    """Columns: which file belongs to which place of which conversation."""
    rows = [
        (id, row.conversation, row.place)
        for row in decided.rows
        for id in row.attachments
    ]
    return list(zip(*rows, strict=True))
