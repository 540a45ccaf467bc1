"""Two sites and their back office; what only one of the two databases can do is not
collected on the other."""

from __future__ import annotations

from tests.office_fixtures import manager, office, root  # noqa: F401
from tests.servers import ON_SQLITE

collect_ignore = ["test_paused_database.py"] if ON_SQLITE else []
