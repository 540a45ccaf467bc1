"""What customers and their browsers fetch."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from . import poll, resume, uploads, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("widget.js", views.loader, name="loader"),
    path("demo/", views.demo, name="demo"),
    path("widget/<slug:key>/", views.chat, name="chat"),
    path("widget/<slug:key>/status/", views.status, name="status"),
    path("widget/<slug:key>/poll/", poll.poll, name="poll"),
    path("widget/<slug:key>/resume/", views.resume, name="resume"),
    path("widget/<slug:key>/resume/token/", resume.resume, name="resume_token"),
    path("widget/<slug:key>/uploads/", uploads.upload, name="upload"),
]
