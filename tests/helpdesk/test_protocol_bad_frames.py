"""No frame is so bad that it does more than earn a refusal that names the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk import protocol
from helpdesk.errors import BadFrame

from .examples import Example, commands

Parse = Callable[[str | bytes], protocol.Command]

SIDES: list[tuple[Parse, list[Example]]] = [
    (protocol.parse_customer, commands(protocol.CustomerCommand)),
    (protocol.parse_agent, commands(protocol.AgentCommand)),
]
SPOKEN = [(parse, example) for parse, examples in SIDES for example in examples]
FIELDS = [
    (parse, example, field)
    for parse, example in SPOKEN
    for field in example.struct.__struct_fields__
]
IDENTIFIED = [
    (parse, example) for parse, example in SPOKEN if hasattr(example.struct, "id")
]
PARSERS = [parse for parse, _ in SIDES]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def named(value: Any) -> str:
    return getattr(value, "__name__", str(value))


def refusal(parse: Parse, frame: Any) -> str:
    """The sentence with which it is refused."""
    text = frame if isinstance(frame, str | bytes) else json.dumps(frame)
    with pytest.raises(BadFrame) as refused:
        parse(text)
    return refused.value.detail


def reading_is_safe(parse: Parse, text: str | bytes) -> None:
    protocol.id_of(text)
    try:
        parse(text)
    except BadFrame as bad:
        refused = json.loads(protocol.refusal(bad))
    else:
        return
    assert refused["detail"].strip()


# --- nothing crashes -------------------------------------------------------------


@pytest.mark.parametrize("parse", PARSERS, ids=named)
@given(text=st.text() | st.binary())
def test_any_text_at_all(parse: Parse, text: str | bytes) -> None:
    reading_is_safe(parse, text)


@pytest.mark.parametrize("parse", PARSERS, ids=named)
@given(value=anything)
def test_any_json_at_all(parse: Parse, value: Any) -> None:
    reading_is_safe(parse, json.dumps(value))


@given(which=st.sampled_from(SPOKEN), draw=st.data())
def test_any_value_in_any_field(
    which: tuple[Parse, Example], draw: st.DataObject
) -> None:
    parse, example = which
    frame = json.loads(example.text)
    for _ in range(draw.draw(st.integers(1, 3))):
        field = draw.draw(st.sampled_from(sorted(frame)) | st.text())
        frame[field] = draw.draw(anything)
    reading_is_safe(parse, json.dumps(frame))


@given(which=st.sampled_from(SPOKEN), draw=st.data())
def test_any_bytes_changed_anywhere(
    which: tuple[Parse, Example], draw: st.DataObject
) -> None:
    parse, example = which
    data = bytearray(example.text.encode())
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=5)):
        data[place] = draw.draw(st.integers(0, 255))
    reading_is_safe(parse, bytes(data[: draw.draw(st.integers(0, len(data)))]))


@pytest.mark.parametrize("parse", PARSERS, ids=named)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "7",
        '"ping"',
        "[]",
        "{}",
        "{" * 60_000,
        "[" * 60_000,
        '{"type":"ping","x":' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"type":"ping"',
        '{"type":"ping"}}',
        '{"type":"ping"} {"type":"ping"}',
        '{"type":"ping",}',
        "{'type':'ping'}",
        '{"type":NaN}',
        '{"type":"__class__"}',
        '{"type":"run"}',
        '{"type":"answer"}',
        '{"type":null}',
        '{"type":["ping"]}',
        '{"type":"PING"}',
        '{"type":"ping\\u0000"}',
        '{"type":"\\ud800"}',
        "\ud800",
        "\ufeff{}",
        b"\xff\xfe\x00",
        b'{"type":"\xc3\x28"}',
    ],
    ids=lambda text: repr(text)[:24],
)
def test_what_is_no_frame_is_refused(parse: Parse, text: str | bytes) -> None:
    assert refusal(parse, text)


# --- the refusal names the field -------------------------------------------------


@pytest.mark.parametrize(("parse", "example", "field"), FIELDS, ids=named)
def test_a_field_of_another_type(parse: Parse, example: Example, field: str) -> None:
    frame = {**json.loads(example.text), field: [[[]]]}
    assert refusal(parse, frame).startswith(field)


REQUIRED = [
    (parse, example, field.name)
    for parse, example in SPOKEN
    for field in msgspec.structs.fields(example.struct)
    if field.required
]


@pytest.mark.parametrize(("parse", "example", "field"), REQUIRED, ids=named)
def test_a_field_that_is_missing(parse: Parse, example: Example, field: str) -> None:
    frame = json.loads(example.text)
    del frame[field]
    assert f"`{field}`" in refusal(parse, frame)


OPTIONAL = [each for each in FIELDS if each not in REQUIRED]


@pytest.mark.parametrize(("parse", "example", "field"), OPTIONAL, ids=named)
def test_an_optional_one_may_be_null(
    parse: Parse, example: Example, field: str
) -> None:
    frame = {**json.loads(example.text), field: None}
    assert getattr(parse(json.dumps(frame)), field) is None


@pytest.mark.parametrize(("parse", "example", "field"), REQUIRED, ids=named)
def test_a_required_one_may_not(parse: Parse, example: Example, field: str) -> None:
    frame = {**json.loads(example.text), field: None}
    assert refusal(parse, frame).startswith(field)


TEXTS = [
    (parse, example, field)
    for parse, example, field in FIELDS
    if isinstance(json.loads(example.text).get(field), str) and field != "id"
]


@pytest.mark.parametrize(("parse", "example", "field"), TEXTS, ids=named)
def test_a_text_with_a_nul(parse: Parse, example: Example, field: str) -> None:
    frame = {**json.loads(example.text), field: "before\0after"}
    assert refusal(parse, frame).startswith(field)


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"page": {"url": "\0"}}, "page.url"),
        ({"page": {"title": 7}}, "page.title"),
        ({"identity": {"id": "42", "at": 1, "signature": "x\0"}}, "identity.signature"),
        ({"identity": {"id": "42", "at": "now", "signature": "x"}}, "identity.at"),
        ({"identity": {"id": "42", "at": 1.5, "signature": "x"}}, "identity.at"),
        ({"identity": {"id": "42", "at": True, "signature": "x"}}, "identity.at"),
        ({"identity": {"id": 42, "at": 1, "signature": "x"}}, "identity.id"),
        ({"identity": {"at": 1, "signature": "x"}}, "identity"),
    ],
    ids=str,
)
def test_a_field_inside_another(inside: dict[str, Any], field: str) -> None:
    detail = refusal(protocol.parse_customer, {"type": "hello", **inside})
    assert detail.startswith(f"{field}:")


@pytest.mark.parametrize(
    "id",
    [
        "",
        "short",
        "x" * 65,
        "has a space",
        "line\nfeed",
        "ends-so\n",
        "ümläute-",
        "\x7f" * 9,
    ],
)
@pytest.mark.parametrize(("parse", "example"), IDENTIFIED, ids=named)
def test_an_id_of_another_shape(parse: Parse, example: Example, id: str) -> None:
    frame = {**json.loads(example.text), "id": id}
    assert refusal(parse, frame).startswith("id:")


@pytest.mark.parametrize("id", ["x" * 8, "~" * 64, "!visible!"])
def test_an_id_of_any_visible_characters_will_do(id: str) -> None:
    frame = {"type": "conversation.end", "id": id}
    assert protocol.parse_customer(json.dumps(frame)) == protocol.CustomerEnd(id)


@pytest.mark.parametrize("seq", [-1, 2**31, 2**63, 10**30, 1.5, "1", True])
def test_a_seq_out_of_bounds(seq: Any) -> None:
    frame = {"type": "message.read", "seq": seq}
    assert refusal(protocol.parse_customer, frame).startswith("seq")


@pytest.mark.parametrize("score", [0, 6, -1, 4.5, "5", True, None])
def test_a_score_out_of_bounds(score: Any) -> None:
    frame = {"type": "conversation.rate", "id": "12345678", "score": score}
    assert refusal(protocol.parse_customer, frame).startswith("score")


@pytest.mark.parametrize("limit", [0, 101, -5])
def test_a_limit_out_of_bounds(limit: int) -> None:
    frame = {"type": "history.get", "id": "12345678", "limit": limit}
    assert refusal(protocol.parse_customer, frame).startswith("limit")


@pytest.mark.parametrize("outcome", ["", "abandoned", "resolved\n", "RESOLVED"])
def test_an_outcome_that_there_is_not(outcome: str) -> None:
    end = {"type": "conversation.end", "id": "12345678", "conversation": "x"}
    frame = {**end, "outcome": outcome}
    assert refusal(protocol.parse_agent, frame).startswith("outcome")


@pytest.mark.parametrize("status", ["", "Online", "online\n", "busy", "offline "])
def test_a_status_that_there_is_not(status: str) -> None:
    frame = {"type": "status.set", "id": "12345678", "status": status}
    assert refusal(protocol.parse_agent, frame).startswith("status")


# --- and finds its sender --------------------------------------------------------


@pytest.mark.parametrize(("parse", "example"), IDENTIFIED, ids=named)
def test_the_refusal_carries_the_id(parse: Parse, example: Example) -> None:
    text = json.dumps({**json.loads(example.text), "type": "nonsense"})
    assert refusal(parse, text)
    assert protocol.id_of(text) == json.loads(text)["id"]


@pytest.mark.parametrize("id", [7, None, "short", "x" * 65, ["12345678"]])
def test_an_id_that_is_none_is_not_carried_back(id: Any) -> None:
    assert protocol.id_of(json.dumps({"type": "nonsense", "id": id})) is None


def test_a_nul_in_a_field_of_the_customers_own() -> None:
    frame = {"type": "conversation.start", "id": "12345678", "text": "Hi"}
    for fields in ({"order": "\0"}, {"\0": 1}):
        detail = refusal(protocol.parse_customer, {**frame, "fields": fields})
        assert detail.startswith("fields")


def test_unknown_fields_are_ignored() -> None:
    assert protocol.parse_customer('{"type":"ping","tomorrow":1}') == protocol.Ping()


@pytest.mark.parametrize(
    "type", ["status.set", "conversation.take", "conversation.transfer"]
)
def test_a_customer_has_no_agents_commands(type: str) -> None:
    frame = {"type": type, "id": "12345678", "conversation": "x", "status": "online"}
    assert "type" in refusal(protocol.parse_customer, frame)
