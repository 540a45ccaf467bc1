"""Under /agents/."""

from __future__ import annotations

from django.urls import path
from django.views.i18n import set_language

from . import views

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("canned/", views.canned, name="canned"),
    path("uploads/", views.upload, name="agent-upload"),
    path("language/", set_language, name="language"),
]
