"""Storing a batch in SQLite, on the process's one write thread."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.utils.dateparse import parse_datetime

from ..database import db_now, in_transaction
from ..errors import Overloaded
from .line import Away
from .plan import (
    Answer,
    Answered,
    File,
    Found,
    Key,
    Plan,
    Post,
    Said,
    Standing,
    Upload,
    into_newest,
    plan,
)

# Few steps, each for many rows: at each, and for each row of an answer, the thread
# gives up the right to run Python, and has to get it back from the event loop.
# Parameters are JSON arrays, of any length. CROSS JOIN keeps SQLite to this order, so
# that the look-ups go by key.
STANDINGS = """
    SELECT json_group_array(json_array(
        id, customer_id, agent_id, queue_id, state, version, seq, notes))
    FROM helpdesk_conversation WHERE id IN (SELECT value FROM json_each(?))
"""

NEWEST = """
    SELECT customer_id, id FROM helpdesk_conversation
    WHERE customer_id IN (SELECT value FROM json_each(?))
    ORDER BY state <> 'ended' AND NOT "left", created_at
"""

SAID = """
    SELECT m.sender, m.client_id, m.seq, m.notes, m.at,
           c.id, c.customer_id, c.agent_id, c.queue_id, c.state, c.version,
           c.seq, c.notes
    FROM json_each(?) p
    CROSS JOIN helpdesk_message m ON m.sender = json_extract(p.value, '$[0]')
                           AND m.client_id = json_extract(p.value, '$[1]')
    CROSS JOIN helpdesk_conversation c ON c.id = m.conversation_id
"""

ANSWERED = """
    SELECT r.sender, r.client_id, r.ack
    FROM json_each(?) p
    CROSS JOIN helpdesk_receipt r ON r.sender = json_extract(p.value, '$[0]')
                           AND r.client_id = json_extract(p.value, '$[1]')
"""

UPLOADS = """
    SELECT id, name, type, size, width, height, duration,
           uploader, message_id IS NOT NULL
    FROM helpdesk_attachment WHERE id IN (SELECT value FROM json_each(?))
"""

INSERT = """
    INSERT INTO helpdesk_message (conversation_id, place, seq, notes, client_id, kind,
                                  author, sender, text, event, data, at)
    VALUES """
ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, '', '{}', ?)"
# Of a few sizes only, so that each is parsed once.
INSERTS = {count: INSERT + ", ".join([ROW] * count) for count in (32, 8, 1)}

COUNT = """
    UPDATE helpdesk_conversation AS c SET said_at = ?,
        seq = json_extract(n.value, '$[1]'), notes = json_extract(n.value, '$[2]')
    FROM json_each(?) AS n WHERE c.id = json_extract(n.value, '$[0]')
"""

ATTACH = """
    UPDATE helpdesk_attachment SET message_id = (
        SELECT id FROM helpdesk_message WHERE conversation_id = ? AND place = ?
    ) WHERE id = ?
"""


class SQLite:
    """Nobody else writes while we do, so that there is nothing to wait for."""

    async def commit(self, posts: Sequence[Post], *, patient: bool) -> list[Answer]:
        del patient  # no conversation is ever locked elsewhere
        try:
            return await in_transaction(_commit, posts)
        except Overloaded as error:
            raise Away(str(error.__cause__)) from error

    async def close(self) -> None:
        """The connection is the write thread's."""


def _commit(posts: Sequence[Post]) -> list[Answer]:
    cursor = connection.connection.cursor()
    posts = _resolved(cursor, posts)
    found = _look(cursor, posts)
    decided = plan(posts, found)
    _store(cursor, decided, str(found.now.replace(tzinfo=None)))
    return decided.answers


def _resolved(cursor: sqlite3.Cursor, posts: Sequence[Post]) -> Sequence[Post]:
    """Posts of customers who did not say where, with their newest conversation."""
    senders = {post.sender for post in posts if post.conversation is None}
    if not senders:
        return posts
    rows = cursor.execute(NEWEST, [_ids(senders)])
    newest = {UUID(customer): UUID(id) for customer, id in rows}  # the last one stays
    return [into_newest(post, newest) for post in posts]


def _look(cursor: sqlite3.Cursor, posts: Sequence[Post]) -> Found:
    ids = _ids({post.conversation for post in posts if post.conversation})
    keys = json.dumps([(post.sender.hex, post.client_id) for post in posts])
    files = {id for post in posts for id in post.attachments}
    ((standings,),) = cursor.execute(STANDINGS, [ids]).fetchall()
    said = cursor.execute(SAID, [keys]).fetchall()
    answered = cursor.execute(ANSWERED, [keys]).fetchall()
    uploads = cursor.execute(UPLOADS, [_ids(files)]).fetchall() if files else []
    return Found(
        standings={
            each.id: each for each in map(_standing, msgspec.json.decode(standings))
        },
        elsewhere=(),
        known=_known(said, answered),
        uploads={each.file.id: each for each in map(_upload, uploads)},
        now=db_now(),
    )


def _known(said: Iterable[Any], answered: Iterable[Any]) -> dict[Key, Said | Answered]:
    known: dict[Key, Said | Answered] = {
        (UUID(sender), client_id): Said(seq, notes, _time(at), _standing(standing))
        for sender, client_id, seq, notes, at, *standing in said
    }
    # A command that also said something (a start, say) is answered by its receipt.
    return known | {
        (UUID(sender), client_id): Answered(msgspec.json.decode(ack))
        for sender, client_id, ack in answered
    }


def _standing(row: Sequence[Any]) -> Standing:
    id, customer, agent, *rest = row
    return Standing(UUID(id), UUID(customer), UUID(agent) if agent else None, *rest)


def _upload(row: Sequence[Any]) -> Upload:
    id, *description, uploader, used = row
    return Upload(File(UUID(id), *description), UUID(uploader), bool(used))


def _time(at: dt.datetime | str) -> dt.datetime:
    """As Django stores them: UTC, without saying so."""
    value = parse_datetime(at) if isinstance(at, str) else at
    assert value is not None  # noqa: S101 (the column is not null)
    return value.replace(tzinfo=dt.UTC)


def _ids(ids: Iterable[UUID]) -> str:
    return json.dumps([id.hex for id in ids])


def _store(cursor: sqlite3.Cursor, decided: Plan, at: str) -> None:
    rows = [
        (
            row.conversation.hex,
            row.place,
            row.seq,
            row.notes,
            row.client_id,
            row.kind,
            row.author,
            row.sender.hex,
            row.text,
            at,
        )
        for row in decided.rows
    ]
    for count, insert in INSERTS.items():
        while len(rows) >= count:
            cursor.execute(insert, [*chain.from_iterable(rows[:count])])
            del rows[:count]
    counters = [(now.id.hex, now.seq, now.notes) for now in decided.counters]
    cursor.execute(COUNT, [at, json.dumps(counters)])
    cursor.executemany(
        ATTACH,
        [
            (row.conversation.hex, row.place, id.hex)
            for row in decided.rows
            for id in row.attachments
        ],
    )
