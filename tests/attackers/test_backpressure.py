"""Who sends too much or reads too little pays for it, and nobody else does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from helpdesk import consumers, serving, transport
from helpdesk.tally import tally
from tests.attackers.memory import megabytes
from tests.attackers.wire import HOST, ORIGIN
from tests.helpdesk.test_consumers import deaf
from tests.live import ServerProcess
from tests.people import Person
from tests.shop import Shop, eventually

MIB = 1024 * 1024
Start = Callable[..., ServerProcess]


# --- floods of pings, which are WebSocket's own and no frames of the contract


async def pings(person: Person, count: int) -> None:
    for _ in range(count):
        try:
            await person.socket.ping(os.urandom(8))
        except ConnectionClosed:
            return


async def test_a_flood_of_pings_is_closed_with_4429(shop: Shop) -> None:
    cora, mallory = await shop.customer(), await shop.customer()
    await pings(mallory, 500)
    assert await mallory.closed() == consumers.TOO_FAST == transport.TOO_FAST
    await cora.heard_so_far()


async def test_who_is_slow_has_time_to_hear_why_they_are_closed(shop: Shop) -> None:
    """Dropped while still sending, they would find a broken connection and no code."""
    cora = await shop.customer()
    connection = shop.served(cora)._send.args[0]  # type: ignore[attr-defined]
    assert connection.closeHandshakeTimeout == serving.GOODBYE_SECONDS


async def test_a_ping_now_and_then_is_answered(shop: Shop) -> None:
    cora = await shop.customer()
    for _ in range(transport.PINGS_BURST):
        await (await cora.socket.ping())
    await cora.heard_so_far()


async def test_who_floods_with_pings_and_does_not_read_holds_nothing(
    shop: Shop,
) -> None:
    """Each ping is owed a pong, which would be kept for as long as nobody reads it."""
    mallory = await deaf(shop)
    link = shop.served(mallory)._send.args[0].transport  # type: ignore[attr-defined]
    frame = b"\x89\xfd\0\0\0\0" + bytes(125)  # a ping of 125 bytes, masked by nothing
    for _ in range(2_000):
        mallory.transport.write(frame * 20)
        await asyncio.sleep(0)
    await eventually(lambda: not link.connected)
    assert len(link.dataBuffer) + link._tempDataLen < MIB
    mallory.transport.abort()


# --- frames faster than they can be answered


async def test_a_flood_of_frames_is_closed_and_others_talk_on(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    mallory = await shop.customer()

    async def flood() -> None:
        with suppress(ConnectionClosed):
            for _ in range(5_000):
                await mallory.send('{"type":"ping"}')

    before = tally.closed[str(consumers.TOO_FAST)]
    await asyncio.gather(flood(), talk(cora, ada, here))
    # Who only talks may be hung up on before the code is read.
    assert await mallory.closed() in (consumers.TOO_FAST, CloseCode.ABNORMAL_CLOSURE)
    assert tally.closed[str(consumers.TOO_FAST)] == before + 1


async def talk(cora: Person, ada: Person, here: str) -> None:
    """Ten messages, each heard before the next one."""
    for _ in range(10):
        text = f"{time.monotonic()}"
        await ada.ask("message.post", conversation=here, text=text)
        await cora.hears("message.posted", where=lambda f: f["message"]["text"] == text)  # noqa: B023


async def test_beside_one_who_does_not_read_others_talk_on(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    mallory = await deaf(shop)
    served = shop.served(mallory)

    async def talk_at_her() -> None:
        for _ in range(1_000):
            served.say(b'{"type":"x","x":"%b"}' % (b"x" * 10_000))
            await asyncio.sleep(0)

    await asyncio.gather(shop.on_server(talk_at_her()), talk(cora, ada, here))
    await eventually(lambda: served._closed)
    mallory.transport.abort()


async def test_a_hello_that_drips_is_not_waited_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece arrives in time; the whole never does."""
    monkeypatch.setattr(consumers, "HELLO_SECONDS", 0.2)
    mallory = await shop.knocks()

    async def drips() -> Any:
        while True:
            yield " "
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(mallory.socket.send(drips()))
    assert await mallory.closed() == consumers.SILENT
    with pytest.raises(ConnectionClosed):
        await dripping


# --- bodies without an end


async def sends_without_end(port: int, head: bytes, piece: bytes, most: int) -> int:
    """How many bytes of a body the server took before it hung up."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    sent = 0
    try:
        while sent < most:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return sent


UPLOAD = b"POST /widget/shop/uploads/ HTTP/1.1\r\n" + HOST + b"\r\n" + ORIGIN + b"\r\n"


@pytest.mark.parametrize("path", [b"/widget/shop/uploads/", b"/nowhere", b"/agents/"])
async def test_a_body_without_an_end_is_cut_and_costs_no_memory(
    shop: Shop, server_process: Start, static_root: Path, path: bytes
) -> None:
    there = server_process()
    cora = await shop.customer(at=there)
    before = megabytes(there)
    chunked = UPLOAD.replace(b"/widget/shop/uploads/", path)
    chunked += b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = await sends_without_end(there.port, chunked, piece, 100 * MIB)
    assert sent < 20 * MIB  # what the limit lets through, and what is on its way
    announced = UPLOAD.replace(b"/widget/shop/uploads/", path)
    announced += b"Content-Length: 99999999999\r\n\r\n"
    sent = await sends_without_end(there.port, announced, bytes(MIB), 100 * MIB)
    assert sent < 10 * MIB
    assert megabytes(there) < before + 8
    await cora.heard_so_far()
