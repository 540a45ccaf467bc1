"""What a request may claim about itself."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from helpdesk.door import Door

CLIENT = ("127.0.0.1", 50000)


class Knock:
    """One request that comes to the door; `seen` is what the application got."""

    def __init__(self, kind: str = "http", **headers: str) -> None:
        self.seen: dict[str, Any] | None = None
        self.sent: list[dict[str, Any]] = []
        self.scope: dict[str, Any] = {
            "type": kind,
            "scheme": {"http": "http", "websocket": "ws"}[kind],
            "client": CLIENT,
            "root_path": "",
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
        }

    def at(self, *, proxies: int = 0, loopback_only: bool = False) -> Knock:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            self.seen = scope

        async def send(message: Any) -> None:
            self.sent.append(message)

        door: Any = Door(application, proxies=proxies, loopback_only=loopback_only)
        # In a context of its own, as a server's task: what is logged later is not its.
        contextvars.Context().run(
            lambda: asyncio.run(door(self.scope, None, send)),
        )
        return self

    @property
    def client(self) -> str:
        assert self.seen is not None
        return str(self.seen["client"][0])


class TestWithoutAProxy:
    def test_nobody_says_where_they_come_from(self) -> None:
        assert Knock(x_forwarded_for="203.0.113.9").at().client == "127.0.0.1"

    def test_nobody_says_that_they_came_encrypted(self) -> None:
        knock = Knock(x_forwarded_proto="https").at()
        assert knock.seen
        assert knock.seen["scheme"] == "http"

    def test_nobody_moves_the_application(self) -> None:
        """Daphne takes root_path from this header, whoever sends it."""
        knock = Knock(daphne_root_path="//evil.example")
        knock.scope["root_path"] = "//evil.example"
        knock.at()
        assert knock.seen
        assert knock.seen["root_path"] == ""
        assert knock.seen["headers"] == []


class TestBehindProxies:
    def test_the_nearest_proxy_says_who_came(self) -> None:
        assert (
            Knock(x_forwarded_for="203.0.113.9").at(proxies=1).client == "203.0.113.9"
        )

    def test_what_the_client_wrote_itself_is_not_read(self) -> None:
        knock = Knock(x_forwarded_for="10.0.0.1, 203.0.113.9").at(proxies=1)
        assert knock.client == "203.0.113.9"

    def test_two_proxies_say_it_together(self) -> None:
        knock = Knock(x_forwarded_for="10.0.0.1, 203.0.113.9, 192.0.2.7").at(proxies=2)
        assert knock.client == "203.0.113.9"

    def test_too_few_entries_leave_the_proxy(self) -> None:
        assert Knock(x_forwarded_for="203.0.113.9").at(proxies=2).client == "127.0.0.1"

    @pytest.mark.parametrize(
        ("kind", "scheme"), [("http", "https"), ("websocket", "wss")]
    )
    def test_it_says_that_they_came_encrypted(self, kind: str, scheme: str) -> None:
        knock = Knock(kind, x_forwarded_proto="https").at(proxies=1)
        assert knock.seen
        assert knock.seen["scheme"] == scheme


class TestOnLoopbackOnly:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "[::1]"]
    )
    def test_this_machine_comes_in(self, host: str) -> None:
        assert Knock(host=host).at(loopback_only=True).seen

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8000",
            "",
            "::",
        ],
    )
    def test_another_name_does_not(self, host: str) -> None:
        assert not Knock(host=host).at(loopback_only=True).seen

    def test_no_name_does_not(self) -> None:
        assert not Knock().at(loopback_only=True).seen

    @pytest.mark.parametrize(
        "header",
        [
            "x_forwarded_for",
            "x_forwarded_host",
            "x_forwarded_proto",
            "forwarded",
            "via",
        ],
    )
    def test_what_a_proxy_forwards_does_not(self, header: str) -> None:
        knock = Knock(host="localhost", **{header: "127.0.0.1"})
        assert not knock.at(loopback_only=True).seen

    def test_another_machine_does_not(self) -> None:
        knock = Knock(host="localhost")
        knock.scope["client"] = ("192.0.2.7", 50000)
        assert not knock.at(loopback_only=True).seen

    def test_it_answers_403(self) -> None:
        knock = Knock(host="evil.example").at(loopback_only=True)
        assert knock.sent[0]["status"] == 403

    def test_it_refuses_a_handshake(self) -> None:
        knock = Knock("websocket", host="evil.example").at(loopback_only=True)
        assert knock.sent[0]["type"] == "websocket.close"


class TestByMachines:
    """A balancer knows a process by a number, Prometheus by a container's name."""

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_they_may_ask_by_any_name(self, path: str) -> None:
        knock = Knock(host="web-1:8000")
        knock.scope["path"] = path
        seen = knock.at().seen
        assert seen
        assert seen["headers"] == [(b"host", b"localhost")]

    def test_for_anything_else_a_name_stays_as_it_came(self) -> None:
        knock = Knock(host="evil.example")
        knock.scope["path"] = "/accounts/login/"
        seen = knock.at().seen
        assert seen
        assert seen["headers"] == [(b"host", b"evil.example")]

    def test_a_demo_is_asked_by_its_own_names_all_the_same(self) -> None:
        knock = Knock(host="evil.example")
        knock.scope["path"] = "/healthz"
        assert knock.at(loopback_only=True).seen is None
