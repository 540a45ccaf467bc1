"""Queues: who serves them, when and how, and what goes on in them now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.forms import Script
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from .. import pairing, snapshots
from ..database import db_now
from ..models import Holiday, OpeningSlot, Queue, QueueMembership
from .own import OwnRelatedFilter, OwnSites, Rows


class QueueList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        numbers = live_numbers(queue.pk for queue in self.result_list)
        for queue in self.result_list:
            queue.live = numbers[queue.pk]


def live_numbers(queue_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    queues = snapshots.queues_for_staff(list(queue_ids), db_now())
    return {
        int(queue.id): {
            "waiting": queue.waiting,
            "active": queue.active,
            "staffed": queue.staffed,
        }
        for queue in queues
    }


class MemberInline(Rows):
    model = QueueMembership
    site_path = "queue__site"
    fields = ("agent", "role", "priority")
    extra = 1


class OpeningSlotInline(Rows):
    model = OpeningSlot
    site_path = "queue__site"
    verbose_name_plural = _("opening hours (none: always open)")


class HolidayInline(Rows):
    model = Holiday
    site_path = "queue__site"


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        """Agents of one site never meet another's customers."""
        facts: dict[str, Any] = super().clean() or {}
        site = facts.get("site") or getattr(self.instance, "site", None)
        fallback = facts.get("fallback")
        if fallback and (fallback.site != site or fallback == self.instance):
            self.add_error("fallback", _("Choose another queue of the same site."))
        return facts


@admin.register(Queue)
class QueueAdmin(OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    class Media:
        js = (Script("admin/helpdesk/live.js", type="module"),)

    list_display = (
        "name",
        "site",
        "is_open",
        "strategy",
        "waiting",
        "active",
        "staffed",
    )
    list_filter = (("site", OwnRelatedFilter), "is_open", "strategy")
    list_select_related = ("site",)
    search_fields = ("name",)
    form = QueueForm
    inlines = (MemberInline, OpeningSlotInline, HolidayInline)
    fieldsets = (
        (None, {"fields": ("site", "name", "position", "is_open", "time_zone", "now")}),
        (
            _("Handing out"),
            {
                "fields": (
                    "strategy",
                    "sticky",
                    "delivery",
                    "ring_seconds",
                    "wrap_up_seconds",
                )
            },
        ),
        (_("The line"), {"fields": ("line_limit", "priority", "proven_first")}),
        (
            _("When somebody waits for long"),
            {"fields": ("fallback", "fallback_after_seconds", "alert_after_seconds")},
        ),
        (
            _("When somebody vanishes"),
            {"fields": ("lost_after_seconds", "abandoned_after_seconds")},
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        numbers = self.admin_site.admin_view(self.numbers_view)
        return [
            path("numbers/", numbers, name="helpdesk_queue_numbers"),
            *super().get_urls(),
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Queue | None = None
    ) -> tuple[str, ...]:
        # Conversations lie in the queue: it stays with their site.
        return ("site", "now") if obj else ("now",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QueueList

    def numbers_view(self, request: HttpRequest) -> JsonResponse:
        """For live.js, which keeps the numbers on the page true."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = self.get_queryset(request).values_list("pk", flat=True)
        return JsonResponse({"queues": live_numbers(ids)})

    @admin.display(description=_("Waiting"))
    def waiting(self, queue: Any) -> SafeString:
        return live_number(queue.pk, "waiting", queue.live["waiting"])

    @admin.display(description=_("Active"))
    def active(self, queue: Any) -> SafeString:
        return live_number(queue.pk, "active", queue.live["active"])

    @admin.display(description=_("Agents online"))
    def staffed(self, queue: Any) -> SafeString:
        return live_number(queue.pk, "staffed", queue.live["staffed"])

    @admin.display(description=_("Now"))
    def now(self, queue: Queue) -> str | SafeString:
        if not queue.pk:
            return "–"
        numbers = live_numbers([queue.pk])[queue.pk]
        return format_html(
            "{} {} · {} {} · {} {}",
            live_number(queue.pk, "waiting", numbers["waiting"]),
            _("waiting"),
            live_number(queue.pk, "active", numbers["active"]),
            _("active"),
            live_number(queue.pk, "staffed", numbers["staffed"]),
            _("agents online"),
        )

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        # Opened, or with a new member: who waits may now be served.
        pairing.nudge([form.instance.pk])


def live_number(queue_id: int, what: str, number: int) -> SafeString:
    return format_html(
        '<span class="live" data-queue="{}" data-number="{}">{}</span>',
        queue_id,
        what,
        number,
    )
