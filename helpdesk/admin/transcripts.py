"""Transcripts, which nobody changes, and what supervisors did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_FACETS_VAR
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import transcripts
from ..models import AuditEntry, Conversation, Message, QueueMembership, Transcript
from .own import OwnRelatedFilter, OwnSites, ReadOnly, sites_of
from .pages import FURTHEST, Pages
from .period import PeriodFilter

EXPORT_LIMIT = 1000  # conversations in a file; they are held in memory
SEARCH_WORDS = 10  # each is one more look through the messages
COLUMNS = (  # what a line of the list shows; a row has four times as many
    "state",
    "outcome",
    "rating",
    "created_at",
    "customer__name",
    "site__name",
    "queue__name",
    "agent__name",
)


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


class Lines(ChangeList):
    """Of what it finds the list reads what a line shows; the actions read it whole."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = self.result_list.only(*COLUMNS)
        # To find nothing, all was looked through already.
        self.result_list = rows if self.result_count else rows.none()


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
        PeriodFilter,
        ("site", OwnRelatedFilter),
        ("queue", OwnRelatedFilter),
        ("agent", OwnRelatedFilter),
        "state",
        "outcome",
        RatingFilter,
    )
    list_select_related = ("customer", "site", "queue", "agent")
    list_per_page = 50
    show_full_result_count = False  # counting all of a year's rows takes seconds
    search_fields = ("messages__text",)  # shows the box; get_search_results searches
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
        return rows.annotate(first_text=Subquery(first.order_by().values("text")[:1]))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Lines

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *_: Any
    ) -> Pages:
        """Whoever asks what each filter would find is told the whole number too."""
        try:
            number = int(request.GET.get(PAGE_VAR, 1))
        except ValueError:
            number = 1  # as Django has it
        if IS_FACETS_VAR in request.GET:
            number = FURTHEST
        return Pages(queryset, per_page, number)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Every word stands in the name, the e-mail address or some message."""
        for word in search_term.split()[:SEARCH_WORDS]:
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
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": str(conversation.customer),
            "original": conversation,
            "conversation": conversation,
            "customer": conversation.customer,
            "fields": own_fields(conversation.customer),
            "lines": transcripts.story(conversation).lines,
            "exports": tuple(EXPORTS),
        }
        page = "admin/helpdesk/transcript/story.html"
        return TemplateResponse(request, page, context)

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

    def action_checkbox(self, obj: Any) -> SafeString:
        """As Django has it, but for its form: with fifty of those the list would take
        a fifth longer."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select"'
            ' aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            gettext("Choose for an action: {name}").format(name=obj),
        )

    @admin.display(description=_("customer"), ordering="customer__name")
    def who(self, conversation: Transcript) -> str:
        return str(conversation.customer)

    @admin.display(description=_("opening words"))
    def opening(self, conversation: Any) -> str:
        text = " ".join((conversation.first_text or "").split())
        return text if len(text) <= 60 else f"{text[:59]}…"

    @admin.display(description=_("state"), ordering=F("state"))
    def state_and_outcome(self, conversation: Transcript) -> str:
        if conversation.outcome:
            return str(Conversation.Outcome(conversation.outcome).label)
        return str(Conversation.State(conversation.state).label)

    @admin.display(description=_("created"), ordering="created_at")
    def when(self, conversation: Transcript) -> str:
        return date_format(localtime(conversation.created_at), "Y-m-d H:i")

    @admin.display(description=_("rating"), ordering="rating")
    def stars(self, conversation: Transcript) -> str:
        return "★" * (conversation.rating or 0) or "–"


def own_fields(customer: Any) -> list[tuple[str, Any]]:
    """As pairs: a template that asks a dictionary for `items` gets the customer's
    field of that name."""
    return list(customer.fields.items()) if isinstance(customer.fields, dict) else []


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
