"""What customers and their browsers fetch."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from . import poll, uploads

urlpatterns: list[URLPattern | URLResolver] = [
    path("widget/<slug:key>/poll/", poll.poll, name="poll"),
    path("widget/<slug:key>/uploads/", uploads.upload, name="upload"),
]
