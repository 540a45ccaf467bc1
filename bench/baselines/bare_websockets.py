"""No framework at all: the `websockets` library on uvloop."""

from __future__ import annotations

import asyncio
import os

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from .relay import answers, other

sockets: dict[str, ServerConnection] = {}


async def relay(socket: ServerConnection) -> None:
    assert socket.request
    own, others = other(socket.request.path)
    sockets[own] = socket
    async for text in socket:
        ack, told = answers(text)
        await socket.send(ack, text=True)
        if to := sockets.get(others):
            await to.send(told, text=True)
    del sockets[own]


async def main() -> None:
    port = int(os.environ["PORT"])
    async with serve(relay, "127.0.0.1", port, compression=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
