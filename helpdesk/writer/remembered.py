"""The short way of a batch: one trip to PostgreSQL instead of two. Its locks are held
only as long as the database itself takes.

Who may speak where is decided by what an earlier batch has read of a conversation, and
the database is told what we believe: its version, which rises with all that the rules
look at. What turns out otherwise under the lock is not stored, and goes the long way
next time (postgres.py): a stale belief, an id that was used before. What is locked
elsewhere is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from .. import database
from ..errors import Refused
from . import claims
from .pipeline import Pipeline, array
from .plan import NONE, Key, Later, Post, Standing, Stored, allowed, stored_now

STANDINGS = 10_000  # remembered; then all are forgotten, and each is read once more

# SAY has to know which buckets and conversations are ours, but as a statement of its
# own, whose look-ups begin after the locks (READ COMMITTED). So settings of the
# transaction tell it; read within a SELECT, or they would be parsed for each row.
# OFFSET 0 keeps a look-up by key from becoming a join: one that is planned while the
# table is empty reads all of it for each row, and for good.
CLAIM = """
    SELECT set_config('helpdesk.claimed', coalesce(array_agg(b)::text, '{}'), true)
    FROM unnest($2::int[]) AS b
    WHERE pg_try_advisory_xact_lock_shared($1::int, b)
"""
LOCK = """
    SELECT set_config('helpdesk.locked', coalesce(array_agg(id)::text, '{}'), true)
    FROM (SELECT id FROM helpdesk_conversation WHERE id = ANY($1)
          ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) AS free
"""
SAY = """
    WITH new AS MATERIALIZED (
        SELECT r.* FROM json_to_recordset($1::json) AS r (
            n int, bucket int, version int, conversation uuid, client_id text,
            note boolean, author text, sender uuid, text text)
        WHERE r.bucket = ANY (
              (SELECT current_setting('helpdesk.claimed')::int[])::int[])
          AND r.conversation = ANY (
              (SELECT current_setting('helpdesk.locked')::uuid[])::uuid[])
          AND NOT EXISTS (
              SELECT FROM helpdesk_message m
              WHERE (m.sender, m.client_id) = (r.sender, r.client_id) OFFSET 0)
          AND NOT EXISTS (
              SELECT FROM helpdesk_receipt a
              WHERE (a.sender, a.client_id) = (r.sender, r.client_id) OFFSET 0)
    ), placed AS MATERIALIZED (
        SELECT new.*,
               (c.seq + count(*) FILTER (WHERE NOT note) OVER so_far)::int AS seq,
               (c.notes + count(*) FILTER (WHERE note) OVER so_far)::int AS notes
        FROM new JOIN helpdesk_conversation c
          ON (c.id, c.version) = (new.conversation, new.version)
        WINDOW so_far AS (PARTITION BY new.conversation ORDER BY n)
    ), clock AS MATERIALIZED (
        SELECT date_trunc('milliseconds', clock_timestamp()) + $2::interval AS at
    ), said AS (
        INSERT INTO helpdesk_message (conversation_id, place, seq, notes, client_id,
                                      kind, author, sender, text, event, data, at)
        SELECT conversation, seq + notes, seq, notes, client_id,
               CASE WHEN note THEN 'note' ELSE 'text' END, author, sender, text,
               '', '{}', at
        FROM placed, clock
    ), counted AS (
        UPDATE helpdesk_conversation c SET seq = p.seq, notes = p.notes, said_at = at
        FROM (SELECT conversation, max(seq) AS seq, max(notes) AS notes
              FROM placed GROUP BY conversation) AS p, clock
        WHERE c.id = p.conversation
    )
    SELECT n, seq, notes, at FROM placed, clock
"""
CLAIMS = str(claims.KIND).encode()


class Said(msgspec.Struct, frozen=True):
    """A post, and what we believe of its conversation, as SAY reads it."""

    n: int
    bucket: int
    version: int
    conversation: UUID
    client_id: str
    note: bool
    author: str
    sender: UUID
    text: str


class Memory:
    """How conversations stood when they were last read, for one connection: whoever
    connects anew may meet another database."""

    def __init__(self) -> None:
        self._standings: dict[UUID, Standing] = {}

    def learn(self, standings: Iterable[Standing]) -> None:
        if len(self._standings) > STANDINGS:
            self._standings.clear()
        self._standings.update((each.id, each) for each in standings)

    def believes(self, posts: Sequence[Post]) -> list[bool]:
        """Which of them may be said, as far as we know. Where one of a sender's must
        go the long way, all do, and keep their order."""
        long_way: set[UUID] = set()
        keys: set[Key] = set()
        for post in posts:
            if post.key in keys or not self._believes(post):
                long_way.add(post.sender)
            keys.add(post.key)
        return [post.sender not in long_way for post in posts]

    def _believes(self, post: Post) -> bool:
        standing = self._standings.get(post.conversation or NONE)
        if standing is None or post.attachments:
            return False
        try:
            allowed(post, standing)
        except Refused:
            return False
        return True

    async def commit(
        self, pipeline: Pipeline, posts: Sequence[Post]
    ) -> list[Stored | Later]:
        """Of believed posts. Later: to be tried again, perhaps the long way."""
        if not posts:
            return []
        asked = [self._asked(number, post) for number, post in enumerate(posts)]
        offset = f"{database.offset.total_seconds()} seconds"
        _, _, ((locked,),), placed, _ = await pipeline.ask(
            ("BEGIN",),
            (CLAIM, CLAIMS, array({each.bucket for each in asked})),
            (LOCK, array({each.conversation for each in asked})),
            (SAY, msgspec.json.encode(asked), offset.encode()),
            ("COMMIT",),
        )
        answers: list[Stored | Later] = [Later()] * len(posts)
        for number, *said in placed:
            standing = self._standings[asked[number].conversation]
            answers[number] = stored_now(standing, *said)
        if len(placed) < len(posts):
            self._forget(asked, answers, locked)
        return answers

    def _asked(self, number: int, post: Post) -> Said:
        standing = self._standings[post.conversation or NONE]
        return Said(
            number,
            claims.bucket(*post.key),
            standing.version,
            standing.id,
            post.client_id,
            post.note,
            post.author,
            post.sender,
            post.text,
        )

    def _forget(
        self, asked: Iterable[Said], answers: Iterable[Stored | Later], locked: str
    ) -> None:
        """What was ours and still has not become a message is not as we believed."""
        for each, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Later) and str(each.conversation) in locked:
                self._standings.pop(each.conversation, None)
