"""Reading what clients say, and writing what they hear."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct

from ..errors import BadFrame, Refused
from .commands import AgentCommand, CustomerCommand
from .frames import Refusal
from .types import DETAIL_CHARS, ClientId

encode = msgspec.json.Encoder().encode
_customer_decoder = msgspec.json.Decoder(CustomerCommand)
_agent_decoder = msgspec.json.Decoder(AgentCommand)
decode = msgspec.json.Decoder().decode  # of what this server has encoded


def parse_customer(text: str | bytes) -> CustomerCommand:
    """Raises BadFrame, whose detail names the field."""
    return cast(CustomerCommand, _parse(_customer_decoder, text))


def parse_agent(text: str | bytes) -> AgentCommand:
    """Raises BadFrame, whose detail names the field."""
    return cast(AgentCommand, _parse(_agent_decoder, text))


def _parse(decoder: msgspec.json.Decoder[Any], text: str | bytes) -> Any:
    try:
        command = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadFrame(named(str(error))) from None
    except (msgspec.DecodeError, UnicodeError):
        raise BadFrame("The frame is not valid JSON.") from None
    except RecursionError:
        raise BadFrame("The frame is nested too deeply.") from None
    _refuse_nul(text, command)
    return command


def named(error: str) -> str:
    """msgspec's sentence with the field's own name: `$.text` becomes `text`."""
    what, found, where = error.rpartition(" - at `")
    if not found:
        what, where = error, ""
    if len(what) > DETAIL_CHARS:  # a client's own words are quoted in it
        what = f"{what[:DETAIL_CHARS]}…"
    where = where.rstrip("`").removeprefix("$").removeprefix(".")
    if where:
        return f"{where}: {what}."
    if what.startswith(("Expected `object`", "Expected `array`")):
        return "A frame is one JSON object with a type."
    return f"{what}."


def _refuse_nul(text: str | bytes, command: Any) -> None:
    """PostgreSQL cannot store U+0000. In JSON it is always written as an escape. In a
    field that nobody knows it does no harm."""
    escape = "\\u0000" if isinstance(text, str) else b"\\u0000"
    if escape not in text:  # type: ignore[operator]
        return
    if path := _nul_in(msgspec.to_builtins(command), ""):
        raise BadFrame(f"{path}: U+0000 cannot be stored.")


def _nul_in(value: Any, path: str) -> str | None:
    """Where a text with U+0000 stands, or None."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if "\0" in key:
                return path or "a field's name"
            if found := _nul_in(item, inner):
                return found
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if found := _nul_in(item, f"{path}[{index}]"):
                return found
    return None


class _Identified(Struct):
    id: ClientId | None = None


_id_decoder = msgspec.json.Decoder(_Identified)


def id_of(text: str | bytes) -> str | None:
    """The id of a frame that may be bad in every other way, so that its refusal
    finds its sender's outbox."""
    try:
        return _id_decoder.decode(text).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def refusal(refused: Refused, id: str | None = None) -> bytes:
    return encode(
        Refusal(
            id=id, code=refused.code, detail=refused.detail, retry_ms=refused.retry_ms
        )
    )


def batch(frames: list[bytes]) -> bytes:
    """Several frames as one text message, for those whose hello asked for it."""
    return frames[0] if len(frames) == 1 else b"[" + b",".join(frames) + b"]"
