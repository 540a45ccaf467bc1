"""The staff side's facts: agents, and the replies they keep at hand."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Agent(models.Model):
    """Somebody who answers customers. Status is what the agent chose; whether a
    socket is open is what the desk observes (helpdesk.presence)."""

    class Status(models.TextChoices):
        ONLINE = "online", _("Online")
        AWAY = "away", _("Away")
        OFFLINE = "offline", _("Offline")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=80, help_text=_("Customers see it."))
    capacity = models.PositiveSmallIntegerField(
        _("capacity"),
        default=4,
        validators=[MaxValueValidator(500)],
        help_text=_("How many conversations at a time."),
    )
    status = models.CharField(
        _("status"), max_length=7, choices=Status, default=Status.ONLINE
    )
    status_reason = models.CharField(_("reason"), max_length=200, blank=True)
    status_set_by: Any = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text=_("The supervisor who set it, if it was not the agent."),
    )
    idle_since = models.DateTimeField(
        _("idle since"),
        auto_now_add=True,
        help_text=_("When the agent last took or ended a conversation."),
    )
    assigned_at = models.DateTimeField(
        _("last assigned"), null=True, editable=False, help_text=_("For taking turns.")
    )
    lapses = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text=_("Offers in a row that went unanswered.")
    )
    gone_at = models.DateTimeField(
        _("gone since"),
        null=True,
        editable=False,
        help_text=_("When the desk noticed that no socket was open."),
    )
    active_at = models.DateTimeField(_("last input"), null=True, editable=False)

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class CannedReply(models.Model):
    """A text that agents send often. {name} and {agent} are filled in; nothing
    else in it is ever evaluated. Which queues offer it is the queues' to say
    (Queue.canned_replies); one that no queue names is offered in all of them."""

    shortcut = models.SlugField(_("shortcut"), max_length=40)
    text = models.TextField(_("text"), max_length=10_000)

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ("shortcut",)

    def __str__(self) -> str:
        return f"/{self.shortcut}"
