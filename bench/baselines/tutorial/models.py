from __future__ import annotations

from django.db import models


class Message(models.Model):
    room = models.CharField(max_length=80, db_index=True)
    author = models.CharField(max_length=1)
    client_id = models.CharField(max_length=64)
    text = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "tutorial"

    def __str__(self) -> str:
        return self.text
