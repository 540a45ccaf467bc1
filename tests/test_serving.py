"""What the server itself promises of the contract: too much at once, and goodbye."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live import LiveServer, ServerProcess
from tests.shop import Address, stored

KIB64 = 64 * 1024
Start = Callable[..., ServerProcess]


def add_site() -> None:
    apps.get_model("customers", "Site").objects.create(key="shop", name="Shop")


@pytest.fixture
async def here(server: LiveServer) -> LiveServer:
    await stored(add_site)
    return server


@pytest.fixture
def process(server_process: Start) -> ServerProcess:
    add_site()
    return server_process()


def socket_of(server: Address) -> Any:
    url = f"{server.ws_url}/ws/customer/shop/"
    return connect(url, origin=server.url, proxy=None)  # type: ignore[arg-type]


def hello(size: int) -> str:
    """A hello of that many bytes."""
    frame = json.dumps({"type": "hello", "locale": ""})
    return frame.replace('""', '"' + "x" * (size - len(frame)) + '"')


async def test_a_text_of_64_kib_is_read(here: LiveServer) -> None:
    async with socket_of(here) as socket:
        await socket.send(hello(KIB64))
        assert json.loads(await socket.recv())["type"] == "welcome"


async def test_a_longer_one_closes_with_1009(here: LiveServer) -> None:
    async with socket_of(here) as socket:
        await socket.send(hello(KIB64 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


async def test_another_socket_is_not_harmed(here: LiveServer) -> None:
    async with socket_of(here) as cora, socket_of(here) as mallory:
        await mallory.send(hello(KIB64 * 10))
        with pytest.raises(ConnectionClosed):
            await mallory.recv()
        await cora.send(hello(100))
        assert json.loads(await cora.recv())["type"] == "welcome"


async def test_before_it_ends_it_says_goodbye(process: ServerProcess) -> None:
    async with socket_of(process) as socket:
        await socket.send(hello(100))
        await socket.recv()
        process.process.send_signal(signal.SIGTERM)
        bye = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert bye["type"] == "bye"
    assert bye["retry_ms"] > 0
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4012


async def test_it_ends_well_with_open_sockets(process: ServerProcess) -> None:
    async with socket_of(process):
        assert process.stop() == 0


def test_it_ends_well_unused(process: ServerProcess) -> None:
    assert process.stop() == 0
