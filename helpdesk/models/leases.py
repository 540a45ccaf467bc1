"""Who is connected, through which server process."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .ids import new_id


class ServerProcess(models.Model):
    """A running server process and how long its word counts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    alive_until = models.DateTimeField()
    settled = models.BooleanField(
        default=False,
        help_text=_("Whether it is known if the desk was up before it started."),
    )
    lenient_until = models.DateTimeField(
        null=True, help_text=_("Until when nobody's absence has consequences.")
    )

    def __str__(self) -> str:
        return str(self.id)


class Connection(models.Model):
    """Somebody is connected through a process: a lease that counts while the
    process lives and, for a long poll, until its own `until`."""

    process = models.ForeignKey(
        ServerProcess, models.CASCADE, related_name="connections"
    )
    person = models.UUIDField(help_text=_("The customer's or agent's id."))
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("process", "person"), name="one_connection_per_process"
            ),
        )
        indexes = (models.Index(fields=("person",), name="connections_of_person"),)

    def __str__(self) -> str:
        return f"{self.person} · {self.process_id}"
