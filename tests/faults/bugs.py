"""Mistakes that the desk does not make, put into a running one to see whether anybody
would notice. Only launcher.py calls these, in a process of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, NamedTuple

LINGER_SECONDS = 0.1  # in the middle of what must not be interrupted


class Bug(NamedTuple):
    what: str
    caught_by: tuple[str, ...]  # the invariants, any of which may be first
    sql: tuple[str, ...] = ()  # constraints that would have prevented it


def drops(table: str, *constraints: str) -> tuple[str, ...]:
    return tuple(
        f"ALTER TABLE helpdesk_{table} DROP CONSTRAINT {each}" for each in constraints
    )


BUGS = {
    "ack before commit": Bug("ack_before_commit", ("I1", "I6")),
    "no dedupe": Bug(
        "no_dedupe", ("I2",), drops("message", "one_message_per_client_id")
    ),
    "seq from max()+1": Bug(
        "seq_from_max",
        ("I3",),
        (
            *drops("message", "one_message_per_place"),
            "DROP INDEX one_public_message_per_seq",
        ),
    ),
    "resume by time": Bug("resume_by_time", ("I5",)),
    "accept without condition": Bug(
        "accept_without_condition", ("A1",), ("DROP INDEX one_holder_at_a_time",)
    ),
}


def ack_before_commit() -> None:
    """What waits for its COMMIT is answered already."""
    from helpdesk.writer import postgres

    store, commit = postgres._store, postgres.Postgres.commit
    stored: list[asyncio.Task[None]] = []

    async def later(*args: Any) -> None:
        async def soon() -> None:
            await asyncio.sleep(LINGER_SECONDS)
            await store(*args)

        stored.append(asyncio.ensure_future(soon()))

    async def after_the_last(self: Any, *args: Any, **words: Any) -> Any:
        await asyncio.gather(*stored, return_exceptions=True)
        stored.clear()
        return await commit(self, *args, **words)

    postgres._store = later
    postgres.Postgres.commit = after_the_last  # type: ignore[method-assign]


def no_dedupe() -> None:
    """Nobody looks whether an id was there before."""
    from helpdesk.writer import plan

    plan._Batch._first_answer = lambda self, key: None  # type: ignore[method-assign]


def seq_from_max() -> None:
    """The newest number is read without a lock, and then another moment passes."""
    from helpdesk.writer import postgres

    store = postgres._store

    async def slowly(*args: Any) -> None:
        await asyncio.sleep(LINGER_SECONDS)
        await store(*args)

    postgres._store = slowly
    unlocked = postgres.LOCK.replace("FOR NO KEY UPDATE", "")
    postgres.LOCK = postgres.LOCK_WHAT_IS_FREE = unlocked


def resume_by_time() -> None:
    """What is later than the second of the last message that the client holds."""
    from customers import welcome

    lacks = welcome._lacks

    def by_time(conversation: Any, page: Any, lines: Any, hello: Any) -> Any:
        shown = lacks(conversation, page, lines, hello)
        last = conversation.messages.filter(seq=hello.after).first()
        if last is None or shown.reset:
            return shown
        from helpdesk.protocol import wire_time

        second = last.at.replace(microsecond=0) + dt.timedelta(seconds=1)
        later = [each for each in shown.messages if each.at >= wire_time(second)]
        return shown._replace(messages=later)

    welcome._lacks = by_time


def accept_without_condition() -> None:
    """Whoever comes second gets it as well."""
    from helpdesk.pairing import holding

    holding._check_takeable = lambda conversation: None  # type: ignore[assignment]
