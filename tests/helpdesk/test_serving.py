"""What the server does every second or two, for all connections, is what daphne does,
only without a look at each that rests."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import daphne.server
import pytest
from daphne.ws_protocol import WebSocketProtocol

from helpdesk import consumers, protocol, serving
from helpdesk.transport import Socket

DAY = 86_400


async def forever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise ValueError("in the application")


async def ends() -> None:
    return


async def looked_after(by: type[daphne.server.Server]) -> dict[str, Any]:
    """Who is still a connection then, and what became of their applications."""
    server = object.__new__(by)
    server.application_close_timeout = 5
    now = time.time()
    people: dict[str, dict[str, Any]] = {
        "rests": {"application_instance": asyncio.ensure_future(forever())},
        "has ended": {"application_instance": asyncio.ensure_future(ends())},
        "has failed": {"application_instance": asyncio.ensure_future(fails())},
        "left": {
            "application_instance": asyncio.ensure_future(ends()),
            "disconnected": now,
        },
        "lingers": {
            "application_instance": asyncio.ensure_future(forever()),
            "disconnected": now - 6,
        },
        "leaves": {
            "application_instance": asyncio.ensure_future(forever()),
            "disconnected": now - 4,
        },
        "asks again": {},
        "is gone": {"disconnected": now},
    }
    tasks = {who: of.get("application_instance") for who, of in people.items()}
    protocols = {who: Mock(name=who) for who in people}
    server.connections = {protocols[who]: of for who, of in people.items()}
    await asyncio.sleep(0)
    server.application_checker()
    await asyncio.sleep(0)
    left = {
        who: sorted(server.connections[each])
        for who, each in protocols.items()
        if each in server.connections
    }
    told = [who for who, each in protocols.items() if each.handle_exception.called]
    cancelled = [who for who, task in tasks.items() if task and task.cancelled()]
    for task in tasks.values():
        if task:
            task.cancel()
    return {"left": left, "told": told, "cancelled": cancelled}


async def test_connections_are_looked_after_as_daphne_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daphne.server, "reactor", Mock())
    ours = await looked_after(serving.Server)
    assert ours == await looked_after(daphne.server.Server)
    assert ours["told"] == ["has failed"]
    assert ours["cancelled"] == ["lingers"]
    assert set(ours["left"]) == {
        *("rests", "has ended", "has failed", "lingers", "leaves", "asks again")
    }


@pytest.mark.parametrize(
    ("state", "silent", "age", "done"),
    [
        ("STATE_OPEN", 24, 100, []),
        ("STATE_OPEN", 26, 100, ["_sendAutoPing"]),
        ("STATE_OPEN", 1, DAY + 1, ["serverClose"]),
        ("STATE_CONNECTING", 4, 4, []),
        ("STATE_CONNECTING", 6, 6, ["serverReject"]),
        ("STATE_CLOSED", 100, 100, []),
    ],
)
def test_each_socket_has_its_time(
    state: str, silent: float, age: float, done: list[str]
) -> None:
    for kind in (Socket, WebSocketProtocol):
        socket = object.__new__(kind)
        socket.state = getattr(kind, state)
        socket.server = SimpleNamespace(
            ping_interval=serving.PING_SECONDS,
            websocket_timeout=DAY,
            websocket_connect_timeout=5,
        )
        now = time.time()
        socket.last_ping, socket.socket_opened = now - silent, now - age
        acts = {
            name: Mock() for name in ("_sendAutoPing", "serverClose", "serverReject")
        }
        vars(socket).update(acts)
        socket.check_timeouts()
        assert [name for name, act in acts.items() if act.called] == done


def test_who_pings_as_the_contract_says_is_not_pinged() -> None:
    late = 2  # daphne looks every two seconds
    assert protocol.HEARTBEAT_SECONDS + late <= serving.PING_SECONDS
    assert serving.PING_SECONDS + serving.PONG_SECONDS < consumers.SILENT_SECONDS
