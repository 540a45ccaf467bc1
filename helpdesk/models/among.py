"""`field__among=ids`: as `__in`, of thousands. They travel as one value, so the query
is no longer for them, and SQLite's limit of some 30,000 values does not count."""

from __future__ import annotations

from typing import Any

from django.db.models import Field, ForeignObject, Lookup, UUIDField
from msgspec import json


@ForeignObject.register_lookup  # which knows nothing of what is a Field's
@Field.register_lookup
class Among(Lookup):
    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        return list(self.rhs)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        if isinstance(getattr(field, "target_field", field), UUIDField):
            # As text: to prepare each by itself took longer than all the rest.
            ids = json.encode(list(self.rhs)).decode()
            return f"{lhs} = ANY(%s::uuid[])", [*params, f"{{{ids[1:-1]}}}"]
        return f"{lhs} = ANY(%s)", [*params, self._values(connection)]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        values = json.encode(self._values(connection)).decode()
        sql = f"{lhs} IN (SELECT value FROM json_each(%s))"  # noqa: S608 (a column)
        return sql, [*params, values]

    def _values(self, connection: Any) -> list[Any]:
        field = self.lhs.output_field
        return [field.get_db_prep_value(each, connection) for each in self.rhs]
