"""Conversations, and who holds them."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .. import whys
from .fields import BecauseField
from .ids import new_id
from .queues import Queue


class Conversation(models.Model):
    """waiting → active → ended. Only helpdesk.conversations and helpdesk.pairing
    change it; each change raises `version`."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        ACTIVE = "active", _("Active")
        ENDED = "ended", _("Ended")

    class Outcome(models.TextChoices):
        RESOLVED = "resolved", _("Resolved")
        ABANDONED = "abandoned", _("Abandoned")
        MISSED = "missed", _("Missed")
        EXPIRED = "expired", _("Expired")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    site = models.ForeignKey(
        "customers.Site",
        models.PROTECT,
        related_name="conversations",
        verbose_name=_("site"),
    )
    queue = models.ForeignKey(
        Queue, models.PROTECT, related_name="conversations", verbose_name=_("queue")
    )
    customer = models.ForeignKey(
        "customers.Customer",
        models.PROTECT,
        related_name="conversations",
        verbose_name=_("customer"),
    )
    agent = models.ForeignKey(
        "agents.Agent",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("agent"),
        help_text=_("Who holds it, or held it last."),
    )
    state = models.CharField(
        _("state"), max_length=7, choices=State, default=State.WAITING
    )
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome, blank=True)
    left = models.BooleanField(_("left message"), default=False)
    because = BecauseField(_("last decision"), null=True, blank=True, editable=False)

    version = models.PositiveIntegerField(default=1)
    seq = models.PositiveIntegerField(_("messages"), default=0)
    notes = models.PositiveIntegerField(_("notes"), default=0)
    read_by_customer = models.PositiveIntegerField(default=0)
    read_by_agent = models.PositiveIntegerField(default=0)

    rating = models.PositiveSmallIntegerField(
        _("rating"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
    )
    rating_comment = models.TextField(_("comment"), blank=True)

    created_at = models.DateTimeField(_("created"))
    waiting_since = models.DateTimeField(
        _("waiting since"), help_text=_("Kept when it returns to the line.")
    )
    priority = models.SmallIntegerField(
        _("priority"), default=0, help_text=_("The higher stands before the lower.")
    )
    cycle = models.PositiveIntegerField(
        default=1, help_text=_("No agent is offered it twice in one cycle.")
    )
    tags: Any = models.JSONField(_("tags"), default=list, blank=True)
    said_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the newest public message was said.")
    )
    idle_warned_at = models.DateTimeField(null=True, blank=True)
    mailed_seq = models.PositiveIntegerField(
        default=0, help_text=_("Up to which message a follow-up mail has told.")
    )
    rescued = models.BooleanField(
        _("rescued"), default=False, help_text=_("Stands at the front of the line.")
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    customer_gone_at = models.DateTimeField(null=True, blank=True)
    agent_lost_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the customer was told so.")
    )

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("customer",),
                condition=Q(state__in=("waiting", "active"), left=False),
                name="one_open_conversation_per_customer",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(agent__isnull=False),
                name="an_active_conversation_has_an_agent",
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(agent__isnull=True),
                name="a_waiting_conversation_has_none",
            ),
            models.CheckConstraint(
                condition=Q(state="ended", ended_at__isnull=False)
                | (~Q(state="ended") & Q(ended_at__isnull=True)),
                name="ended_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(rating__isnull=True) | Q(rating__range=(1, 5)),
                name="rating_is_1_to_5",
            ),
        )
        indexes = (
            models.Index(
                fields=("queue", "-rescued", "-priority", "waiting_since", "id"),
                condition=Q(state="waiting"),
                name="line",
            ),
            models.Index(fields=("agent",), condition=Q(state="active"), name="held"),
            models.Index(fields=("-created_at", "-id"), name="newest"),
            models.Index(fields=("site", "-created_at"), name="newest_of_site"),
            models.Index(
                fields=("ended_at",), condition=Q(state="ended"), name="ended"
            ),
            models.Index(fields=("customer", "-created_at"), name="newest_of_customer"),
        )

    def __str__(self) -> str:
        return f"{self.customer} · {self.queue}"

    @property
    def why(self) -> str:
        """The last decision as an English sentence."""
        return whys.in_english(self.because)


class Transcript(Conversation):
    """The read-only record of a conversation, as the admin shows it."""

    class Meta:
        proxy = True
        verbose_name = _("transcript")
        verbose_name_plural = _("transcripts")


class Assignment(models.Model):
    """A lease on a slot of an agent's capacity, from when to when, and why: an offer
    that rings, or a conversation that is held. Wrapping up keeps the slot until
    `free_at`."""

    class Kind(models.TextChoices):
        OFFER = "offer", _("Offer")
        HOLD = "hold", _("Held")

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="assignments"
    )
    agent = models.ForeignKey(
        "agents.Agent", models.PROTECT, related_name="assignments"
    )
    kind = models.CharField(_("kind"), max_length=5, choices=Kind, default=Kind.HOLD)
    because = BecauseField(_("why"), null=True, blank=True, editable=False)
    started_at = models.DateTimeField(_("from"))
    ended_at = models.DateTimeField(_("to"), null=True, blank=True)
    ended_why = models.CharField(_("ended because"), max_length=40, blank=True)
    free_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the slot is free again.")
    )
    lapses_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When an offer lapses.")
    )
    typed_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the offer's agent last typed.")
    )
    cycle = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ("started_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("conversation",),
                condition=Q(ended_at__isnull=True, kind="hold"),
                name="one_holder_at_a_time",
            ),
            models.UniqueConstraint(
                fields=("conversation",),
                condition=Q(ended_at__isnull=True, kind="offer"),
                name="one_offer_at_a_time",
            ),
        )
        indexes = (
            models.Index(
                fields=("agent",), condition=Q(ended_at__isnull=True), name="load"
            ),
            models.Index(
                fields=("free_at",), condition=Q(free_at__isnull=False), name="wrap_up"
            ),
            models.Index(
                fields=("lapses_at",),
                condition=Q(ended_at__isnull=True, kind="offer"),
                name="ringing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.agent} · {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def why(self) -> str:
        """In English."""
        return whys.in_english(self.because)


class Transfer(models.Model):
    """A pending one: until somebody accepts, the old agent keeps the conversation."""

    conversation = models.OneToOneField(
        Conversation, models.CASCADE, related_name="pending_transfer"
    )
    by = models.ForeignKey("agents.Agent", models.CASCADE, related_name="+")
    to_agent = models.ForeignKey(
        "agents.Agent", models.CASCADE, null=True, blank=True, related_name="+"
    )
    to_queue = models.ForeignKey(
        Queue, models.CASCADE, null=True, blank=True, related_name="+"
    )
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        constraints = (
            models.CheckConstraint(
                condition=Q(to_agent__isnull=True) ^ Q(to_queue__isnull=True),
                name="to_an_agent_or_a_queue",
            ),
        )

    def __str__(self) -> str:
        return f"{self.by} → {self.to_agent or self.to_queue}"


class AuditEntry(models.Model):
    """What a supervisor did, to what, and when. Never changed."""

    by = models.ForeignKey(
        "agents.Agent", models.PROTECT, related_name="+", verbose_name=_("by")
    )
    act = models.CharField(_("act"), max_length=40)
    conversation = models.ForeignKey(
        Conversation,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="audit",
        verbose_name=_("conversation"),
    )
    data: Any = models.JSONField(_("details"), default=dict, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.by}: {self.act}"
