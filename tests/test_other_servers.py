"""The application under other ASGI servers, as docs/operations.md starts them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpdesk.models import Connection
from tests.live import ServerProcess
from tests.shop import Shop, stored, told

PROGRAMS = str(Path(sys.executable).parent)
Start = Callable[[type[ServerProcess]], ServerProcess]


class OtherServer(ServerProcess):
    def command(self) -> list[str]:
        raise NotImplementedError

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command(), env=self.environment, stdout=output, stderr=output
            )


class Uvicorn(OtherServer):
    def command(self) -> list[str]:
        words = "--ws websockets-sansio --ws-max-size 65536"
        return [
            *(f"{PROGRAMS}/uvicorn", "helpdesk.asgi:application", *words.split()),
            *("--no-proxy-headers", "--no-access-log"),
            *("--host", self.host, "--port", str(self.port)),
        ]


class Granian(OtherServer):
    def command(self) -> list[str]:
        return [
            *(f"{PROGRAMS}/granian", "--interface", "asgi"),
            "helpdesk.asgi:application",
            *("--host", self.host, "--port", str(self.port)),
        ]

    def kill(self) -> None:
        """Its worker would outlive it."""
        self.stop()


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Start]:
    started: list[ServerProcess] = []

    def start(kind: type[ServerProcess]) -> ServerProcess:
        started.append(kind(tmp_path / "log"))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.mark.parametrize("kind", [Uvicorn, Granian])
async def test_a_talk_over_socket_and_long_poll(
    shop: Shop, start: Start, kind: type[ServerProcess]
) -> None:
    server = start(kind)
    ada = await shop.agent(shop.ada, at=server)
    cora = await shop.customer(at=server)
    ack = await cora.starts("Where is my parcel?")
    conversation = str(ack["conversation"]["id"])
    await cora.sees(state="active")
    assert (await ada.posts(conversation, "On its way"))["seq"] == 3
    await cora.hears_message("On its way")

    poll = shop.long_poll(cora.token, at=server)
    welcome = await poll.hello()
    assert welcome["conversation"]["id"] == conversation
    answer = await poll.says("message.post", text="Thank you")
    assert answer["type"] == "ack"
    await cora.hears_message("Thank you")
    await ada.hears_message("Thank you")
    texts = [text for _, text in await stored(told, conversation)]
    assert texts[0] == "Where is my parcel?"
    assert texts[-2:] == ["On its way", "Thank you"]


@pytest.mark.parametrize("kind", [Uvicorn, Granian])
async def test_it_ends_well_with_open_sockets_and_gives_up_its_leases(
    shop: Shop, start: Start, kind: type[ServerProcess]
) -> None:
    server = start(kind)
    ada = await shop.agent(shop.ada, at=server)
    cora = await shop.customer(at=server)
    ack = await cora.posts("Too early")
    assert ack["code"] == "not_started"
    assert await stored(Connection.objects.filter(person=shop.ada.pk).exists)
    # Uvicorn, done, ends by the very signal that it was sent.
    assert server.stop() in (0, -signal.SIGTERM), server.log.read_text()
    assert await ada.closed() in (1012, 1001, 1006)
    assert not await stored(Connection.objects.filter(person=shop.ada.pk).exists)
    assert "Traceback" not in server.log.read_text()
