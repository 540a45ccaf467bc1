"""One event, one line: what a stranger sends cannot write lines of its own."""

from __future__ import annotations

import logging


class Line(logging.Formatter):
    """Escapes control characters in the message. Tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return "".join(map(_visible, super().formatMessage(record)))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
