"""Two sites and their back office."""

from tests.office_fixtures import manager, office, root  # noqa: F401
