"""A road that breaks as it is told to: otherwise faults would show nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from .proxy import Proxy

SOON_SECONDS = 0.2  # in which nothing arrives
PATIENCE_SECONDS = 10

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An echo."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(100):
            writer.write(data)
        writer.write(b"bye")
    writer.close()


class Road(Proxy):
    """Whose users are hung up on at the end."""

    users: list[asyncio.StreamWriter]

    async def line(self) -> Line:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        self.users.append(writer)
        return reader, writer


@pytest.fixture
async def road() -> AsyncIterator[Road]:
    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    road = Road(server.sockets[0].getsockname()[1])
    road.users = []
    await road.start()
    yield road
    for writer in road.users:
        writer.close()
    await road.close()
    server.close()
    await asyncio.sleep(0)


async def line(road: Road) -> Line:
    """One over which something has been said."""
    here = await road.line()
    assert await says(here) == b"hello"
    return here


async def says(line: Line, within: float = PATIENCE_SECONDS) -> bytes:
    """What comes back; "-" when nothing does."""
    reader, writer = line
    writer.write(b"hello")
    try:
        async with asyncio.timeout(within):
            return await reader.read(100)
    except TimeoutError:
        return b"-"


async def test_it_passes_on_both_ways_and_ends(road: Road) -> None:
    reader, writer = await line(road)
    writer.write_eof()
    assert await reader.read() == b"bye"


async def test_a_cut_connection_is_reset(road: Road) -> None:
    reader, _ = await line(road)
    assert road.cut() == 1
    with pytest.raises(ConnectionResetError):
        await reader.read(100)
    await line(road)


async def test_what_is_stalled_arrives_later(road: Road) -> None:
    here = await line(road)
    road.stall()
    assert await says(here, SOON_SECONDS) == b"-"
    road.mend()
    assert await says(here) in (b"hello", b"hellohello")


async def test_what_is_forgotten_never_arrives(road: Road) -> None:
    here = await line(road)
    road.forget()
    assert await says(here, SOON_SECONDS) == b"-"
    road.mend()
    assert await says(here, SOON_SECONDS) == b"-"
    await line(road)


async def test_while_it_is_unplugged_new_connections_lead_nowhere(road: Road) -> None:
    road.unplug()
    here = await road.line()
    assert await says(here, SOON_SECONDS) == b"-"
    road.mend()
    await line(road)


async def test_a_half_closed_connection_still_listens(road: Road) -> None:
    reader, writer = await line(road)
    road.half_close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await reader.read(100) == b""
    writer.write(b"still here")
    await writer.drain()


async def test_delay(road: Road) -> None:
    here = await line(road)
    road.delay = SOON_SECONDS
    began = asyncio.get_running_loop().time()
    assert await says(here) == b"hello"
    assert asyncio.get_running_loop().time() - began >= 2 * SOON_SECONDS


async def test_closed_means_refused(road: Road) -> None:
    road.closed = True
    reader, _ = await road.line()
    with pytest.raises(ConnectionResetError):
        await reader.read(100)
