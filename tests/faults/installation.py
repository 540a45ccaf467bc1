"""A whole installation on loopback: PostgreSQL and Valkey as an operator runs them,
server processes of the product on them, and a road to each that can be broken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from tests.preloaded import Preloaded
from tests.services import PostgresServer, Server, ValkeyServer, free_port, listens

from . import ledger
from .proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
SECRET = "only-for-faults-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
EMPTY = "desk_empty"  # the database that each fault gets a copy of


class Services:
    """What faults share, one after the other."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="helpdesk-faults-"))
        self.postgres = PostgresServer()
        self.valkey = ValkeyServer()
        self._number = 0
        self.people = self.prepare(self.database(EMPTY, ""))

    def administer(self, words: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(words)  # type: ignore[call-overload]

    def database(self, name: str = "", options: str = f"TEMPLATE {EMPTY}") -> str:
        """The address of a fresh one."""
        self._number += 1
        name = name or f"desk_{self._number}"
        self.administer(f"CREATE DATABASE {name} {options}")
        return self.postgres.url.removesuffix("/postgres") + f"/{name}"

    def prepare(self, url: str) -> dict[str, Any]:
        """Tables, and who works there."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.people"],
            env=environment(url, self.valkey.url, self.folder),
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
        found: dict[str, Any] = msgspec.json.decode(done.stdout)
        return found

    def remove(self) -> None:
        for server in (self.valkey, self.postgres):
            server.kill()  # nobody needs their data any more
            server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def environment(database: str, valkey: str, data: Path) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH")
    }
    return inherited | {
        "DATABASE_URL": database,
        "REDIS_URL": valkey,
        "DATA": str(data),
        "DEBUG": "off",
        "SECRET_KEY": SECRET,
        "HOST": "127.0.0.1",
    }


class Process:
    """The product in a process of its own, on the port it was first given."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.log = log
        self.environment = {**environment}  # each is told other things besides
        self.module = "helpdesk"
        self.proxy = Proxy(self.port)

    def launch(self, **words: str) -> None:
        self.said = self.log.with_suffix(f".{len(list(self.log.parent.iterdir()))}.log")
        self.process = Preloaded(
            self.module,
            ["start", "--port", str(self.port)],
            self.said,
            self.environment | {"PUBLIC_URL": self.proxy.url} | words,
        )

    async def start(self, **words: str) -> None:
        self.launch(**words)
        await until(self.answers)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(self.said.read_text()[-4000:])
        return listens(self.port)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def stop(self) -> int:
        """Politely; its exit status."""
        self.signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 30)


class Installation:
    def __init__(
        self,
        services: Services,
        database: str,
        people: dict[str, Any],
        processes: int = 2,
    ) -> None:
        self.services = services
        self.database = database
        self.people = people
        self.folder = Path(tempfile.mkdtemp(dir=services.folder))
        self.disk: Any = None  # where a fault needs a small one
        self.ledger: ledger.Postgres | ledger.SQLite = (
            ledger.SQLite(database.removeprefix("sqlite:///"))
            if database.startswith("sqlite")
            else ledger.Postgres(database)
        )
        words = environment(database, services.valkey.url, self.folder)
        self.processes = [
            Process(self.folder / f"server-{number}", words)
            for number in range(processes)
        ]

    @property
    def postgres(self) -> PostgresServer:
        return self.services.postgres

    @property
    def valkey(self) -> ValkeyServer:
        return self.services.valkey

    @property
    def roads(self) -> list[Proxy]:
        return [process.proxy for process in self.processes]

    async def start(self) -> None:
        for process in self.processes:
            await process.proxy.start()
            process.launch()
        for process in self.processes:
            await until(process.answers)

    async def close(self) -> None:
        for process in self.processes:
            await process.proxy.close()
            if process.is_running:
                await process.kill()
        await self.ledger.close()

    async def restart(self, server: Server) -> None:
        """One of the services, without holding up this process's loop."""
        server.launch()
        await until_async(lambda: asyncio.to_thread(server.ready))


@contextlib.asynccontextmanager
async def installed(
    services: Services,
    *,
    bug: str = "",
    sql: Iterable[str] = (),
    database: str = "",
) -> AsyncIterator[Installation]:
    """Two processes on a database of their own; with a `bug`, patched (bugs.py)."""
    database = database or services.database()
    house = Installation(services, database, services.people)
    for process in house.processes:
        if bug:
            process.module = "tests.faults.launcher"
            process.environment["FAULTS_BUG"] = bug
            process.environment["FAULTS_STRIKE"] = str(process.log) + ".strike"
    try:
        assert isinstance(house.ledger, ledger.Postgres)
        await house.ledger.watch_leases()
        for words in sql:
            await house.ledger.query(words)
        await house.start()
        yield house
    finally:
        await house.close()


@contextlib.asynccontextmanager
async def installed_on_sqlite(services: Services) -> AsyncIterator[Installation]:
    """The small office: one process on a file."""
    url = f"sqlite:///{tempfile.mkdtemp(dir=services.folder)}/desk.sqlite3"
    people = await asyncio.to_thread(services.prepare, url)
    house = Installation(services, url, people, processes=1)
    try:
        await house.start()
        yield house
    finally:
        await house.close()


async def until(true: Callable[[], object], seconds: float = START_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (others tell us nothing)
            await asyncio.sleep(0.05)


async def until_async(
    true: Callable[[], Awaitable[object]], seconds: float = START_SECONDS
) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            found += family(int(child))
    return found
