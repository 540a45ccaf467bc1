"""Queries that Django writes once. To turn a queryset into SQL takes it longer than
the database then needs to answer, and what everybody waits for (who is here, a row
under its lock, whether there is anything to do) is asked in the same words each time.

    connected = Written(lambda now, people: live(now).filter(person__in=people))
    connected(db_now(), ids)

PostgreSQL plans it once as well: such a query is a prepared statement there, since to
plan one that joins seven tables takes ten times as long as to run it.

Knows nothing of the desk's rules.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import NotSupportedError, connection
from django.db.models import (
    BigIntegerField,
    CharField,
    DateTimeField,
    Expression,
    Field,
    QuerySet,
    UUIDField,
)

T = TypeVar("T")
FIELDS: dict[type, Field[Any, Any]] = {
    UUID: UUIDField(),
    str: CharField(),
    int: BigIntegerField(),
    dt.datetime: DateTimeField(),
}


class Given(Expression):
    """Stands in a queryset for what is given when it is asked: the argument `number`,
    or the one at `index` in it. A time may be moved: `now - timedelta(...)`."""

    def __init__(
        self,
        field: Field[Any, Any],
        number: int,
        index: int | None = None,
        shift: dt.timedelta = dt.timedelta(0),
    ) -> None:
        super().__init__(output_field=field)
        self.number, self.index, self.shift = number, index, shift

    def __sub__(self, other: dt.timedelta) -> Given:  # type: ignore[override]
        return Given(self.output_field, self.number, self.index, self.shift - other)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]  # exchanged for the value before anything is sent

    def of(self, arguments: Sequence[Any]) -> Any:
        value = arguments[self.number]
        if self.index is not None:
            value = value[self.index]
        if self.shift:
            value += self.shift
        return self.output_field.get_db_prep_value(value, connection)


class GivenAll(Expression):
    """As `Given`, for a collection of so many: what is `__in` it."""

    has_select_fields = True  # __in asks it, as of a subquery

    def __init__(self, field: Field[Any, Any], number: int, count: int) -> None:
        super().__init__(output_field=field)
        self.each = [Given(field, number, index) for index in range(count)]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return f"({', '.join(['%s'] * len(self.each))})", self.each


class _Sql(NamedTuple):
    words: str
    params: tuple[Any, ...]

    def given(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            param.of(arguments) if isinstance(param, Given) else param
            for param in self.params
        )


class Written(Generic[T]):
    """Call it with what `build` takes: ids, texts, numbers, times, or collections of
    these. Returns the rows, in the queryset's order; of nothing, nothing.

    `build` must make the same queryset of whatever it is given."""

    def __init__(self, build: Callable[..., QuerySet[Any, T]]) -> None:
        self._build = build
        # Two threads may both write one, and write the same.
        self._forms: dict[Any, tuple[QuerySet[Any, T], Any, _Sql]] = {}

    def __call__(self, *arguments: Any) -> list[T]:
        filled = [_filled(each) for each in arguments]
        if any(each == () for each in filled):
            return []
        try:
            return self._ask(filled)
        except NotSupportedError:
            # A migration has changed what a plan was made for (PostgreSQL's 0A000). In
            # a transaction ROLLBACK forgets it, and database.py begins anew.
            if connection.in_atomic_block:
                raise
            with connection.cursor() as cursor:
                cursor.execute("DEALLOCATE ALL")
            return self._ask(filled)

    def _ask(self, filled: Sequence[Any]) -> list[T]:
        queryset, compiler, sql = self._form(filled)
        asked = copy.copy(compiler)
        answer = sql.words, sql.given(filled)
        asked.as_sql = lambda *args, **kwargs: answer
        asked.connection = (
            _preparing if connection.vendor == "postgresql" else connection
        )
        rows = queryset.all()
        rows.query.get_compiler = lambda *args, **kwargs: asked  # type: ignore[method-assign]
        return list(rows)

    def _form(self, arguments: Sequence[Any]) -> tuple[QuerySet[Any, T], Any, _Sql]:
        shape = (connection.vendor, *(_shape(each) for each in arguments))
        if shape not in self._forms:
            queryset = self._build(*(_stands(*each) for each in enumerate(arguments)))
            compiler = queryset.query.get_compiler(connection=connection)
            self._forms[shape] = queryset, compiler, _Sql(*compiler.as_sql())
        return self._forms[shape]


class Look:
    """Whether any of many querysets finds anything, asked in one query."""

    def __init__(self, ask: Callable[[Any], Iterable[QuerySet[Any, Any]]]) -> None:
        self._ask = ask
        self._forms: dict[str, _Sql] = {}

    def finds(self, now: dt.datetime) -> bool:
        if connection.vendor not in self._forms:
            self._forms[connection.vendor] = _any(self._ask(_stands(0, now)))
        sql = self._forms[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql.words, sql.given([now]))
            return bool(cursor.fetchone()[0])


class _Preparing:
    """The thread's connection to PostgreSQL, whose cursors give the server words and
    values apart. Django's own put the values into the words, which makes each question
    a new one. (How often one is asked before it is prepared is in settings.)"""

    def __getattr__(self, name: str) -> Any:
        return getattr(connection, name)

    def cursor(self) -> Any:
        from django.db.backends.postgresql.base import ServerBindingCursor

        here: Any = connection  # of which Django's types know less
        cursor: Any = ServerBindingCursor
        here.close_if_health_check_failed()
        here.ensure_connection()
        with here.wrap_database_errors:
            return here._prepare_cursor(cursor(here.connection))


_preparing = _Preparing()


def _any(querysets: Iterable[QuerySet[Any, Any]]) -> _Sql:
    parts, params = [], []
    for each in querysets:
        try:
            query = each.order_by().query.exists()
            words, given = query.get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            continue
        parts.append(f"EXISTS({words})")
        params += given
    return _Sql("SELECT " + (" OR ".join(parts) or "1 = 0"), tuple(params))


def _filled(argument: Any) -> Any:
    """A collection, its last repeated until it is as long as a power of two: so a
    question has few forms, however many it is asked of."""
    if isinstance(argument, str) or not isinstance(argument, Iterable):
        return argument
    given = tuple(argument)
    missing = (1 << (len(given) - 1).bit_length()) - len(given) if given else 0
    return given + given[-1:] * missing


def _shape(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return type(argument[0]), len(argument)
    return type(argument)


def _stands(number: int, argument: Any) -> Any:
    if isinstance(argument, tuple):
        return GivenAll(FIELDS[type(argument[0])], number, len(argument))
    return Given(FIELDS[type(argument)], number)
