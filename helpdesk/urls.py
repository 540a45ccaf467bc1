"""Wiring: which address belongs to whom."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from . import health, metrics, mirror, uploads

# The admin's own login form knows neither rate limits nor second factors.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("mirror", mirror.mirror),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("agents/", include("agents.urls")),
    path("files/<str:signed>/<str:name>", uploads.download, name="file"),
    path("", include("customers.urls")),
]
