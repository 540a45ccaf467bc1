"""What customers and their browsers fetch."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from . import uploads

urlpatterns: list[URLPattern | URLResolver] = [
    path("widget/<slug:key>/uploads/", uploads.upload, name="upload"),
]
