"""What only one of the two databases can do is not collected on the other; and a hall
whose clock the tests move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from helpdesk import database
from tests.helpdesk.hall import Hall
from tests.office_fixtures import manager, office, root  # noqa: F401
from tests.servers import ON_SQLITE

ONLY_ON_POSTGRESQL = ["test_writer_postgres.py", "test_writer_remembered.py"]
collect_ignore = ONLY_ON_POSTGRESQL if ON_SQLITE else []


@pytest.fixture
def hall(db: None) -> Iterator[Hall]:
    """Nobody is there yet. Everything is undone afterwards, the time too."""
    try:
        yield Hall()
    finally:
        database.offset = dt.timedelta(0)
