"""Frames that nobody should send, many of them: those of docs/protocol.md, changed at
random, and worse. The same seed brings the same frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.helpdesk.examples import Example

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**53, 10**40, 1e308, -0.0,
    "", " ", "\n", "x" * 5_000, "\u202e", "é" * 200, "\U0001f600", "%s%n", "{{7*7}}",
    "../../etc/passwd", "__class__", "'; DROP TABLE x; --", "<script>", "１", "²",
    [], {}, [[]], {"": {}}, [None] * 50, {"__proto__": 1},
)  # fmt: skip
# Written as they stand: no encoder would.
RAW = (
    "NaN", "Infinity", "-Infinity", "1e999999", "9" * 4_000, "-" + "9" * 400, "0x10",
    r'"\u0000"', r'"\ud800"', r'"\udc00\ud800"', r'"\x41"', '"\t"', "'x'", "tru",
    "[" * 500, "[" * 500 + "]" * 500, '{"a":' * 400 + "1" + "}" * 400, "/**/1", "",
)  # fmt: skip


def frames(
    random: Random, examples: list[Example], known: dict[str, str]
) -> Iterator[str | bytes]:
    """`known` are ids that exist, in place of those in the examples."""
    texts = [each.text for each in examples]
    while True:
        text = random.choice(texts)
        for there, here in known.items():
            if random.random() < 0.7:
                text = text.replace(there, here)
        yield random.choice((changed, patched, doubled, torn, invented))(random, text)


def changed(random: Random, text: str) -> str:
    """A field has another value, is missing, or is one more."""
    frame = json.loads(text)
    for _ in range(random.randint(1, 3)):
        field = random.choice([*frame, "id", "type", "conversation", "moon"])
        if random.random() < 0.2:
            frame.pop(field, None)
        elif field != "type" or random.random() < 0.1:
            frame[field] = random.choice(ODD)
    return json.dumps(frame, ensure_ascii=random.random() < 0.5)


def patched(random: Random, text: str) -> str:
    """A value that no encoder writes."""
    frame = json.loads(text)
    field = random.choice([*frame])
    frame[field] = "HERE"
    return json.dumps(frame).replace('"HERE"', random.choice(RAW))


def doubled(random: Random, text: str) -> str:
    """The same field twice."""
    frame = json.loads(text)
    field = random.choice([*frame])
    more = json.dumps({field: random.choice(ODD)})[1:-1]
    whole = json.dumps(frame)
    if random.random() < 0.5:
        return "{" + more + "," + whole[1:]
    return whole[:-1] + "," + more + "}"


def torn(random: Random, text: str) -> str | bytes:
    """Some characters are others, and the end may be missing."""
    letters = list(text)
    for _ in range(random.randint(1, 6)):
        letters[random.randrange(len(letters))] = chr(random.randrange(1, 0x250))
    whole = "".join(letters)[: random.randint(0, len(letters))]
    return whole.encode() if random.random() < 0.1 else whole


def invented(random: Random, text: str) -> str | bytes:
    """Something that only looks like JSON, or not even that."""
    kind = random.randrange(4)
    if kind == 0:
        return json.dumps(value(random, 4))
    if kind == 1:
        return random.choice(RAW)
    if kind == 2:
        return random.randbytes(random.randrange(300))
    return "".join(chr(random.randrange(0xD800)) for _ in range(random.randrange(200)))


def value(random: Random, depth: int) -> Any:
    if not depth or random.random() < 0.4:
        return random.choice(ODD)
    if random.random() < 0.5:
        return [value(random, depth - 1) for _ in range(random.randrange(4))]
    names = ("type", "id", "text", "after", "page", "x", "\0")
    return {
        random.choice(names): value(random, depth - 1)
        for _ in range(random.randrange(4))
    }
