"""A bare ASGI application: the most that daphne can do in one process."""

from __future__ import annotations

from typing import Any

from .relay import answers, other

sends: dict[str, Any] = {}


async def application(scope: Any, receive: Any, send: Any) -> None:
    own, others = other(scope["path"])
    await receive()
    await send({"type": "websocket.accept"})
    sends[own] = send
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            break
        ack, told = answers(event["text"])
        await send({"type": "websocket.send", "text": ack.decode()})
        if to := sends.get(others):
            await to({"type": "websocket.send", "text": told.decode()})
    del sends[own]
