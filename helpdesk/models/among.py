"""`field__among=ids`: as `__in`, of thousands. They travel as one value, so the query
is no longer for them, and SQLite's limit of some 30,000 values does not count."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Field, ForeignObject, Lookup


@ForeignObject.register_lookup  # which knows nothing of what is a Field's
@Field.register_lookup
class Among(Lookup):
    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        return list(self.rhs)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY(%s)", [*params, self._values(connection)]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        values = json.dumps(self._values(connection))
        sql = f"{lhs} IN (SELECT value FROM json_each(%s))"  # noqa: S608 (a column)
        return sql, [*params, values]

    def _values(self, connection: Any) -> list[Any]:
        field = self.lhs.output_field
        return [field.get_db_prep_value(each, connection) for each in self.rhs]
