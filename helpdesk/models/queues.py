"""The lines, when they are open and who serves them."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


def validate_time_zone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValidationError(
            _("“%(zone)s” is no time zone. Write it as Europe/Berlin."),
            params={"zone": value},
        ) from None


class Queue(models.Model):
    """A line of customers and the agents who serve it."""

    class Strategy(models.TextChoices):
        LEAST_LOADED = "least_loaded", _("Least loaded agent")
        LONGEST_IDLE = "longest_idle", _("Longest idle agent")
        ROUND_ROBIN = "round_robin", _("Agents in turn")
        MANUAL = "manual", _("Agents take from the line")

    class Delivery(models.TextChoices):
        DIRECT = "direct", _("Assigned at once")
        OFFER = "offer", _("Offered: rings until accepted")

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
    sticky = models.BooleanField(
        _("last agent first"),
        default=False,
        help_text=_("A customer returns to their last agent, if that one has room."),
    )
    delivery = models.CharField(
        _("delivery"), max_length=6, choices=Delivery, default=Delivery.DIRECT
    )
    ring_seconds = models.PositiveIntegerField(
        _("ring time (seconds)"),
        default=20,  # long enough to finish a sentence
        validators=[MinValueValidator(5), MaxValueValidator(600)],
        help_text=_("Then an offer lapses and goes to the next agent."),
    )
    wrap_up_seconds = models.PositiveIntegerField(
        _("wrap-up (seconds)"),
        default=0,
        validators=[MaxValueValidator(3600)],
        help_text=_("How long a slot stays taken after a conversation's end."),
    )
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        help_text=_("An agent of several queues serves the highest first."),
    )
    proven_first = models.BooleanField(
        _("proven customers first"),
        default=False,
        help_text=_("Signed-in customers stand before the others."),
    )
    fallback = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("fallback queue"),
        help_text=_("Whose agents are asked too when somebody waits for long."),
    )
    fallback_after_seconds = models.PositiveIntegerField(
        _("fallback after (seconds)"), default=120
    )
    alert_after_seconds = models.PositiveIntegerField(
        _("alert after (seconds)"),
        default=300,
        help_text=_("Supervisors are told when a line has not moved for so long."),
    )
    is_open = models.BooleanField(
        _("open"),
        default=True,
        help_text=_("Off: closed, whatever the opening hours say."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=40, default="UTC", validators=[validate_time_zone]
    )
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


class OpeningSlot(models.Model):
    """Open from one time to another on one day of the week, in the queue's time
    zone. A day may have several; a slot that ends before it begins ends on the next
    day. A queue without any is always open."""

    class Weekday(models.IntegerChoices):
        MONDAY = 0, _("Monday")
        TUESDAY = 1, _("Tuesday")
        WEDNESDAY = 2, _("Wednesday")
        THURSDAY = 3, _("Thursday")
        FRIDAY = 4, _("Friday")
        SATURDAY = 5, _("Saturday")
        SUNDAY = 6, _("Sunday")

    queue = models.ForeignKey(
        Queue, models.CASCADE, related_name="opening_slots", verbose_name=_("queue")
    )
    weekday = models.PositiveSmallIntegerField(_("day"), choices=Weekday)
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ("weekday", "opens")

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}–{self.closes:%H:%M}"


class Holiday(models.Model):
    """A date on which the queue is closed whatever the weekday says."""

    queue = models.ForeignKey(
        Queue, models.CASCADE, related_name="holidays", verbose_name=_("queue")
    )
    date = models.DateField(_("date"))
    name = models.CharField(_("name"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ("date",)
        constraints = (
            models.UniqueConstraint(
                fields=("queue", "date"), name="one_holiday_per_date"
            ),
        )

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.name}".rstrip()


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
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=1,
        help_text=_("Members with 2 are asked when those with 1 have no room."),
    )
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.AGENT)

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
