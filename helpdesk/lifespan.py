"""The end of a process, for servers that tell of it. Our own (serving.py) does without:
it says goodbye to every socket first, for which the protocol below has no word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
)


class Lifespan:
    """Drains when the server, having closed its connections, ends."""

    def __init__(
        self, application: ASGI3Application, drain: Callable[[], Awaitable[None]]
    ) -> None:
        self.application = application
        self.drain = drain

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "lifespan":
            await self.application(scope, receive, send)
            return
        await receive()  # lifespan.startup: the machinery starts when first used
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self.drain()
        await send({"type": "lifespan.shutdown.complete"})
