"""The pages of a list that may have millions of rows."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.functional import cached_property

AHEAD = 50  # pages; further than anybody clicks, and counted in milliseconds
FURTHEST = 1_000_000  # the highest page that is looked for


class Pages(Paginator):  # type: ignore[type-arg]
    """Counts no further than some pages ahead of the one that is read. Where `more`
    holds, `count` is not how many there are, and a page must not say so."""

    def __init__(self, rows: Any, per_page: int, number: int) -> None:
        super().__init__(rows, per_page)
        stages = min(max(number, 1), FURTHEST) // AHEAD + 1
        self.reach = stages * AHEAD * per_page

    @cached_property
    def found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: self.reach + 1].count())

    @property
    def count(self) -> int:
        return min(self.found, self.reach)

    @property
    def more(self) -> bool:
        return self.found > self.reach

    def page(self, number: Any) -> Page[Any]:
        """By their ids: what is joined and looked up for a row is so for those that
        are shown, and not for all that are skipped."""
        page = super().page(number)
        rows: Any = self.object_list
        here: Any = page.object_list
        page.object_list = rows.filter(pk__in=list(here.values_list("pk", flat=True)))
        return page
