"""What only one of the two databases can do is not collected on the other."""

from __future__ import annotations

from tests.servers import ON_SQLITE

collect_ignore = ["test_writer_postgres.py"] if ON_SQLITE else []
