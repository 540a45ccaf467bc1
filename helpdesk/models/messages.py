"""What was said: messages, the receipts of other commands, and files."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .conversations import Conversation


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


class OutgoingMail(models.Model):
    """A mail that the transaction which caused it has left to be sent. It is deleted
    once sent, so that a crash may send it twice and never forgets it."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="outgoing_mails"
    )
    seq = models.PositiveIntegerField(help_text=_("Up to which message it tells."))
    try_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")
        constraints = (
            models.UniqueConstraint(
                fields=("conversation",), name="one_follow_up_at_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"{self.conversation_id} #{self.seq}"
