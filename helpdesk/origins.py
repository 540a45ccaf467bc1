"""Web origins, compared exactly: scheme, host and port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": 80, "https": 443}
# As browsers send it: lower case, other scripts as xn--, no wildcard.
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?|[0-9a-f:.]*:[0-9a-f:.]*")


class Allows(Protocol):
    """A site."""

    def allows(self, origin: str) -> bool: ...


def exact_origin(text: str) -> str | None:
    """The origin as a browser would send it (RFC 6454 §6.2), or None if it is none."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in DEFAULT_PORTS or not HOST.fullmatch(host or ""):
        return None
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    if ":" in str(host):
        host = f"[{host}]"
    if port is None or port == DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def may_enter(origin: str | None, site: Allows, own: str | None) -> bool:
    """Whether a page of this origin may use the site's doors. A browser always says
    where it comes from when it writes or opens a socket; without a word, nobody
    enters. `null`, as sandboxed and local pages say, is never one of ours."""
    if origin is None or exact_origin(origin) != origin:
        return False
    return origin == own or site.allows(origin)


def own_origin(scheme: str, host: str) -> str | None:
    """This server's origin. `scheme` and `host` are the request's own words, which
    a client is free to invent, so PUBLIC_URL alone counts where it is set; `host`
    must have passed ALLOWED_HOSTS (else a name rebound to this machine's address
    would call itself ours)."""
    return exact_origin(settings.HELPDESK_PUBLIC_URL or f"{scheme}://{host}")


def own_origin_of(request: HttpRequest) -> str | None:
    return own_origin(request.scheme or "", request.get_host().lower())


def own_origin_of_scope(scope: Mapping[str, Any]) -> str | None:
    """The same for a socket's handshake, which Django's own check does not see."""
    hosts = [
        value.decode("latin1") for name, value in scope["headers"] if name == b"host"
    ]
    if len(hosts) != 1:
        return None
    domain, _ = split_domain_port(hosts[0])
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    scheme = "https" if scope.get("scheme") == "wss" else "http"  # daphne tells none
    return own_origin(scheme, hosts[0].lower())
