"""Daphne's sockets without what they do for every frame and nobody needs: together
about a third of the event loop's time under load (docs/performance.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import tcp


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """Autobahn's formats a coloured debug line for each piece of data, both ways,
    also when nobody logs."""

    maxMessagePayloadSize: int  # in bytes; 0 means any

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)

    def sendMessage(self, *args: Any, **options: Any) -> None:
        """The limit is for what clients say. Autobahn would hold us to it as well, and
        a welcome may be larger."""
        most, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(*args, **options)
        finally:
            self.maxMessagePayloadSize = most

    def sendData(self, data: bytes, sync: bool = False, chopsize: Any = None) -> None:
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)


class PromptTransport(tcp.Server):
    """Writes at the end of the loop's turn: all that the turn had for the socket, in
    one system call. Twisted's asks the loop to say when the socket takes data, which
    is another turn and two system calls more, though nearly every socket would have
    taken it; it does so here for what is left over."""

    _soon = False

    def startWriting(self) -> None:
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._write_now)

    def _write_now(self) -> None:
        self._soon = False
        if not self.connected:
            return
        # Whatever is wrong with the connection, or its end, is found again and told
        # to the protocol when the loop writes.
        lost = self.doWrite()  # type: ignore[no-untyped-call]
        if lost is not None or self.dataBuffer or self._tempDataBuffer:
            super().startWriting()  # type: ignore[no-untyped-call]
