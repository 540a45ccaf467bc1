"""The back office of the staff side: agents and the replies they keep at hand."""

from __future__ import annotations

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from helpdesk import conversations, pairing, presence
from helpdesk.admin import OwnRelatedFilter, OwnSites, Rows, choices, sites_of
from helpdesk.database import db_now
from helpdesk.models import Assignment, Queue, QueueMembership

from .models import Agent, CannedReply


class MembershipInline(Rows):
    model = QueueMembership
    site_path = "queue__site"
    fields = ("queue", "role", "priority")
    extra = 1
    verbose_name = _("queue")
    verbose_name_plural = _("queues")


# allauth's own pages would show the secret of a second step. Imported above, they
# are registered by now.
admin.site.unregister((EmailAddress, Authenticator))


@admin.register(Authenticator)
class SecondStepAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For whoever lost the telephone: a superuser takes the second step away."""

    list_display = fields = readonly_fields = ("user", "type", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return not lookup.startswith("data")


@admin.register(Agent)
class AgentAdmin(OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    """Managers see the agents of their queues and those who staff none yet."""

    list_display = ("name", "user", "status", "connected", "load", "capacity")
    list_filter = ("status", ("queues", OwnRelatedFilter))
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "user__email")
    inlines = (MembershipInline,)
    fields = (
        "user",
        "name",
        "capacity",
        "status",
        "status_reason",
        "connected",
        "load",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        # Counted from those that are open: a join would read all there ever were, and
        # whatever offers agents to choose from comes by here.
        now = Assignment.objects.filter(agent=OuterRef("pk"), ended_at=None).order_by()
        held = now.values("agent").annotate(count=Count("pk")).values("count")
        lease = presence.live(db_now()).filter(person=OuterRef("pk"))
        rows: QuerySet[Agent] = super().get_queryset(request)
        return rows.annotate(held=Coalesce(Subquery(held), 0), here=Exists(lease))

    def own(self, sites: QuerySet[Any]) -> Q:
        memberships = QueueMembership.objects.filter(agent=OuterRef("pk"))
        return Exists(memberships.filter(queue__site__in=sites)) | ~Exists(memberships)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Agent | None = None
    ) -> tuple[str, ...]:
        # Status is the agent's own choice; what was said stays with who said it.
        facts = ("status", "status_reason", "connected", "load")
        return ("user", *facts) if obj else facts

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = free_users(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: Agent, form: Any, change: bool
    ) -> None:
        # Only what the form has changed: since the page was read, the agent may have
        # chosen another status, or been given something.
        obj.save(update_fields=form.changed_data if change else None)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        # With more capacity or another queue, who waits may now be served.
        conversations.tell_agent(form.instance)
        pairing.nudge(pairing.queues_of(form.instance.pk))

    @admin.display(description=_("connected"), boolean=True)
    def connected(self, agent: Any) -> bool:
        return bool(getattr(agent, "here", False))

    @admin.display(description=_("conversations now"))
    def load(self, agent: Any) -> int:
        return int(getattr(agent, "held", 0))


def free_users(request: HttpRequest) -> QuerySet[Any]:
    """Who may be made an agent. Managers read no names of other sites' staff."""
    users = get_user_model()._default_manager.filter(agent=None, is_active=True)
    if request.user.is_superuser:
        return users
    return users.filter(Q(is_staff=False) | Q(pk=request.user.pk))


class CannedReplyForm(forms.ModelForm):  # type: ignore[type-arg]
    offered: QuerySet[Queue] | None = None  # to whoever fills in the form
    may_offer_everywhere = False

    queues: Any = forms.ModelMultipleChoiceField(
        Queue.objects.none(),
        label=_("queues"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("A reply without a queue is offered in every queue."),
    )

    class Meta:
        model = CannedReply
        fields = ("shortcut", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "queues" in self.fields:
            chosen: Any = self.fields["queues"]
            chosen.queryset = self.offered
            chosen.label_from_instance = queue_and_site
            chosen.required = not self.may_offer_everywhere
            if self.instance.pk:
                self.initial["queues"] = self.instance.queues.all()


def queue_and_site(queue: Any) -> str:
    return f"{queue.name} · {queue.site.name}"


@admin.register(CannedReply)
class CannedReplyAdmin(OwnSites, admin.ModelAdmin):  # type: ignore[type-arg]
    """Managers read what their queues offer, and change what no other site's does."""

    form = CannedReplyForm
    fields = ("shortcut", "text", "queues")
    list_display = ("__str__", "text", "offered_in")
    list_filter = (("queues", OwnRelatedFilter),)
    search_fields = ("shortcut", "text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CannedReply]:
        shown = choices(self.admin_site, Queue, request)
        own = Prefetch("queues", queryset=shown.select_related("site"), to_attr="shown")
        return super().get_queryset(request).prefetch_related(own)

    def own(self, sites: QuerySet[Any]) -> Q:
        offered = Queue.objects.filter(canned_replies=OuterRef("pk"))
        return Exists(offered.filter(site__in=sites)) | ~Exists(offered)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        queues = choices(self.admin_site, Queue, request)

        class Offered(CannedReplyForm):
            offered = queues.select_related("site")
            may_offer_everywhere = request.user.is_superuser

        return super().get_form(request, *args, form=Offered, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: CannedReply | None = None
    ) -> tuple[str, ...]:
        # The form's own field; without a form Django would look for a column.
        return () if self.has_change_permission(request, obj) else ("offered_in",)

    def get_fields(self, request: HttpRequest, obj: CannedReply | None = None) -> Any:
        if self.has_change_permission(request, obj) or obj is None:
            return self.fields
        return ("shortcut", "text", "offered_in")

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.queues.set(form.cleaned_data["queues"])

    @admin.display(description=_("queues"))
    def offered_in(self, reply: Any) -> str:
        return ", ".join(map(queue_and_site, reply.shown)) or str(_("every queue"))

    def has_change_permission(
        self, request: HttpRequest, obj: CannedReply | None = None
    ) -> bool:
        return super().has_change_permission(request, obj) and may_edit(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: CannedReply | None = None
    ) -> bool:
        return super().has_delete_permission(request, obj) and may_edit(request, obj)


def may_edit(request: HttpRequest, reply: CannedReply | None) -> bool:
    """Without a queue, or with another site's, it stands in others' desks too."""
    if reply is None or request.user.is_superuser:
        return True
    queues = reply.queues.all()
    others = queues.exclude(site__in=sites_of(request.user))
    return queues.exists() and not others.exists()
