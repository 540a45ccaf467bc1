"""What the server does every second or two, for all connections, is what daphne does,
only without a look at each that rests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import daphne.server
import pytest
from daphne.ws_protocol import WebSocketProtocol

from helpdesk import consumers, protocol, serving
from helpdesk.serving import Mailbox
from helpdesk.transport import Socket

DAY = 86_400


async def forever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise ValueError("in the application")


async def ends() -> None:
    return


# Who there is: what their application does, and for how long they have been gone.
PEOPLE: dict[str, tuple[Callable[[], Awaitable[None]] | None, int | None]] = {
    "rests": (forever, None),
    "has ended": (ends, None),
    "has failed": (fails, None),
    "left": (ends, 0),
    "lingers": (forever, 6),
    "leaves": (forever, 4),
    "asks again": (None, None),
    "is gone": (None, 0),
}


MORE: dict[Any, dict[str, Any]] = {
    serving.Server: {"host": "127.0.0.1", "port": 0, "drain": ends},
    daphne.server.Server: {"endpoints": ["nowhere"]},
}


async def looked_after(by: type[daphne.server.Server]) -> dict[str, Any]:
    """Who is still a connection then, and what became of their applications."""
    server = by(lambda scope, receive, send: scope["acts"](), **MORE[by])
    server.application_close_timeout = 5
    server.connections = {}
    protocols = {who: Mock(name=who) for who in PEOPLE}
    for who, (acts, _) in PEOPLE.items():
        server.protocol_connected(protocols[who])
        if acts:
            server.create_application(protocols[who], {"type": "http", "acts": acts})
    tasks = {
        who: server.connections[each].get("application_instance")
        for who, each in protocols.items()
    }
    for who, (_, gone) in PEOPLE.items():
        if gone is not None:
            server.protocol_disconnected(protocols[who])
            server.connections[protocols[who]]["disconnected"] -= gone
    for _ in range(3):  # what ended is noted a turn later, what was cancelled as well
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        server.application_checker()
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
    monkeypatch.setattr(serving, "reactor", Mock())
    ours = await looked_after(serving.Server)
    assert ours == await looked_after(daphne.server.Server)
    assert ours["told"] == ["has failed"]
    assert ours["cancelled"] == ["lingers"]
    assert set(ours["left"]) == {
        *("rests", "has ended", "has failed", "leaves", "asks again")
    }


async def test_a_failure_that_cannot_be_answered_ends_its_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As daphne's cannot where an answer has begun."""
    monkeypatch.setattr(serving, "reactor", reactor := Mock())
    kind = serving.Server
    server = kind(lambda scope, receive, send: fails(), **MORE[kind])
    server.connections = {}
    begun, other = Mock(), Mock()
    begun.handle_exception.side_effect = ValueError
    for each in (begun, other):
        server.protocol_connected(each)
        server.create_application(each, {"type": "http"})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    server.application_checker()
    begun.transport.loseConnection.assert_called_once()
    other.handle_exception.assert_called_once()
    other.transport.loseConnection.assert_not_called()
    reactor.callLater.assert_called_once_with(1, server.application_checker)


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
    late = 2  # a ping on its way
    assert protocol.HEARTBEAT_SECONDS + late <= serving.PING_SECONDS
    assert serving.PING_SECONDS + serving.PONG_SECONDS < consumers.SILENT_SECONDS


async def test_a_mailbox_keeps_the_order_and_wakes_its_reader() -> None:
    mailbox = Mailbox()
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    assert mailbox.qsize() == 2
    assert [await mailbox.get(), await mailbox.get()] == [1, 2]
    reading = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait(3)
    mailbox.put_nowait(4)
    assert [await reading, await mailbox.get()] == [3, 4]
    assert mailbox.qsize() == 0


async def test_a_reader_that_gave_up_takes_nothing_along() -> None:
    mailbox = Mailbox()
    reading = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    mailbox.put_nowait(1)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await mailbox.get() == 1
