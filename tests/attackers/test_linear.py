"""A long text takes time in proportion to its length. What is quadratic would take
minutes for these; what is not, takes milliseconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from helpdesk import filetypes, log, origins, protocol, transcripts
from helpdesk.admin import web_link
from helpdesk.errors import BadFrame
from helpdesk.words import best

SECONDS = 5  # generous: the machine may be busy
LONG = 300_000


def mail(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_email(text)


def frame(text: str) -> None:
    raw = json.dumps({"type": "ping", text: [text]}) + " \\u0000"
    with pytest.raises(BadFrame):
        protocol.parse_customer(raw)
    protocol.id_of(raw)


READERS: dict[str, Callable[[str], object]] = {
    "a file's name": lambda text: filetypes.clean_name(text, "text/plain"),
    "a text file": lambda text: filetypes.look(text.encode(), "a.csv"),
    "a cell": transcripts.harmless,
    "a link": web_link,
    "an origin": origins.exact_origin,
    "a line of the log": lambda text: log.SECRETS.sub("…", log.visible(text)),
    "a language": best,
    "an address": mail,
    "a frame": frame,
}
TEXTS = {
    "blanks": " " * LONG + "x",
    "full stops": "http://a" + "." * LONG + "x",
    "at signs": "@" * LONG + "x",
    "question marks": "a?" * LONG,
    "files": "/files/" * (LONG // 7),
    "markup": "<" * LONG,
    "separators": ";'" * (LONG // 2) + "x",
    "accents": "a" + "\u0301\u0323" * (LONG // 2),
    "hyphens": "a-" * (LONG // 2),
}


@pytest.mark.parametrize("reader", READERS)
def test_it_is_read_in_proportion_to_its_length(reader: str) -> None:
    began = time.process_time()
    for text in TEXTS.values():
        READERS[reader](text)
    assert time.process_time() - began < SECONDS
