"""Whose sites are whose, and what follows for lists, choices and ids."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.db import models
from django.db.models import Q, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from ..models import Queue


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


class LabelledRows(BaseInlineFormSet):  # type: ignore[type-arg]
    """Each input says its column's name: a screen reader does not see the heading."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            widget = getattr(field.widget, "widget", field.widget)
            widget.attrs.setdefault("aria-label", field.label)


class Rows(OwnSites, admin.TabularInline):  # type: ignore[type-arg]
    template = "admin/helpdesk/rows.html"
    formset = LabelledRows
    extra = 0
