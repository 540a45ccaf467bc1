"""docs/protocol.md and docs/frames.schema.json say what the code does."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command

from customers.identity import prove
from customers.models import Site
from helpdesk import consumers, errors, protocol
from helpdesk.management.commands import frames

from .examples import Example, commands, examples, page, plain, without_nulls

SPOKEN = {struct for spoken in frames.SPOKEN.values() for struct in spoken}
OBJECTS = {
    getattr(protocol, name)
    for name in json.loads(frames.schema())["$defs"]
    if hasattr(protocol, name)
}


def test_every_frame_is_said_by_somebody() -> None:
    bases = (protocol.Command, protocol.Frame)
    frames_of = {
        struct
        for struct in vars(protocol).values()
        if isinstance(struct, type) and issubclass(struct, bases)
    }
    said = {getattr(struct, "__origin__", struct) for struct in SPOKEN}
    assert said == frames_of - set(bases)


@pytest.mark.parametrize("example", examples(), ids=str)
def test_each_example_is_what_it_says(example: Example) -> None:
    read = msgspec.json.decode(example.text, type=example.struct)
    assert plain(read) == without_nulls(json.loads(example.text))


@pytest.mark.parametrize("example", commands(protocol.CustomerCommand), ids=str)
def test_each_customers_command_is_understood(example: Example) -> None:
    assert type(protocol.parse_customer(example.text)) is example.struct


@pytest.mark.parametrize("example", commands(protocol.AgentCommand), ids=str)
def test_each_agents_command_is_understood(example: Example) -> None:
    assert type(protocol.parse_agent(example.text)) is example.struct


@pytest.mark.parametrize("struct", sorted(SPOKEN, key=str), ids=str)
def test_each_frame_has_an_example(struct: Any) -> None:
    assert struct in {example.struct for example in examples()}


@pytest.mark.parametrize("struct", sorted(SPOKEN | OBJECTS, key=str), ids=str)
def test_each_field_is_shown_or_explained(struct: Any) -> None:
    shown = set(re.findall(r"`(\w+)`|\"(\w+)\":", page()))
    words = {word for pair in shown for word in pair}
    assert {field.name for field in msgspec.structs.fields(struct)} <= words


def test_the_polls_answer_holds_frames_that_customers_hear() -> None:
    (text,) = re.findall(
        r"^```json Answer\n(.*?)^```$", page(), re.DOTALL | re.MULTILINE
    )
    answer = json.loads(text)
    assert set(answer) == {"frames", "after", "token"}
    (ack,) = answer["frames"]
    assert msgspec.convert(ack, protocol.PostAck)


def test_the_identity_of_the_page_is_proven() -> None:
    (example,) = [each for each in examples() if each.name == "Identity"]
    identity = msgspec.json.decode(example.text, type=protocol.Identity)
    at = dt.datetime.fromtimestamp(identity.at, dt.UTC)
    assert prove(Site(key="demo", secret="secret"), identity, at).external_id == "42"


def refusal_codes(of: type[errors.Refused]) -> set[str]:
    return {of.code}.union(*(refusal_codes(child) for child in of.__subclasses__()))


def listed(section: str) -> set[str]:
    part = page().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", part, re.MULTILINE)[1:]
    return {word for row in rows for word in re.findall(r"\w+", row)}


def test_each_refusal_of_the_wire_is_listed() -> None:
    on_the_wire = {
        refusal.code
        for refusal in vars(errors).values()
        if isinstance(refusal, type) and issubclass(refusal, errors.Refused)
    }
    assert listed("Refusals") == on_the_wire - {errors.Refused.code}


def test_each_close_code_is_listed() -> None:
    used = {
        value
        for name, value in vars(consumers).items()
        if name.isupper() and isinstance(value, int) and 4000 <= value < 5000
    }
    assert {str(code) for code in used} <= listed("Close codes")


# --- the schema ------------------------------------------------------------------


def test_the_schema_is_current() -> None:
    call_command("frames", check=True)


def test_a_stale_schema_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    stale = tmp_path / "frames.schema.json"
    stale.write_text("{}")
    monkeypatch.setattr(frames, "FILE", stale)
    with pytest.raises(CommandError, match="stale"):
        call_command("frames", check=True)
    assert stale.read_text() == "{}"
    call_command("frames")
    call_command("frames", check=True)


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    text = frames.schema()
    named = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert named <= set(json.loads(text)["$defs"])
