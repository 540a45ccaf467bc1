"""Starting a server:

    python -m helpdesk run      a demo on this machine: `make run`
    python -m helpdesk serve    a small office on one machine: `make serve`
    python -m helpdesk start    everything given by the environment: containers

`run` and `serve` bring what the environment does not name: a SQLite database, a
private Valkey, a secret. docs/operations.md has the words of the environment.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from . import serving  # before Django loads daphne: it chooses the loop
from .embedded import Valkey
from .secrets import kept_secret

ROOT = Path(__file__).resolve().parent.parent
STOP_AGAIN_SECONDS = 5
# Python's own thresholds look for garbage several times a batch of messages, which
# leaves next to none.
GARBAGE = (20_000, 20, 50)
# Whoever waits for their turn to run Python, while the event loop talks to thousands of
# sockets: at Python's own 5 ms, a thread that writes to SQLite mostly got it only when
# the loop had nothing left to do.
TURN_SECONDS = 0.0001


def main() -> None:
    words = arguments()
    # What is loaded stays: to look through it for what may go takes a tenth of a start.
    gc.disable()
    # From here until the server takes over, so that what was started is stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_starting)
    if words.how == "start":
        serve(words.host, words.port)
        return
    data = Path(os.environ.get("DATA") or ROOT / "data").absolute()
    prepare(words.how, data, words.port)
    with only_server(data), channel_server():
        import django

        django.setup()
        from . import first_start

        first_start.prepare(words.how, words.host, words.port)
        log_ins = first_start.log_ins(words.how)
        serve(words.host, words.port, lambda port: say(words.how, port, data, log_ins))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpdesk")
    parser.add_argument("how", choices=("run", "serve", "start"))
    env = os.environ.get
    parser.add_argument("--host", default=env("HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=int(env("PORT") or 8000))
    words = parser.parse_args()
    if not serving.is_free(words.host, words.port):
        sys.exit(
            f"Port {words.port} is in use. Try another: "
            f"make {words.how} PORT={words.port + 1}"
        )
    return words


def stop_starting(number: int, frame: FrameType | None) -> None:
    # An exception that meets a destructor or a callback of an import is swallowed
    # there: then once more.
    signal.signal(signal.SIGALRM, lambda *_: stop_starting(number, frame))
    signal.alarm(STOP_AGAIN_SECONDS)
    sys.exit(128 + number)


def prepare(how: str, data: Path, port: int) -> None:
    """Fill in what the environment does not say."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["DATA"] = str(data)
    os.environ["DEMO"] = "on" if how == "run" else "off"
    os.environ.setdefault("DEBUG", "on" if how == "run" else "off")
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    if not os.environ.get("SECRET_KEY"):
        kept_secret(data, create=True)


@contextmanager
def only_server(data: Path) -> Iterator[None]:
    """Two with a Valkey each would not hear each other: the second one gives up."""
    import fcntl

    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another server uses {data}. Give this one its own: DATA=dir")
        yield


@contextmanager
def channel_server() -> Iterator[None]:
    if os.environ.get("REDIS_URL"):
        yield
        return
    valkey = Valkey()
    os.environ["REDIS_URL"] = valkey.url
    try:
        yield
    finally:
        valkey.stop()


def serve(host: str, port: int, on_ready: Any = lambda port: None) -> None:
    from django.conf import settings
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
    from django.core.exceptions import ImproperlyConfigured

    try:
        from .asgi import application
    except ImproperlyConfigured as error:
        sys.exit(f"Not started. {error}")
    from .consumers import drain

    served: Any = application
    if settings.DEBUG:
        served = ASGIStaticFilesHandler(served)
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()
    sys.setswitchinterval(TURN_SECONDS)
    serving.run_until_told_to_leave(
        served, host=host, port=port, drain=drain, on_ready=on_ready
    )


def say(how: str, port: int, data: Path, log_ins: list[str]) -> None:
    here = f"http://127.0.0.1:{port}"
    lines = [f"Helpdesk is ready. Its data is in {data}", ""]
    if how == "run":
        lines += [f"  A shop page with the chat   {here}/demo/"]
    lines += [
        f"  The agents' dashboard       {here}/agents/",
        f"  The admin                   {here}/admin/",
        "",
        *log_ins,
        "Ctrl-C stops it.",
        "",
    ]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
