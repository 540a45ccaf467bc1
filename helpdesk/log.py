"""One event, one line. What a stranger sends cannot write lines of its own; what people
say to each other, and what opens a door, is left out.

`begin` and `known` tell what the lines that follow in this context are about, so that
the story of one request can be found: its id, the person, the conversation.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import json
import logging
import re
import secrets
import traceback
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Bounded, since headers and paths are a stranger's to choose.
MESSAGE_CHARS = 2_000
ERROR_CHARS = 300
FACT_CHARS = 100

# What is in an address and opens something: a file, a new password. And any query.
SECRETS = re.compile(
    r"(?<=/files/)[^/\s]+|(?<=/reset/key/)[^/\s]+|(?<=/confirm-email/)[^/\s]+"
    r"|(?<=\S\?)[^\s'\"]+"
)

Facts = dict[str, object]
_about: contextvars.ContextVar[Facts | None] = contextvars.ContextVar(
    "about", default=None
)


# --- what a line is about ----------------------------------------------------------


def begin() -> None:
    """A request or a socket begins, in a task of its own."""
    _about.set({"request": secrets.token_hex(6)})


def known(**facts: object) -> None:
    """From now on more is known; None takes something back. Outside of a request
    nothing happens: what many cause together is nobody's."""
    about = _about.get()
    if about is not None:
        about.update(facts)


def carried(act: Callable[[], T]) -> Callable[[], T]:
    """For a thread, which does not know what its caller is about."""
    about = _about.get()

    def carrying() -> T:
        _about.set(about)  # of the thread's own context; the next one sets it anew
        return act()

    return carrying


def nobody() -> contextvars.Context:
    """For a task that works for everybody. The one who happens to start it would
    otherwise stand beside all that it ever says."""
    return contextvars.Context()


# --- lines -------------------------------------------------------------------------


class Line(logging.Formatter):
    """For people. Tracebacks have lines of their own."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={value}" for name, value in facts(record).items())
        parts = (moment(record), record.levelname, f"{record.name}:", said(record))
        line = visible(" ".join((*parts, f"[{about}]") if about else parts))
        return "\n".join((line, *failed(record)))


class Json(logging.Formatter):
    """For programs: one object a line, and nothing but ASCII in it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said(record),
            **facts(record),
        }
        if error := list(failed(record)):
            line["error"] = "\n".join(error)
        return json.dumps(line)


def moment(record: logging.LogRecord) -> str:
    at = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def said(record: logging.LogRecord) -> str:
    return SECRETS.sub("…", record.getMessage())[:MESSAGE_CHARS]


def facts(record: logging.LogRecord) -> dict[str, str]:
    """What the caller says in `extra={"about": …}`, else what is known."""
    about: Facts = getattr(record, "about", None) or _about.get() or {}
    return {
        name: str(value)[:FACT_CHARS]
        for name, value in about.items()
        if value is not None
    }


def failed(record: logging.LogRecord) -> Iterator[str]:
    """Where it went wrong. Of an error's own words the first line alone: PostgreSQL
    prints the whole row below it, and in that row stands what somebody wrote."""
    if record.name.startswith("django.security"):
        return  # a stranger's own doing, of which the line has told
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    for each in reversed(list(chain(error))):
        for frame in traceback.format_tb(each.__traceback__):
            yield from frame.rstrip().split("\n")
        words = (str(each).splitlines() or [""])[0]
        words = SECRETS.sub("…", words)[:ERROR_CHARS]
        yield visible(f"{type(each).__module__}.{type(each).__qualname__}: {words}")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, the last first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        hidden = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or hidden


def visible(text: str) -> str:
    """Without control characters, line ends and what turns a line's direction."""
    return "".join(
        # ascii() and not a codec, which is gone when the interpreter ends.
        each if each.isprintable() else ascii(each)[1:-1]
        for each in text
    )
