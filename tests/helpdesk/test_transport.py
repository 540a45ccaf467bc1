"""What is written reaches the other side whole and in order, at once or later."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor

from helpdesk.transport import EagerTransport

Ends = tuple[EagerTransport, socket.socket, MemoryReactor]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Ours, the other side's, and the loop that ours would ask to wait."""
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
    loop = MemoryReactor()
    yield EagerTransport(here, Protocol(), ("", 0), None, 1, loop), there, loop
    here.close()
    there.close()


def test_it_is_sent_at_once(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(b"hello")
    assert there.recv(100) == b"hello"
    assert not loop.getWriters()


def test_what_the_socket_does_not_take_follows_in_order(ends: Ends) -> None:
    transport, there, loop = ends
    pieces = [random.randbytes(random.randrange(1, 99_999)) for _ in range(100)]
    for piece in pieces:
        transport.write(piece)
    assert loop.getWriters() == [transport]
    read = bytearray()
    while len(read) < sum(map(len, pieces)):
        read += there.recv(1_000_000)
        transport.doWrite()
    assert bytes(read) == b"".join(pieces)
    assert not loop.getWriters()


def test_it_waits_behind_what_waits(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(bytes(5_000_000))
    empty(there)
    transport.write(b"last")  # the socket would take it now
    with pytest.raises(BlockingIOError):
        there.recv(100)
    assert loop.getWriters() == [transport]


def empty(end: socket.socket) -> None:
    with suppress(BlockingIOError):
        while end.recv(1_000_000):
            pass


def test_a_lost_connection_is_found_by_the_loop(ends: Ends) -> None:
    transport, there, loop = ends
    there.close()
    transport.write(b"to nobody")
    assert transport.doWrite() is not None


def test_nothing_is_written_after_the_end(ends: Ends) -> None:
    transport, there, loop = ends
    transport.connected = False
    transport.write(b"too late")
    with pytest.raises(BlockingIOError):
        there.recv(100)
