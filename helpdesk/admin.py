"""The back office: queues with their members and live numbers, and transcripts.

Django's permissions say what somebody may do, `Site.managers` of which sites. Every
list, choice and id here goes through `sites_of`, so that another site's row is not
found, however its id was learnt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.forms import Script
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import pairing, snapshots, transcripts
from .database import db_now
from .models import (
    AuditEntry,
    Holiday,
    Message,
    OpeningSlot,
    Queue,
    QueueMembership,
    Transcript,
)

admin.site.site_header = _("Helpdesk")
admin.site.site_title = _("Helpdesk")
admin.site.index_title = _("Back office")
admin.site.enable_nav_sidebar = True

WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE)
EXPORT_LIMIT = 1000  # conversations in a file; they are held in memory


# Whose sites ----------------------------------------------------------------------


def sites_of(user: Any) -> QuerySet[Any]:
    """Every site for superusers, else those of which the user is a manager."""
    model: Any = Queue._meta.get_field("site").related_model
    sites: QuerySet[Any] = model.objects.all()
    return sites if user.is_superuser else sites.filter(managers=user)


class OwnSites(BaseModelAdmin):  # type: ignore[type-arg]
    """Only rows and choices of the user's own sites."""

    site_path = "site"  # from a row to its site

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        return rows.filter(self.own(sites_of(request.user)))

    def own(self, sites: QuerySet[Any]) -> Q:
        return Q(**{f"{self.site_path}__in": sites})

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        kwargs.setdefault(
            "queryset", choices(self.admin_site, db_field.related_model, request)
        )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def choices(
    site: admin.AdminSite, model: type[models.Model], request: HttpRequest
) -> QuerySet[Any]:
    """Whoever may not see a row may not choose it either."""
    return site.get_model_admin(model).get_queryset(request)


class OwnRelatedFilter(admin.RelatedFieldListFilter):
    """Names in the filter what the user may see, and nothing else."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> Any:
        found = choices(model_admin.admin_site, field.related_model, request)
        return [(str(row.pk), str(row)) for row in found]


class ReadOnly(BaseModelAdmin):  # type: ignore[type-arg]
    """For everybody, superusers too."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def web_link(url: Any, title: Any = "") -> SafeString | str:
    """A link, if it is to the web; a customer may have sent javascript: or worse."""
    words = str(title or url or "–")
    if not isinstance(url, str) or not WEB.match(url):
        return words
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>',
        url,
        words,
    )


def own_fields(customer: Any) -> list[tuple[str, Any]]:
    """As pairs: a template that asks a dictionary for `items` gets the customer's
    field of that name."""
    return list(customer.fields.items()) if isinstance(customer.fields, dict) else []


# Queues ---------------------------------------------------------------------------


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


class MemberInline(OwnSites, admin.TabularInline):  # type: ignore[type-arg]
    model = QueueMembership
    site_path = "queue__site"
    fields = ("agent", "role", "priority")
    extra = 1


class OpeningSlotInline(OwnSites, admin.TabularInline):  # type: ignore[type-arg]
    model = OpeningSlot
    site_path = "queue__site"
    extra = 0
    verbose_name_plural = _("opening hours (none: always open)")


class HolidayInline(OwnSites, admin.TabularInline):  # type: ignore[type-arg]
    model = Holiday
    site_path = "queue__site"
    extra = 0


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


# Transcripts ----------------------------------------------------------------------


class RatingFilter(admin.SimpleListFilter):
    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        stars = [(str(score), "★" * score) for score in range(5, 0, -1)]
        return [*stars, ("none", _("not rated"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case "1" | "2" | "3" | "4" | "5" as score:
                return queryset.filter(rating=int(score))
            case _:
                return queryset.filter(rating=None)


def _export(
    extension: str, content_type: str, write: Callable[[Any], str]
) -> Callable[[str, list[transcripts.Story]], HttpResponse]:
    def answer(name: str, told: list[transcripts.Story]) -> HttpResponse:
        return HttpResponse(
            write(told),
            content_type=f"{content_type}; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}.{extension}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    return answer


EXPORTS = {
    "csv": _export("csv", "text/csv", transcripts.as_csv),
    "json": _export("json", "application/json", transcripts.as_json),
    "txt": _export("txt", "text/plain", transcripts.as_text),
}


@admin.register(Transcript)
class TranscriptAdmin(ReadOnly, OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "who",
        "opening",
        "site",
        "queue",
        "agent",
        "state_and_outcome",
        "stars",
        "when",
    )
    list_filter = (
        ("site", OwnRelatedFilter),
        ("queue", OwnRelatedFilter),
        ("agent", OwnRelatedFilter),
        "state",
        "outcome",
        RatingFilter,
        "created_at",
    )
    list_select_related = ("customer", "site", "queue", "agent")
    list_per_page = 50
    show_full_result_count = False  # counting all of a year's rows takes seconds
    date_hierarchy = "created_at"
    search_fields = ("messages__text",)  # shows the box; get_search_results searches
    search_help_text = _("Words of the conversation, a name or an e-mail address")
    actions = ("export_csv", "export_json", "export_text")

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export_view)
        return [
            path(
                "<uuid:object_id>/export/<str:form>/",
                export,
                name="helpdesk_transcript_export",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transcript]:
        first = Message.objects.filter(conversation=OuterRef("pk"), place=1)
        rows: QuerySet[Transcript] = super().get_queryset(request)
        return rows.annotate(first_text=Subquery(first.values("text")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Every word stands in the name, the e-mail address or some message."""
        for word in search_term.split():
            said = Message.objects.filter(
                conversation=OuterRef("pk"), text__icontains=word
            )
            queryset = queryset.filter(
                Q(customer__name__icontains=word)
                | Q(customer__email__icontains=word)
                | Exists(said)
            )
        return queryset, False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Whoever has one site need not read its name on every line."""
        several = sites_of(request.user).count() > 1
        return tuple(each for each in self.list_display if several or each != "site")

    # The story

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        conversation = self.find(request, object_id)
        if conversation is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        told = transcripts.story(conversation)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": str(conversation.customer),
            "original": conversation,
            "conversation": conversation,
            "customer": conversation.customer,
            "fields": own_fields(conversation.customer),
            "lines": told.lines,
            "exports": [
                (
                    form,
                    reverse(
                        "admin:helpdesk_transcript_export", args=(conversation.pk, form)
                    ),
                )
                for form in EXPORTS
            ],
            "has_view_permission": True,
        }
        return TemplateResponse(
            request, "admin/helpdesk/transcript/story.html", context
        )

    def export_view(
        self, request: HttpRequest, object_id: Any, form: str
    ) -> HttpResponse:
        conversation = self.find(request, str(object_id))
        if conversation is None or form not in EXPORTS:
            raise Http404
        told = transcripts.story(conversation)
        return EXPORTS[form](f"transcript-{conversation.pk}", [told])

    def find(self, request: HttpRequest, object_id: str) -> Transcript | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.get_object(request, object_id)
        return found

    # Actions

    @admin.action(description=_("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
        return self.export(request, chosen, "csv")

    @admin.action(description=_("Export as JSON"), permissions=["view"])
    def export_json(self, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
        return self.export(request, chosen, "json")

    @admin.action(description=_("Export as plain text"), permissions=["view"])
    def export_text(self, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
        return self.export(request, chosen, "txt")

    def export(
        self, request: HttpRequest, chosen: QuerySet[Any], form: str
    ) -> HttpResponse | None:
        rows = list(
            chosen.select_related(*self.list_select_related)[: EXPORT_LIMIT + 1]
        )
        if len(rows) > EXPORT_LIMIT:
            said = ngettext(
                "At most %(limit)d transcript goes into one file. Choose fewer.",
                "At most %(limit)d transcripts go into one file. Choose fewer.",
                EXPORT_LIMIT,
            )
            self.message_user(request, said % {"limit": EXPORT_LIMIT}, messages.ERROR)
            return None
        name = f"transcripts-{localdate()}"
        return EXPORTS[form](name, transcripts.stories(rows))

    # Columns

    @admin.display(description=_("customer"), ordering="customer__name")
    def who(self, conversation: Transcript) -> str:
        return str(conversation.customer)

    @admin.display(description=_("opening words"))
    def opening(self, conversation: Any) -> str:
        text = " ".join((conversation.first_text or "").split())
        return text if len(text) <= 60 else f"{text[:59]}…"

    @admin.display(description=_("state"), ordering=F("state"))
    def state_and_outcome(self, conversation: Transcript) -> str:
        return str(
            conversation.get_outcome_display() or conversation.get_state_display()
        )

    @admin.display(description=_("created"), ordering="created_at")
    def when(self, conversation: Transcript) -> str:
        return date_format(localtime(conversation.created_at), "Y-m-d H:i")

    @admin.display(description=_("rating"), ordering="rating")
    def stars(self, conversation: Transcript) -> str:
        return "★" * (conversation.rating or 0) or "–"


# What supervisors did --------------------------------------------------------------


@admin.register(AuditEntry)
class AuditAdmin(ReadOnly, OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("at", "by", "act", "conversation", "details")
    list_filter = (("by", OwnRelatedFilter), "act", "at")
    list_select_related = ("by", "conversation__customer", "conversation__queue")
    fields = ("at", "by", "act", "conversation", "details")
    show_full_result_count = False

    def own(self, sites: QuerySet[Any]) -> Q:
        """Of the own sites' conversations; what concerns none, by whoever did it."""
        staffs = QueueMembership.objects.filter(
            agent=OuterRef("by"), queue__site__in=sites
        )
        return Q(conversation__site__in=sites) | Q(Exists(staffs), conversation=None)

    @admin.display(description=_("details"))
    def details(self, entry: AuditEntry) -> str:
        return ", ".join(f"{name}: {value}" for name, value in entry.data.items())
