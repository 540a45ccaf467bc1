from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AgentsConfig(AppConfig):
    name = "agents"
    verbose_name = _("Agents")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.mfa.models import Authenticator

        # allauth names it in English only, and the admin shows the name.
        Authenticator._meta.verbose_name = _("second step")
        Authenticator._meta.verbose_name_plural = _("second steps")
