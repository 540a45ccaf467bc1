"""What is written reaches the other side whole and in order, at once or later."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Any

import pytest
from daphne.ws_protocol import WebSocketFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor, StringTransport

from helpdesk.transport import PromptTransport, Socket, text_at, unmasked

Ends = tuple[PromptTransport, socket.socket, MemoryReactor]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """Ours, the other side's, and the loop that ours would ask to wait."""
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
    loop = MemoryReactor()
    yield PromptTransport(here, Protocol(), ("", 0), None, 1, loop), there, loop
    asyncio.get_running_loop().remove_reader(here)
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


# --- frames


class Autobahns(Socket):
    """Without our shortcut."""

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)


def opened(kind: type[Socket]) -> Socket:
    """A connection past its handshake."""
    factory = WebSocketFactory(None)
    factory.setProtocolOptions(maxMessagePayloadSize=MOST, failByDrop=False)
    socket = kind()
    socket.factory = factory
    socket.application_queue = asyncio.Queue()
    socket.muted, socket.websocket_version = False, 13
    socket.client_addr = socket.path = ""
    transport = StringTransport()
    transport.registerProducer(socket, streaming=True)
    socket.makeConnection(transport)
    socket.state = socket.STATE_OPEN
    socket.inside_message, socket.current_frame = False, None
    return socket


def heard(kind: type[Socket], pieces: list[bytes]) -> tuple[list[Any], bytes, Any]:
    """What the application is told, what the client is, and how the socket stands."""
    socket = opened(kind)
    for piece in pieces:
        socket.dataReceived(piece)
    queue = socket.application_queue
    told = [queue.get_nowait() for _ in range(queue.qsize())]
    return told, socket.transport.value(), socket.state


MOST = 70_000
kinds = st.sampled_from([0x81, 0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0xC1])
payloads = st.one_of(
    st.text(max_size=200).map(str.encode),
    st.binary(max_size=300),
    st.sampled_from([125, 126, 127, 65_535, 65_536, MOST, MOST + 1]).map(bytes),
)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """As clients send them, and as they should not."""
    payload, mask = draw(payloads), draw(st.binary(min_size=4, max_size=4))
    length = len(payload)
    widths = [0] if length < 126 else []
    widths += [2] if length < 65_536 else []
    width = draw(st.sampled_from([*widths[:1], *widths, 8]))
    short = length if not width else {2: 126, 8: 127}[width]
    is_masked = draw(st.integers(0, 9)) > 0
    head = bytes((draw(kinds), short | (0x80 if is_masked else 0)))
    head += length.to_bytes(width) if width else b""
    return head + (mask + unmasked(mask, payload) if is_masked else payload)


@given(st.lists(frames(), min_size=1, max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_the_shortcut_hears_what_autobahn_does(
    said: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(said)
    between = st.sampled_from(list(accumulate(map(len, said))))
    anywhere = st.integers(0, len(stream))
    cuts = data.draw(st.lists(between | anywhere, max_size=6).map(sorted))
    pieces = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    assert heard(Socket, pieces) == heard(Autobahns, pieces)


WHOLE = b"\x81\x82abcd" + unmasked(b"abcd", b"hi")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\x81" + bytes((0x80 | len(WHOLE),)) + b"mask", WHOLE],  # is the payload
        [b"\x89" + bytes((0x80 | len(WHOLE),)) + b"mask", WHOLE],  # is a ping's
        [b"\x81", b"\x81\x80\x00\x00\x00e"],  # is the rest of the head, and a letter
        [b"\x01\x81mask" + b"m", WHOLE],  # comes within another text
    ],
)
def test_what_looks_like_a_text_and_is_none(pieces: list[bytes]) -> None:
    assert text_at(pieces[-1], 0)
    assert heard(Socket, pieces) == heard(Autobahns, pieces)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_what_we_say_is_framed_as_autobahn_does(length: int) -> None:
    text = "é" * (length // 2) + "e" * (length % 2)
    ours, theirs = opened(Socket), opened(Socket)
    ours.serverSend(text)
    theirs.sendMessage(text.encode())
    assert ours.transport.value() == theirs.transport.value()


def test_a_whole_text_takes_the_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nothing above would be compared."""
    monkeypatch.setattr(Socket, "_dataReceived", None)
    told, _, _ = heard(Socket, [WHOLE + WHOLE])
    assert [event["text"] for event in told] == ["hi", "hi"]
