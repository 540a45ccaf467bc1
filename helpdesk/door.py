"""The door: what a request claims about itself is believed here or not at all."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from ipaddress import ip_address
from typing import Any

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
)

from . import log

logger = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

FORWARDING = frozenset(
    (
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
    )
)
# Balancers and Prometheus ask by whatever name or number they know this process by.
# Nothing in these answers hangs on it, and Django would refuse it.
FOR_MACHINES = frozenset(("/healthz", "/readyz", "/metrics"))
LOOPBACK_NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))


class Door:
    """Every connection passes here first.

    `proxies` is how many reverse proxies stand in front. Each adds one entry to
    X-Forwarded-For, so the client's address is that many from the right; what a
    client wrote there itself is further to the left and never read.

    `loopback_only` is for the demo, whose passwords are printed in its manual, and
    for servers without limits: it refuses every name but this machine's own (a page
    elsewhere may point its own name here) and everything that a proxy forwards.
    """

    def __init__(
        self, application: ASGI3Application, *, proxies: int, loopback_only: bool
    ) -> None:
        self.application = application
        self.proxies = proxies
        self.loopback_only = loopback_only

    def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> Awaitable[None]:
        """No coroutine of its own, which would live as long as a socket."""
        if scope["type"] not in ("http", "websocket"):
            raise NotImplementedError(scope["type"])
        log.begin()
        known: dict[str, Any] = dict(scope)
        headers: Headers = list(scope["headers"])
        if self.loopback_only and not from_here(headers, known.get("client")):
            return refuse(known["type"], send)
        # Daphne believes this header from anybody and puts it before every redirect.
        # It drops the header itself and leaves its value in root_path.
        known["root_path"] = ""
        known["headers"] = [h for h in headers if h[0] != b"daphne-root-path"]
        if known.get("path") in FOR_MACHINES:
            known["headers"] = with_own_host(known["headers"])
        if self.proxies:
            believe_proxies(known, headers, self.proxies)
        return self.application(known, receive, send)  # type: ignore[arg-type]


def from_here(headers: Headers, client: Iterable[Any] | None) -> bool:
    """This machine speaks to itself, by one of its own names, with nobody between."""
    names = [name for name, _ in headers]
    hosts = [value.decode("latin1") for name, value in headers if name == b"host"]
    return (
        not FORWARDING.intersection(names)
        and len(hosts) == 1
        and host_name(hosts[0]) in LOOPBACK_NAMES
        and is_loopback(client)
    )


def host_name(host: str) -> str:
    """Without the port: `[::1]:8000` is `[::1]`."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def is_loopback(client: Iterable[Any] | None) -> bool:
    if client is None:  # a Unix socket: whoever may open it is on this machine
        return True
    address = str(next(iter(client), ""))
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def with_own_host(headers: Headers) -> Headers:
    return [*(h for h in headers if h[0] != b"host"), (b"host", b"localhost")]


def believe_proxies(known: dict[str, Any], headers: Headers, proxies: int) -> None:
    """Put the client's own address and scheme in place of the nearest proxy's."""
    hops = entries(headers, b"x-forwarded-for")
    if len(hops) >= proxies:
        known["client"] = (hops[-proxies], 0)
    schemes = entries(headers, b"x-forwarded-proto")
    if schemes and schemes[-1] == "https":
        known["scheme"] = "wss" if known["type"] == "websocket" else "https"


def entries(headers: Headers, name: bytes) -> list[str]:
    """The entries of a list header, however many lines it came in."""
    lines = [value.decode("latin1") for key, value in headers if key == name]
    return [entry.strip() for entry in ",".join(lines).split(",") if entry.strip()]


async def nowhere(
    scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """For sockets to addresses that are none; Channels would raise for a stranger."""
    logger.info("handshake refused: there is no %s", dict(scope).get("path"))
    await refuse(scope["type"], send)


async def refuse(kind: str, send: ASGISendCallable) -> None:
    if kind == "websocket":
        # Before it is accepted, closing answers the handshake with 403.
        await send({"type": "websocket.close", "code": 4403, "reason": None})
        return
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
            "trailers": False,
        }
    )
    text = b"This is a demo: it answers only this machine, and no proxy.\n"
    await send({"type": "http.response.body", "body": text, "more_body": False})
