"""A list's rows from one day to another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib.admin.filters import FacetsMixin, ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext_lazy as _

DAY = dt.timedelta(days=1)


class Period(NamedTuple):
    """Both days are part of it; none: open on that side. Days are those of the
    current time zone."""

    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def words(self) -> dict[str, str]:
        """As they stand in an address."""
        return {name: str(day) for name, day in self._asdict().items() if day}

    def of(self, column: str) -> Q:
        held = Q()
        if self.since:
            held &= Q(**{f"{column}__gte": start_of(self.since)})
        if self.until:
            held &= Q(**{f"{column}__lt": start_of(self.until + DAY)})
        return held


def start_of(day: dt.date) -> dt.datetime:
    return make_aware(dt.datetime.combine(day, dt.time())).astimezone(dt.UTC)


def usual(today: dt.date) -> list[tuple[Any, Period]]:
    """What managers ask for most. A month or a year is the whole of it, so that a kept
    address goes on saying the same."""
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    next_month = (month + 31 * DAY).replace(day=1)
    last_month = (month - DAY).replace(day=1)
    return [
        (_("Any date"), Period()),
        (_("Today"), Period(today, today)),
        (_("Last 7 days"), Period(today - 6 * DAY, today)),
        (_("This month"), Period(month, next_month - DAY)),
        (_("Last month"), Period(last_month, month - DAY)),
        (_("This year"), Period(year, year.replace(month=12, day=31))),
    ]


class PeriodFilter(FacetsMixin, ListFilter):
    """The usual periods, and two days to fill in. Unlike Django's `date_hierarchy` it
    does not look through the rows to say which days there are."""

    column = "created_at"
    title = _("date")
    template = "admin/helpdesk/period.html"

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: Any,
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.usual = usual(localdate())
        said = {
            name: params.pop(name)[-1]
            for name in self.expected_parameters()
            if name in params
        }
        try:
            self.period = Period(
                **{
                    name: dt.date.fromisoformat(day)
                    for name, day in said.items()
                    if day
                }
            )
            self.chosen = self.period.of(self.column)
        except (ValueError, OverflowError) as error:  # no day, or the end of time
            raise IncorrectLookupParameters(error) from error

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(Period._fields)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.chosen)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        own = self.expected_parameters()
        # A form sends its own fields alone; the other filters have to be among them.
        self.others = [
            (name, value)
            for name, values in changelist.filter_params.items()
            for value in values
            if name not in own
        ]
        counts = self.get_facet_queryset(changelist) if changelist.add_facets else {}
        for number, (name, period) in enumerate(self.usual):
            count = counts.get(f"{number}__c")
            yield {
                "selected": period == self.period,
                "query_string": changelist.get_query_string(period.words, own),
                "display": name if count is None else f"{name} ({count})",
            }

    def get_facet_counts(
        self, pk_attname: str, filtered_qs: QuerySet[Any]
    ) -> dict[str, Any]:
        return {
            f"{number}__c": Count(pk_attname, filter=period.of(self.column))
            for number, (_name, period) in enumerate(self.usual)
        }
