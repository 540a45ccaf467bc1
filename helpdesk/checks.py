"""What is checked before anything is served: what is wrong has a name and a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks
from django.core.exceptions import ImproperlyConfigured

SECRET_CHARS = 50
SECRET_DIFFERENT_CHARS = 5
METRICS_TOKEN_CHARS = 20


def refuse_unsafe() -> None:
    """Raise, naming every setting that is wrong. A server that is started by its
    ASGI application would otherwise never run Django's checks."""
    found = run_checks(tags=[Tags.security], include_deployment_checks=False)
    errors = [message for message in found if message.is_serious()]
    if errors:
        raise ImproperlyConfigured("\n" + "\n".join(map(str, errors)))


@register(Tags.security)
def settings_are_safe(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    return [*always(), *(production() if settings.HELPDESK_PRODUCTION else ())]


def always() -> Iterator[CheckMessage]:
    public = settings.HELPDESK_PUBLIC_URL
    loopback = not public or on_loopback(public)
    if settings.HELPDESK_DEMO and not loopback:
        yield Error(
            f"DEMO is on, and PUBLIC_URL is {public}.",
            hint="The demo's passwords are public. Start `serve` instead of `run`, "
            "or unset DEMO.",
            id="helpdesk.E006",
        )
    if not settings.HELPDESK_LIMITS and not loopback:
        yield Error(
            f"HELPDESK_LIMITS is off, and PUBLIC_URL is {public}.",
            hint="Only a bench on loopback goes without limits. Unset HELPDESK_LIMITS.",
            id="helpdesk.E007",
        )
    if settings.DEBUG and not loopback:
        yield Error(
            f"DEBUG is on, and PUBLIC_URL is {public}.",
            hint="Its error pages show settings and customers' data. Unset DEBUG.",
            id="helpdesk.E008",
        )
    if not 0 <= settings.HELPDESK_PROXIES <= 5:
        yield Error(
            f"PROXIES is {settings.HELPDESK_PROXIES}.",
            hint="It is the number of reverse proxies in front of the server, 0 to 5.",
            id="helpdesk.E009",
        )
    if 0 < len(settings.HELPDESK_METRICS_TOKEN) < METRICS_TOKEN_CHARS:
        yield Error(
            f"HELPDESK_METRICS_TOKEN is short: under {METRICS_TOKEN_CHARS} characters.",
            hint="Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(30))'",
            id="helpdesk.E010",
        )
    if settings.HELPDESK_LOG not in ("json", "text"):
        yield Error(
            f"HELPDESK_LOG is {settings.HELPDESK_LOG}.",
            hint="It is json or text.",
            id="helpdesk.E011",
        )


def production() -> Iterator[CheckMessage]:
    yield from secret(settings._wrapped.SECRET_KEY)  # empty, it may not be asked for
    yield from public_url(settings.HELPDESK_PUBLIC_URL)
    if not settings.REDIS_URLS:
        yield Error(
            "REDIS_URL is not set.",
            hint="Without Redis or Valkey the server processes cannot hear each other. "
            "`python -m helpdesk serve` brings one of its own.",
            id="helpdesk.E005",
        )
    if settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        yield Warning(
            "EMAIL_URL is not set.",
            hint="No password can be reset by e-mail. Set it to "
            "smtp+tls://user:password@mail.example:587.",
            id="helpdesk.W002",
        )


def secret(key: str) -> Iterator[CheckMessage]:
    hint = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    if not key:
        yield Error("SECRET_KEY is not set.", hint=hint, id="helpdesk.E001")
    elif (
        len(key) < SECRET_CHARS
        or len(set(key)) < SECRET_DIFFERENT_CHARS
        or key.startswith("django-insecure-")
    ):
        yield Error(
            f"SECRET_KEY is weak: under {SECRET_CHARS} characters, or a pattern.",
            hint=hint,
            id="helpdesk.E002",
        )


def public_url(url: str) -> Iterator[CheckMessage]:
    example = "Set it to the address that customers use, such as https://chat.example."
    if not url:
        yield Error("PUBLIC_URL is not set.", hint=example, id="helpdesk.E003")
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        yield Error(f"PUBLIC_URL is {url}.", hint=example, id="helpdesk.E004")
    elif parts.scheme == "http" and not on_loopback(url):
        yield Warning(
            f"PUBLIC_URL is {url}: everything travels readable.",
            hint="Put a reverse proxy with a certificate in front.",
            id="helpdesk.W001",
        )


def on_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
