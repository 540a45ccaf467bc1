"""Which application a connection is for."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
)
from django.urls import URLPattern


class Routes:
    """Sockets by Django's patterns for their paths, all else to `http`.

    A plain call: Channels' routers are coroutines, which live as long as the socket
    and through which each of its frames is passed.
    """

    def __init__(self, *, http: ASGI3Application, sockets: Sequence[URLPattern]):
        self._http = http
        self._sockets = sockets

    def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> Awaitable[None]:
        if scope["type"] != "websocket":
            return self._http(scope, receive, send)
        path = scope["path"].removeprefix("/")
        for each in self._sockets:
            if found := each.resolve(path):
                route = {"args": found.args, "kwargs": found.kwargs}
                known = dict(scope) | {"url_route": route}
                application: Any = found.func
                answering: Awaitable[None] = application(known, receive, send)
                return answering
        raise LookupError("the last of the patterns should take every path")
