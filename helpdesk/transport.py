"""Daphne's sockets without what they do for every frame and nobody needs: together
about a third of the event loop's time under load (docs/performance.md)."""

from __future__ import annotations

from typing import Any

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import tcp


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """Autobahn's formats a coloured debug line for each piece of data, both ways,
    also when nobody logs."""

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)

    def sendData(self, data: bytes, sync: bool = False, chopsize: Any = None) -> None:
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)


class EagerTransport(tcp.Server):
    """Offers data to the kernel at once. Twisted's waits for the loop to say that the
    socket takes some, which is a turn and two system calls for each frame, though
    nearly every socket would have taken it."""

    def write(self, data: bytes) -> None:
        if self.TLS or not self.connected or self._writeDisconnected:
            super().write(data)  # type: ignore[no-untyped-call]
            return
        if not self.dataBuffer and not self._tempDataBuffer:
            data = data[self._offer(data) :]
        if data:
            super().write(data)  # type: ignore[no-untyped-call]

    def _offer(self, data: bytes) -> int:
        """How much of it the kernel took. Whatever is wrong with the connection will
        be found, and told to the protocol, when the loop writes the rest."""
        try:
            return self.socket.send(data)
        except OSError:
            return 0
