"""How staff sign in, in allauth's words."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


class StaffAccounts(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are given, not taken; nothing a request says decides where a link or
    a redirect leads."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Agents to their desk, other staff to the back office. Whoever is neither
        reads at the desk's door what is missing."""
        is_agent = hasattr(request.user, "agent")
        if request.user.is_staff and not is_agent:
            return reverse("admin:index")
        return reverse("dashboard")

    def is_safe_url(self, url: str) -> bool:
        """Paths of this host alone. allauth would also trust every allowed host."""
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts=None, require_https=self.request.is_secure()
        )

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Under the public address where one is set: a forged Host header must not
        lead somebody's reset link to another server."""
        found = super().get_reset_password_from_key_url(key)
        return at_public_address(found)


def at_public_address(url: str) -> str:
    if not settings.HELPDESK_PUBLIC_URL:
        return url
    path = urlsplit(url).path
    return f"{settings.HELPDESK_PUBLIC_URL}{path}"
