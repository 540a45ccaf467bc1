"""A client id takes effect once, whether it comes with a post, whose message is its
receipt, or with another command, which has a receipt of its own. No constraint spans
the two tables, so on PostgreSQL a lock does: of the id's bucket, taken before the id
is looked up and held until COMMIT. Posts share theirs, since a constraint keeps them
apart; a command has it alone. (On SQLite one transaction writes at a time.)

The first lock of its transaction: whoever waits for it holds nothing else.
"""

from __future__ import annotations

import zlib
from uuid import UUID

from django.db import connection

KIND = 0x68656C70  # of advisory lock: others may use them in the same database
# Few, since a batch holds as many; PostgreSQL's table of locks is bounded.
BUCKETS = 128


def bucket(sender: UUID, client_id: str) -> int:
    return zlib.crc32(sender.bytes + client_id.encode()) % BUCKETS


def claim(sender: UUID, client_id: str) -> None:
    """For a command. Waits for whoever has the bucket."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        key = (KIND, bucket(sender, client_id))
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", key)
