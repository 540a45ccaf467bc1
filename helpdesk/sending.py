"""How what is said leaves: the ASGI server's `send`, and what only daphne can tell."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

Send = Callable[[dict[str, Any]], Awaitable[None]]


def daphnes(send: Send) -> Callable[[str], None] | None:
    """Daphne's `send` is a coroutine that never waits for anything: this is what it
    does, without the coroutine. None under another server."""
    daphne = sys.modules.get("daphne.server")  # to import it is to choose a loop
    owner = getattr(getattr(send, "func", None), "__self__", None)
    if daphne is None or not isinstance(owner, daphne.Server):
        return None
    protocol = cast(Any, send).args[0]

    def write(text: str) -> None:
        if protocol.state == protocol.STATE_OPEN:
            protocol.serverSend(text)

    return write


def buffer_of(send: Send) -> Callable[[], int]:
    """How many bytes wait in the server's transport. Daphne's `send` never waits, so
    only a look at its transport tells who does not read (a test guards this); other
    servers make `send` wait, and then the outbox grows instead."""
    arguments = getattr(send, "args", ())
    transport = getattr(arguments[0], "transport", None) if arguments else None
    if transport is None or not hasattr(transport, "_tempDataLen"):
        return lambda: 0
    return lambda: len(transport.dataBuffer) - transport.offset + transport._tempDataLen
