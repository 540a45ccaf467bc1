"""Real servers for tests: in a thread of this process, or processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.db import connection
from whitenoise.base import WhiteNoise

from helpdesk import database, serving, static
from tests.preloaded import Preloaded, managed
from tests.services import free_port, listens

T = TypeVar("T")
START_SECONDS = 20


class LiveServer:
    """The product, served from a thread. A process has one reactor, so there is one
    of these a run; `leave_nothing` puts it back between two tests."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        from helpdesk.asgi import application

        self.ready = threading.Event()
        self.failed: BaseException | None = None
        self.application = StaticFiles(application)
        self.thread = threading.Thread(target=self._run, name="server", daemon=True)
        self.thread.start()
        if not self.ready.wait(START_SECONDS):
            raise RuntimeError("The server did not start.") from self.failed

    def _run(self) -> None:
        try:
            server = serving.Server(
                self.application,
                host=self.host,
                port=0,
                drain=nobody_left,
                on_ready=self._is_ready,
            )
            self.server = server
            server.run()
        except BaseException as error:
            self.failed = error
            raise

    def _is_ready(self, port: int) -> None:
        self.port = port
        self.loop = serving.reactor._asyncioEventloop
        self.ready.set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    @property
    def elsewhere(self) -> str:
        """The same server by its other name: another site, for a browser."""
        return f"http://localhost:{self.port}"

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_SECONDS)

    def leave_nothing(self) -> None:
        """Close every socket and forget everybody: the tables will be emptied."""
        self.do(self._leave_nothing())

    async def _leave_nothing(self) -> None:
        """A socket is off the desk before its application has written that it left;
        what is written then would meet the emptying of the tables in a deadlock."""
        from helpdesk import consumers

        with mock.patch.object(database, "close_all", settle):
            await consumers.drain()
            kept = [each.get("application_instance") for each in self._connections()]
            if leaving := [task for task in kept if task and not task.done()]:
                await asyncio.wait(leaving, timeout=START_SECONDS)
                await consumers.drain()

    def _connections(self) -> list[dict[str, Any]]:
        """Daphne's, each with the task that serves it."""
        return list(self.server.connections.values())

    def stop(self) -> None:
        serving.reactor.callFromThread(serving.reactor.stop)
        self.thread.join(START_SECONDS)


class StaticFiles(static.StaticFiles):
    """As production serves them, but under plain names and from where they lie:
    Django's own would look for each file anew, and a dashboard has sixty."""

    def __init__(self, application: Any) -> None:
        self.application = application
        known = WhiteNoise(None, max_age=3600)  # longer than a run
        for finder in get_finders():
            for path, storage in finder.list(None):
                url = f"{settings.STATIC_URL}{path}"
                known.add_file_to_dictionary(url, storage.path(path))
        self.files = known.files


def settle() -> None:
    """Wait for what the pools were given, but keep them and their connections: a test
    in which every thread connects anew costs PostgreSQL twice as much."""
    for cached in (database.read_executor, database.write_executor):
        if cached.cache_info().currsize:
            database._on_each_thread(cached(), lambda: None)


async def nobody_left() -> None:
    """The test has closed its sockets itself."""


class ServerProcess:
    """The product in an operating-system process of its own, on this test's database,
    as an operator would start it: DEBUG off, no limits lifted."""

    host = "127.0.0.1"

    def __init__(self, log: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = log
        self.environment = {
            **os.environ,
            "DATABASE_URL": url_of_test_database(),
            "DEBUG": "off",
            "PUBLIC_URL": self.url,
            "PORT": str(self.port),
            **environment,
        }
        self.environment.pop("PYTEST_XDIST_WORKER", None)
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    def launch(self) -> subprocess.Popen[bytes] | Preloaded:
        return Preloaded("helpdesk", ["start"], self.log, self.environment)

    def start(self) -> None:
        self.process = self.launch()
        for _ in range(START_SECONDS * 20):
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            if listens(self.port):
                return
            threading.Event().wait(0.05)
        self.kill()
        raise RuntimeError(f"It does not listen.\n{self.log.read_text()}")

    def stop(self) -> int:
        """Politely; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def collect_static(root: Path) -> None:
    environment = {**os.environ, "DEBUG": "off", "STATIC_ROOT": str(root)}
    words = ("collectstatic", "--noinput", "-v", "0")
    managed(root.parent, environment, *words).check_returncode()


def url_of_test_database() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return (
        f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}"
        f"/{database['NAME']}"
    )
