"""Python programs that start in a third of the time: each is forked from a process
that has imported the libraries but nothing of the product, and then runs as `python -m`
does, with an environment and an output of its own.

How a program starts and ends by itself is not asked of these: see test_run.py.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

# Whatever takes long and asks neither for settings nor for Twisted's reactor, which
# holds files that a fork must not share.
LIBRARIES = [
    "asyncio",
    "uvloop",
    "autobahn.twisted.websocket",
    "twisted.web.http",
    "twisted.web.server",
    "twisted.internet.asyncioreactor",
    "django.core.asgi",
    "django.core.management",
    "django.contrib.admin.sites",
    "django.db.backends.postgresql.base",
    "psycopg_pool",
    "redis.asyncio",
    "channels.routing",
    "channels.db",
    "channels_redis.pubsub",
    "PIL.Image",
    "msgspec",
    "prometheus_client",
    "whitenoise.base",
]


class Preloaded:
    """`python -m module *words`, with as much of Popen as tests ask for."""

    def __init__(
        self, module: str, words: list[str], log: Path, environment: dict[str, str]
    ) -> None:
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(LIBRARIES)
        self._process = forks.Process(
            target=run, args=(module, words, log, environment)
        )
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        self._process.join(seconds)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, seconds or 0)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def managed(
    folder: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """`manage.py words`, to its end. What it says is all in `stdout`, in order."""
    log = folder / "managed.log"
    log.unlink(missing_ok=True)
    status = Preloaded("manage", [*words], log, environment).wait()
    return subprocess.CompletedProcess([*words], status, log.read_text(), "")


def run(module: str, words: list[str], log: Path, environment: dict[str, str]) -> None:
    """In the new process."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
