"""The customer side's facts: the sites that embed the widget, and who wrote there."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from helpdesk.origins import exact_origin


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def validate_origins(value: str) -> None:
    """Each line is a scheme, a host and, where it is not the scheme's own, a port."""
    for line in value.split():
        if exact_origin(line) != line:
            raise ValidationError(
                _("“%(origin)s” is not an origin. Write it as https://shop.example."),
                params={"origin": line},
            )


class Site(models.Model):
    """A web site whose pages embed the widget."""

    key = models.CharField(
        _("key"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z")],
        help_text=_("Stands in the script tag. Lower-case letters, digits and -."),
    )
    name = models.CharField(_("name"), max_length=80)
    allowed_origins = models.TextField(
        _("allowed origins"),
        blank=True,
        validators=[validate_origins],
        help_text=_("One a line, such as https://shop.example."),
    )
    secret = models.CharField(_("secret"), max_length=80, default=new_secret)
    locale = models.CharField(_("language"), max_length=10, default="en")
    accent = models.CharField(
        _("accent colour"),
        max_length=7,
        default="#2f6f5e",
        validators=[RegexValidator(r"^#[0-9a-f]{6}\Z")],
    )
    greeting = models.JSONField(
        _("greeting"),
        default=dict,
        blank=True,
        help_text=_('By language, such as {"en": "Hi!", "zh-hans": "您好！"}.'),
    )
    ask_name = models.BooleanField(_("ask for a name"), default=True)
    ask_email = models.BooleanField(_("ask for an e-mail address"), default=True)
    consent = models.TextField(_("consent text"), blank=True)
    typing_preview = models.BooleanField(
        _("agents see unsent text"),
        default=False,
        help_text=_("The widget tells the customer so."),
    )
    managers: Any = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="managed_sites",
        verbose_name=_("managers"),
        help_text=_("Who sees this site in the admin. Superusers see every site."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def allows(self, origin: str) -> bool:
        """Exact scheme, host and port; nothing else of the origin counts."""
        return origin in self.allowed_origins.split()


class Customer(models.Model):
    """Somebody who wrote. No row exists before the first conversation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(
        Site, models.PROTECT, related_name="customers", verbose_name=_("site")
    )
    name = models.CharField(_("name"), max_length=80, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    # NULL, not "": several customers may have none, and no two the same one.
    external_id = models.CharField(  # noqa: DJ001
        _("proven id"), max_length=200, null=True, blank=True, editable=False
    )
    proven_at = models.DateTimeField(
        null=True, editable=False, help_text="If they wrote before."
    )
    locale = models.CharField(_("language"), max_length=35, blank=True)
    page: Any = models.JSONField(_("page"), default=dict, blank=True)
    fields: Any = models.JSONField(_("fields"), default=dict, blank=True)
    address = models.CharField(
        _("network"), max_length=45, blank=True, help_text=_("Truncated.")
    )
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    blocked_until = models.DateTimeField(_("blocked until"), null=True, blank=True)
    blocked_why = models.CharField(_("blocked because"), max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = (
            models.UniqueConstraint(
                fields=("site", "external_id"), name="one_customer_per_proven_id"
            ),
        )
        # For whoever looks, every few seconds, after the sockets of such people.
        indexes = (
            models.Index(
                fields=("proven_at",),
                condition=models.Q(proven_at__isnull=False),
                name="proven_after_they_wrote",
            ),
            models.Index(
                fields=("blocked_until",),
                condition=models.Q(blocked_until__isnull=False),
                name="blocked_customers",
            ),
        )

    def __str__(self) -> str:
        return self.name or str(_("Customer"))

    @property
    def verified(self) -> bool:
        """The host's server vouched for this person (an HMAC, see identity.py)."""
        return self.external_id is not None
