"""The examples of docs/protocol.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from customers.poll import Body
from helpdesk import protocol

PAGE = Path(__file__).parent.parent.parent / "docs" / "protocol.md"


class Example(NamedTuple):
    name: str  # of the struct, as it stands behind `json`
    text: str

    def __str__(self) -> str:
        return self.name

    @property
    def struct(self) -> Any:
        if self.name == "Body":
            return Body
        outer, _, inner = self.name.rstrip("]").partition("[")
        struct = getattr(protocol, outer)
        return struct[getattr(protocol, inner)] if inner else struct


@cache
def page() -> str:
    return PAGE.read_text()


@cache
def examples() -> list[Example]:
    """All but the long poll's answer, which is no struct."""
    found = re.findall(r"^```json (\S+)\n(.*?)^```$", page(), re.DOTALL | re.MULTILINE)
    return [Example(*block) for block in found if block[0] != "Answer"]


def commands(of: Any) -> list[Example]:
    """Those of commands: `of` is protocol.CustomerCommand or AgentCommand."""
    return [each for each in examples() if each.struct in of.__args__]


def without_nulls(value: Any) -> Any:
    """`null` and absent are the same on the wire."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def plain(struct: Any) -> Any:
    return without_nulls(msgspec.json.decode(protocol.encode(struct)))
