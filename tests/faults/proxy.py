"""A road that can be broken: TCP through this process to a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from random import Random

CHUNK = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER for no time: RST, not FIN


class Link:
    """One connection and its other half. `deaf`: bytes vanish, and nobody is told."""

    def __init__(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.near, self.far = near, far
        self.deaf = False

    def cut(self) -> None:
        for _, writer in (self.near, self.far):
            reset(writer)

    def half_close(self) -> None:
        """Say to the client that nothing more will come, and go on listening."""
        with contextlib.suppress(OSError, RuntimeError):
            self.near[1].write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, AttributeError):
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


class Proxy:
    """Listens on `port`. What it does is changed while it runs; `mend` undoes it."""

    host = "127.0.0.1"

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.otherwise: int | None = None  # a port, should nobody listen behind
        self.port = 0
        self.links: set[Link] = set()
        self.delay = 0.0  # seconds, of each piece of data
        self.closed = False  # new connections are refused
        self.deaf = False  # new connections lead nowhere, silently
        self._flows = asyncio.Event()
        self._flows.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    async def close(self) -> None:
        self._server.close()
        self.cut()

    # --- what can go wrong

    def cut(self, share: float = 1, rng: Random | None = None) -> int:
        """Reset this share of the connections; returns how many."""
        links = [each for each in self.links if not rng or rng.random() < share]
        for link in links:
            link.cut()
        return len(links)

    def half_close(self) -> None:
        for link in tuple(self.links):
            link.half_close()

    def forget(self) -> None:
        """Half open: from now on nothing that is sent on these connections arrives,
        and neither side hears of it. New ones work."""
        for link in self.links:
            link.deaf = True

    def stall(self) -> None:
        """Hold every byte until `mend`; new connections are taken and hang."""
        self._flows.clear()

    def unplug(self) -> None:
        """The network is down: what is sent vanishes, and connections hang."""
        self.forget()
        self.deaf = True

    def mend(self) -> None:
        self._flows.set()
        self.delay, self.closed, self.deaf = 0.0, False, False

    # --- passing on

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.closed:
            return reset(writer)
        try:
            far = await self._far()
        except OSError:
            return reset(writer)
        link = Link((reader, writer), far)
        link.deaf = self.deaf
        self.links.add(link)
        there = asyncio.create_task(self._pass_on(link, reader, far[1]))
        back = asyncio.create_task(self._pass_on(link, far[0], writer))
        try:
            await asyncio.wait({there, back})
        finally:
            there.cancel()
            back.cancel()
            self.links.discard(link)
            writer.transport.abort()
            far[1].transport.abort()

    async def _far(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(self.host, self.behind)
        except OSError:
            if self.otherwise is None:
                raise
            return await asyncio.open_connection(self.host, self.otherwise)

    async def _pass_on(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows.wait()
                if not link.deaf:
                    writer.write(data)
                    await writer.drain()
            if link.deaf:
                return  # its end does not arrive either
            writer.write_eof()
        except (OSError, RuntimeError):
            writer.transport.abort()
