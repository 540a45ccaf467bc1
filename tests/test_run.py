"""Starting and ending a server, as a person does it at a terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import free_port, listens

# On one worker: the first start of an installation takes seconds.
pytestmark = pytest.mark.xdist_group("run")

SECONDS = 60
Start = Callable[..., "Started"]


class Started:
    """`python -m helpdesk …`, and everything it starts: found by its session."""

    def __init__(
        self,
        how: str,
        data: Path,
        log: Path,
        *,
        ignore_interrupt: bool = False,
        **environment: str,
    ) -> None:
        self.port = free_port()
        self.data = data
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "helpdesk", how],
                env={"PATH": os.environ["PATH"], "DATA": str(data)}
                | {"PORT": str(self.port)}
                | environment,
                stdout=output,
                stderr=output,
                preexec_fn=no_interrupt if ignore_interrupt else None,
            )

    def ready(self) -> Started:
        wait_for(lambda: "Helpdesk is ready" in self.said or self.ended)
        assert not self.ended, self.said
        return self

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def get(self, path: str, **headers: str) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def no_interrupt() -> None:
    """What sh does to a program that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def wait_for(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation that has run before."""
    folder = tmp_path_factory.mktemp("data")
    first = Started("run", folder, folder / "first.log")
    first.ready()
    first.end()
    return folder


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[Started] = []

    def start(how: str = "run", **more: Any) -> Started:
        server = Started(how, data, tmp_path / f"{len(started)}.log", **more)
        started.append(server)
        return server

    yield start
    for server in started:
        if not server.ended:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="module")
def demo(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """One that runs, for those who only look."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(data, folder, dirs_exist_ok=True)
    server = Started("run", folder, folder / "log").ready()
    yield server
    server.end()


def test_it_prints_where_to_go_and_who_may_log_in(demo: Started) -> None:
    for words in ("/demo/", "/agents/", "/admin/", "ada", "grace", "demo-pass-1"):
        assert words in demo.said


def test_it_answers(demo: Started) -> None:
    assert demo.get("/healthz") == 200
    assert demo.get("/readyz") == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_leaves_nothing_running(
    start: Start, number: signal.Signals
) -> None:
    server = start().ready()
    children = server.children()
    assert children
    assert server.end(number) == 0
    assert not [pid for pid in children if lives(pid)]
    assert not listens(server.port)


TOLD_AT_ONCE = """
import os, signal
from helpdesk import serving

async def nobody(*_): pass

def ready(port): os.kill(os.getpid(), signal.SIGTERM)

serving.run_until_told_to_leave(
    nobody, host="127.0.0.1", port=0, drain=nobody, on_ready=ready
)
"""


TOLD_BEFORE = """
import os, signal
from helpdesk import serving

async def nobody(*_): pass

class Server(serving.Server):
    def listening(self):
        super().listening()
        os.kill(os.getpid(), signal.SIGTERM)

serving.Server = Server
serving.run_until_told_to_leave(
    nobody, host="127.0.0.1", port=0, drain=nobody, on_ready=lambda port: None
)
"""


@pytest.mark.parametrize("program", [TOLD_AT_ONCE, TOLD_BEFORE])
def test_told_to_end_as_soon_as_it_listens_it_ends_well(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], timeout=SECONDS, check=True)


def test_ctrl_c_ends_it_in_the_background_too(start: Start) -> None:
    assert start(ignore_interrupt=True).ready().end(signal.SIGINT) == 0


def test_killed_it_leaves_nothing_running(start: Start) -> None:
    server = start().ready()
    children = server.children()
    server.end(signal.SIGKILL)
    wait_for(lambda: not any(map(lives, children)))


def test_told_to_end_while_it_starts_it_leaves_nothing_running(start: Start) -> None:
    server = start()
    wait_for(lambda: bool(server.children()))
    children = server.children()
    server.end()
    assert not [pid for pid in children if lives(pid)]


def test_a_second_server_on_the_same_data_gives_up(
    demo: Started, tmp_path: Path
) -> None:
    second = Started("run", demo.data, tmp_path / "log")
    assert second.process.wait(SECONDS) != 0
    assert "Another server uses" in second.said


def test_a_taken_port_is_said_to_be_taken(demo: Started, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "helpdesk", "run", "--port", str(demo.port)],
        env={"PATH": os.environ["PATH"], "DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert f"Port {demo.port} is in use" in answer.stderr


def test_the_demo_answers_only_this_machine(demo: Started) -> None:
    assert demo.get("/accounts/login/", Host="evil.example") == 403
    assert demo.get("/accounts/login/", **{"X-Forwarded-For": "192.0.2.7"}) == 403
    assert demo.get("/accounts/login/") == 200


def test_a_small_office_has_its_static_files_and_no_demo_page(
    start: Start, data: Path
) -> None:
    server = start("serve").ready()
    assert "demo" not in server.said.replace("demo-", "")
    assert server.get("/demo/") == 404
    hashed = next((data / "static").glob("admin/css/base.*.css"))
    assert server.get(f"/static/admin/css/{hashed.name}") == 200


@pytest.mark.parametrize("public", ["PUBLIC_URL=http://desk.office:8000", "HOST=::"])
def test_the_demo_s_passwords_do_not_go_public(start: Start, public: str) -> None:
    name, _, value = public.partition("=")
    server = start("serve", **{name: value})
    assert server.process.wait(SECONDS) != 0
    assert "still have the demo's password" in server.said
