"""What is written reaches the other side whole and in order, at once or later."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor

from helpdesk.transport import PromptTransport

Ends = tuple[PromptTransport, socket.socket, MemoryReactor]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Ours, the other side's, and the loop that ours would ask to wait."""
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
    loop = MemoryReactor()
    yield PromptTransport(here, Protocol(), ("", 0), None, 1, loop), there, loop
    here.close()
    there.close()


async def turn() -> None:
    await asyncio.sleep(0)


async def test_what_a_turn_writes_is_sent_when_it_ends(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(b"hel")
    transport.write(b"lo")
    await turn()
    assert there.recv(100) == b"hello"
    assert not loop.getWriters()


async def test_what_the_socket_does_not_take_follows_in_order(ends: Ends) -> None:
    transport, there, loop = ends
    pieces = [random.randbytes(random.randrange(1, 99_999)) for _ in range(100)]
    for piece in pieces:
        transport.write(piece)
        await turn()
    assert loop.getWriters() == [transport]
    read = bytearray()
    while len(read) < sum(map(len, pieces)):
        read += there.recv(1_000_000)
        transport.doWrite()
    assert bytes(read) == b"".join(pieces)
    assert not loop.getWriters()


async def test_it_waits_behind_what_waits(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(bytes(5_000_000))
    await turn()
    transport.write(b"last")
    assert transport.dataBuffer
    read = bytearray()
    while not read.endswith(b"last"):
        with suppress(BlockingIOError):
            read += there.recv(1_000_000)
        await turn()
        transport.doWrite()
    assert len(read) == 5_000_004


async def test_it_ends_when_all_is_written(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(b"bye")
    transport.loseConnection()
    await turn()
    assert there.recv(100) == b"bye"
    assert loop.getWriters() == [transport]  # which ends it
    assert transport.doWrite() is not None


async def test_a_lost_connection_is_found_by_the_loop(ends: Ends) -> None:
    transport, there, loop = ends
    there.close()
    transport.write(b"to nobody")
    await turn()
    assert loop.getWriters() == [transport]
    assert transport.doWrite() is not None


async def test_nothing_is_written_after_the_end(ends: Ends) -> None:
    transport, there, loop = ends
    transport.write(b"too late")
    transport.connected = False
    await turn()
    with pytest.raises(BlockingIOError):
        there.recv(100)
