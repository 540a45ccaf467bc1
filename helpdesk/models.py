"""The desk's facts. Promises that must hold whatever races are constraints here."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


def new_id() -> uuid.UUID:
    """A version 7 UUID (RFC 9562 §5.7): ordered by time, so that indexes grow at
    their end, and not to be guessed."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


class Queue(models.Model):
    """A line of customers and the agents who serve it."""

    class Strategy(models.TextChoices):
        LEAST_LOADED = "least_loaded", _("Least loaded agent")
        MANUAL = "manual", _("Agents take from the line")

    site = models.ForeignKey(
        "customers.Site", models.CASCADE, related_name="queues", verbose_name=_("site")
    )
    name = models.CharField(_("name"), max_length=80)
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("The lowest is the site's default.")
    )
    strategy = models.CharField(
        _("strategy"), max_length=12, choices=Strategy, default=Strategy.LEAST_LOADED
    )
    is_open = models.BooleanField(_("open"), default=True)
    line_limit = models.PositiveIntegerField(
        _("line limit"),
        default=100,
        help_text=_("When so many wait, further customers may leave a message."),
    )
    lost_after_seconds = models.PositiveIntegerField(
        _("agent lost after (seconds)"),
        default=60,
        help_text=_("Then the conversation goes to the front of the line."),
    )
    abandoned_after_seconds = models.PositiveIntegerField(
        _("abandoned after (seconds)"),
        default=60,
        help_text=_("How long a waiting customer may be gone."),
    )
    agents: Any = models.ManyToManyField(
        "agents.Agent", through="QueueMembership", related_name="queues"
    )
    canned_replies: Any = models.ManyToManyField(
        "agents.CannedReply",
        related_name="queues",
        blank=True,
        verbose_name=_("canned replies"),
        help_text=_("A reply that no queue names is offered in every queue."),
    )

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        ordering = ("site", "position", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("site", "name"), name="one_queue_per_name_and_site"
            ),
        )

    def __str__(self) -> str:
        return self.name


class QueueMembership(models.Model):
    """An agent staffs a queue."""

    class Role(models.TextChoices):
        AGENT = "agent", _("Agent")
        SUPERVISOR = "supervisor", _("Supervisor")

    queue = models.ForeignKey(
        Queue, models.CASCADE, related_name="memberships", verbose_name=_("queue")
    )
    agent = models.ForeignKey(
        "agents.Agent",
        models.CASCADE,
        related_name="memberships",
        verbose_name=_("agent"),
    )
    role = models.CharField(
        _("role"), max_length=10, choices=Role, default=Role.AGENT
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = (
            models.UniqueConstraint(
                fields=("queue", "agent"), name="one_membership_per_queue_and_agent"
            ),
        )

    def __str__(self) -> str:
        return f"{self.agent} · {self.queue}"


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
    outcome = models.CharField(
        _("outcome"), max_length=9, choices=Outcome, blank=True
    )
    left = models.BooleanField(_("left message"), default=False)
    why = models.TextField(_("last decision"), blank=True)

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
                fields=("queue", "-rescued", "waiting_since", "id"),
                condition=Q(state="waiting"),
                name="line",
            ),
            models.Index(
                fields=("agent",), condition=Q(state="active"), name="held"
            ),
            models.Index(fields=("site", "-created_at"), name="newest_of_site"),
            models.Index(
                fields=("customer", "-created_at"), name="newest_of_customer"
            ),
        )

    def __str__(self) -> str:
        return f"{self.customer} · {self.queue}"


class Transcript(Conversation):
    """The read-only record of a conversation, as the admin shows it."""

    class Meta:
        proxy = True
        verbose_name = _("transcript")
        verbose_name_plural = _("transcripts")


class Assignment(models.Model):
    """Who held a conversation, from when to when, and why. An open one is a lease
    on a slot of the agent's capacity."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="assignments"
    )
    agent = models.ForeignKey(
        "agents.Agent", models.PROTECT, related_name="assignments"
    )
    why = models.TextField(_("why"), blank=True)
    started_at = models.DateTimeField(_("from"))
    ended_at = models.DateTimeField(_("to"), null=True, blank=True)
    ended_why = models.CharField(_("ended because"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ("started_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("conversation",),
                condition=Q(ended_at__isnull=True),
                name="one_holder_at_a_time",
            ),
        )
        indexes = (
            models.Index(
                fields=("agent",), condition=Q(ended_at__isnull=True), name="load"
            ),
        )

    def __str__(self) -> str:
        return f"{self.agent} · {self.started_at:%Y-%m-%d %H:%M}"


class Message(models.Model):
    """Only helpdesk.writer inserts these; nothing changes them.

    `seq` counts the conversation's public messages and `notes` its notes, each up
    to and including this one; `place`, their sum, orders what staff see.
    """

    class Kind(models.TextChoices):
        TEXT = "text", _("Message")
        SYSTEM = "system", _("System line")
        NOTE = "note", _("Note")

    class Author(models.TextChoices):
        CUSTOMER = "customer", _("Customer")
        AGENT = "agent", _("Agent")
        BOT = "bot", _("Bot")
        SYSTEM = "system", _("System")

    conversation = models.ForeignKey(
        Conversation,
        models.CASCADE,
        related_name="messages",
        db_index=False,  # one_message_per_place begins with it
    )
    place = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    notes = models.PositiveIntegerField()
    client_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=6, choices=Kind)
    author = models.CharField(max_length=8, choices=Author)
    sender = models.UUIDField(
        null=True, help_text=_("The customer's or agent's id; none for the system.")
    )
    text = models.TextField(blank=True)
    event = models.CharField(max_length=24, blank=True)
    data: Any = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("conversation", "place")
        constraints = (
            models.UniqueConstraint(
                fields=("conversation", "place"), name="one_message_per_place"
            ),
            models.UniqueConstraint(
                fields=("conversation", "seq"),
                condition=~Q(kind="note"),
                name="one_public_message_per_seq",
            ),
            models.UniqueConstraint(
                fields=("sender", "client_id"), name="one_message_per_client_id"
            ),
            models.CheckConstraint(
                condition=Q(place=models.F("seq") + models.F("notes")),
                name="place_is_seq_plus_notes",
            ),
        )

    def __str__(self) -> str:
        return f"{self.conversation_id} #{self.place}"


class Receipt(models.Model):
    """The first ack of a command other than `message.post`, given again to whoever
    repeats its id. (A message's own row is its receipt.)"""

    sender = models.UUIDField()
    client_id = models.CharField(max_length=64)
    ack: Any = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("sender", "client_id"), name="one_receipt_per_client_id"
            ),
        )

    def __str__(self) -> str:
        return self.client_id


def attachment_path(attachment: Attachment, name: str) -> str:
    """Nothing of the client's name reaches the disk."""
    return f"attachments/{attachment.id.hex[:2]}/{attachment.id.hex}"


class Attachment(models.Model):
    """A file. Until a message carries it, only its uploader may use it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(
        "customers.Site", models.PROTECT, null=True, related_name="attachments"
    )
    uploader = models.UUIDField(help_text=_("The customer's or agent's id."))
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    name = models.CharField(_("name"), max_length=200)
    type = models.CharField(_("type"), max_length=100)
    size = models.PositiveIntegerField(_("size"), help_text=_("In bytes."))
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    duration = models.FloatField(null=True, blank=True, help_text=_("In seconds."))
    file = models.FileField(upload_to=attachment_path)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        indexes = (
            models.Index(
                fields=("created_at",),
                condition=Q(message__isnull=True),
                name="unused_attachments",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ServerProcess(models.Model):
    """A running server process and how long its word counts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    alive_until = models.DateTimeField()

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
