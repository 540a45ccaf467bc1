"""The back office of the customer side: the sites and who wrote from them."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from helpdesk.admin import OwnRelatedFilter, OwnSites, ReadOnly, Rows, web_link
from helpdesk.models import Queue

from .models import Customer, Site

SHOWN_CONVERSATIONS = 50


class SiteForm(forms.ModelForm):  # type: ignore[type-arg]
    """The greeting has a field for each language."""

    class Meta:
        model = Site
        fields = (
            "name",
            "key",
            "allowed_origins",
            "locale",
            "accent",
            "ask_name",
            "ask_email",
            "consent",
            "typing_preview",
            "secret",
            "managers",
        )
        widgets = {
            "accent": forms.TextInput(attrs={"type": "color"}),
            "locale": forms.Select(choices=settings.LANGUAGES),
            "allowed_origins": forms.Textarea(attrs={"rows": 4}),
            "consent": forms.Textarea(attrs={"rows": 3}),
            "managers": forms.CheckboxSelectMultiple,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, _name in settings.LANGUAGES:
            name = greeting_field(code)
            if name in self.fields:
                self.initial[name] = self.instance.greeting.get(code, "")

    def save(self, commit: bool = True) -> Site:
        greeting = dict(self.instance.greeting)
        for code, _name in settings.LANGUAGES:
            if greeting_field(code) in self.cleaned_data:
                greeting[code] = self.cleaned_data[greeting_field(code)]
        self.instance.greeting = {code: text for code, text in greeting.items() if text}
        site: Site = super().save(commit)
        return site


def greeting_field(language: str) -> str:
    return f"greeting_{language.replace('-', '_')}"


GREETINGS = {
    greeting_field(code): forms.CharField(
        label=name,
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    for code, name in settings.LANGUAGES
}


VISIBLE = ("name", "key", "allowed_origins", "locale", "accent", "greeting", "consent")


class QueueInline(ReadOnly, Rows):
    model = Queue
    fields = ("name", "is_open", "strategy")
    show_change_link = True


@admin.register(Site)
class SiteAdmin(OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    site_path = "pk"
    form = type("SiteForm", (SiteForm,), dict(GREETINGS))
    list_display = ("name", "key", "locale", "created_at")
    search_fields = ("name", "key")
    inlines = (QueueInline,)
    change_form_template = "admin/customers/site/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "key", "allowed_origins")}),
        (_("Look"), {"fields": ("locale", "accent")}),
        (_("Greeting"), {"fields": tuple(GREETINGS)}),
        (
            _("Before the chat"),
            {"fields": ("ask_name", "ask_email", "consent", "typing_preview")},
        ),
        (_("Proven customers"), {"fields": ("secret",), "classes": ("collapse",)}),
        (_("Who looks after it"), {"fields": ("managers",)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Site | None = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        # Whoever only looks sees what customers see, and not the secret.
        return ((None, {"fields": VISIBLE}),)

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        # Somebody without staff status could not enter the admin anyway.
        kwargs["queryset"] = get_user_model()._default_manager.filter(
            is_staff=True, is_superuser=False, is_active=True
        )
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Site | None = None
    ) -> tuple[str, ...]:
        readonly = ("key",) if obj else ()  # it stands in the host's pages
        if request.user.is_superuser:
            return readonly
        return (*readonly, "managers")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # ?secret__startswith=a would tell the secret letter by letter.
        if lookup.startswith("secret"):
            return False
        return super().lookup_allowed(lookup, value, request)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> HttpResponse:
        site = kwargs.get("obj")
        context["snippet"] = snippet(site, request) if site else ""
        return super().render_change_form(request, context, *args, **kwargs)


def snippet(site: Site, request: HttpRequest) -> str:
    """The line that puts the widget into a page."""
    address = settings.HELPDESK_PUBLIC_URL or request.build_absolute_uri("/").rstrip(
        "/"
    )
    return f'<script src="{address}/widget.js" data-site="{site.key}" async></script>'


@admin.register(Customer)
class CustomerAdmin(ReadOnly, OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    """What customers said about themselves; every word of it is theirs."""

    list_display = ("__str__", "email", "proven", "site", "locale", "created_at")
    list_filter = (
        ("site", OwnRelatedFilter),
        ("blocked_until", admin.EmptyFieldListFilter),
        "created_at",
    )
    list_select_related = ("site",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("name", "email", "external_id")
    fieldsets = (
        (None, {"fields": ("name", "email", "site", "external_id", "created_at")}),
        (_("Conversations"), {"fields": ("talks",)}),
        (
            _("Where they were"),
            {"fields": ("page_link", "referrer", "locale", "address", "user_agent")},
        ),
        (_("Fields"), {"fields": ("field_values",)}),
        (_("Kept out"), {"fields": ("blocked_until", "blocked_why")}),
    )
    actions = ("unblock",)

    @admin.action(description=_("Let in again"), permissions=["unblock"])
    def unblock(self, request: HttpRequest, chosen: QuerySet[Customer]) -> None:
        chosen.update(blocked_until=None, blocked_why="")
        for customer in chosen:
            self.log_change(request, customer, _("Let in again"))

    def has_unblock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.change_customer")

    @admin.display(description=_("proven"), boolean=True)
    def proven(self, customer: Customer) -> bool:
        return customer.verified

    @admin.display(description=_("page"))
    def page_link(self, customer: Customer) -> SafeString | str:
        page = customer.page if isinstance(customer.page, dict) else {}
        return web_link(page.get("url"), page.get("title"))

    @admin.display(description=_("came from"))
    def referrer(self, customer: Customer) -> SafeString | str:
        page = customer.page if isinstance(customer.page, dict) else {}
        return web_link(page.get("referrer"))

    @admin.display(description=_("fields"))
    def field_values(self, customer: Customer) -> SafeString | str:
        if not customer.fields:
            return "–"
        shown = json.dumps(customer.fields, ensure_ascii=False, indent=2)
        return format_html('<pre class="fields">{}</pre>', shown)

    @admin.display(description=_("conversations"))
    def talks(self, customer: Customer) -> SafeString | str:
        newest: QuerySet[Any] = customer.conversations.select_related("queue")
        rows = newest.order_by("-created_at")[:SHOWN_CONVERSATIONS]
        links = format_html_join(
            "",
            '<li><a href="{}">{} · {} · {}</a></li>',
            (
                (
                    reverse("admin:helpdesk_transcript_change", args=(each.pk,)),
                    date_format(localtime(each.created_at), "SHORT_DATETIME_FORMAT"),
                    each.queue.name,
                    each.get_state_display(),
                )
                for each in rows
            ),
        )
        return format_html('<ul class="conversations">{}</ul>', links) if links else "–"
