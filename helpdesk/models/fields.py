"""A reason as a column: JSON in the database, a reasons.Reason in Python."""

from __future__ import annotations

from typing import Any

from django.db import models

from .. import reasons


class BecauseField(models.JSONField):
    """What an older or newer version wrote, and this one does not know, is None."""

    def from_db_value(
        self, value: Any, expression: Any, connection: Any
    ) -> reasons.Because | None:
        return reasons.read(super().from_db_value(value, expression, connection))

    def get_prep_value(self, value: Any) -> Any:
        return reasons.plain(super().get_prep_value(value))
