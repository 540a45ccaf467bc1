"""The socket itself: what breaks it, what it survives, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from helpdesk import consumers, protocol, watching
from helpdesk.errors import BadFrame
from tests.live import LiveServer
from tests.people import Customer, Frame
from tests.shop import PAGE, Shop, eventually, rows, stored, texts


async def refusal_of(person: Customer, raw: str | bytes) -> Frame:
    seen = len(person.heard)
    await person.send(raw)
    return await person.hears("refused", since=seen)


# --- bad frames

BAD = {
    "no JSON": "{",
    "empty": "",
    "an array": "[]",
    "null": "null",
    "a text": '"ping"',
    "without a type": "{}",
    "type is a number": '{"type":7}',
    "type is null": '{"type":null}',
    "an unknown type": '{"type":"message.burn"}',
    "a method's name": '{"type":"__init__"}',
    "an agent's command": '{"type":"status.set","id":"12345678","status":"away"}',
    "an event": '{"type":"message.posted"}',
    "trailing words": '{"type":"ping"} {"type":"ping"}',
    "a lone surrogate": r'{"type":"typing","on":true,"text":"\ud800"}',
    "deep": '{"type":"ping","x":' + "[" * 30_000 + "]" * 30_000 + "}",
    "deep with U+0000": '{"type":"ping","x":'
    + "[" * 9_000
    + r'"\u0000"'
    + "]" * 9_000
    + "}",
    "a huge integer": '{"type":"message.read","seq":' + "9" * 50_000 + "}",
    "not a number": '{"type":"message.read","seq":NaN}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
async def test_a_bad_frame_is_refused_and_the_socket_stays(
    shop: Shop, raw: str
) -> None:
    cora = await shop.customer()
    refused = await refusal_of(cora, raw)
    assert refused["code"] == "bad_frame"
    assert refused["detail"]
    assert (await cora.heard_so_far())[-1]["type"] == "pong"


FIELDS = {
    "text": ("message.post", {"text": 5}),
    "id": ("message.post", {"id": "short", "text": "x"}),
    "attachments[0]": ("message.post", {"text": "x", "attachments": [1]}),
    "conversation": ("message.post", {"text": "x", "conversation": []}),
    "on": ("typing", {"on": "yes"}),
    "seq": ("message.read", {"seq": -1}),
    "score": ("conversation.rate", {"score": 6}),
    "limit": ("history.get", {"limit": 101}),
    "fields[...]": ("conversation.start", {"text": "x", "fields": {"a": []}}),
    "page.url": ("hello", {"page": {"url": 1}}),
}


@pytest.mark.parametrize("field", FIELDS)
async def test_a_refusal_names_the_field(shop: Shop, field: str) -> None:
    type, fields = FIELDS[field]
    cora = await shop.customer()
    frame = {"type": type, "id": "12345678"} | fields
    refused = await refusal_of(cora, json.dumps(frame))
    assert refused["code"] == "bad_frame"
    assert refused["detail"].startswith(f"{field}: ")


async def test_a_refusal_names_the_missing_field(shop: Shop) -> None:
    cora = await shop.customer()
    refused = await refusal_of(cora, '{"type":"message.post","id":"12345678"}')
    assert "`text`" in refused["detail"]


async def test_a_refusal_carries_the_id_if_there_is_one(shop: Shop) -> None:
    cora = await shop.customer()
    refused = await cora.ask("message.post", text=None)
    assert refused["type"] == "refused"
    nameless = await refusal_of(cora, '{"type":"message.post","id":7}')
    assert "id" not in nameless


@pytest.mark.parametrize(
    "id", ["1234567", "x" * 65, "with space", "naïve-id", "a\nbcdefg", "abcdefgh\n"]
)
async def test_an_id_is_8_to_64_visible_ascii_characters(shop: Shop, id: str) -> None:
    cora = await shop.customer()
    raw = json.dumps({"type": "conversation.start", "id": id, "text": "x"})
    assert (await refusal_of(cora, raw))["code"] == "bad_frame"
    assert await stored(rows) == (0, 0)


@pytest.mark.parametrize("id", ["12345678", "!" * 64, "~{}\"\\'<>"])
async def test_such_an_id_comes_back_as_it_was(shop: Shop, id: str) -> None:
    cora = await shop.customer()
    assert (await cora.starts(id=id))["id"] == id


async def test_a_binary_frame_is_a_bad_one(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await refusal_of(cora, b'{"type":"ping"}'))["code"] == "bad_frame"


async def test_null_in_an_optional_field_means_absent(shop: Shop) -> None:
    cora = await shop.knocks()
    optional = ("token", "conversation", "after", "last", "identity", "page", "locale")
    await cora.hello(**dict.fromkeys(optional), batch=None)
    nothing = ("queue", "name", "email", "fields", "attachments")
    assert (await cora.starts(**dict.fromkeys(nothing)))["seq"] == 1


async def test_unknown_fields_are_ignored(shop: Shop) -> None:
    cora = await shop.customer(moon="full", nested={"deep": [1, {"a": None}]})
    ack = await cora.starts("Hi", seq=99, note=True, version="x", zero="\0")
    assert ack["seq"] == 1


@pytest.mark.parametrize("field", ["text", "name", "queue"])
async def test_u0000_is_refused_by_the_name_of_its_field(
    shop: Shop, field: str
) -> None:
    cora = await shop.customer()
    refused = await cora.ask("conversation.start", **({"text": "x"} | {field: "a\0b"}))
    assert refused["code"] == "bad_frame"
    assert refused["detail"].startswith(f"{field}: ")
    assert await stored(rows) == (0, 0)


@pytest.mark.parametrize("fields", [{"a": "\0"}, {"\0": "a"}])
async def test_u0000_is_found_in_fields_too(shop: Shop, fields: dict[str, str]) -> None:
    cora = await shop.customer()
    refused = await cora.ask("conversation.start", text="x", fields=fields)
    assert refused["code"] == "bad_frame"


async def test_a_backslash_before_u0000_is_just_text(shop: Shop) -> None:
    cora = await shop.customer()
    start = await cora.starts("\\u0000")
    assert await stored(texts, start["conversation"]["id"]) == ["\\u0000"]


async def test_the_tenth_bad_frame_within_a_minute_closes(shop: Shop) -> None:
    cora, mallory = await shop.customer(), await shop.customer()
    for _ in range(9):
        await refusal_of(mallory, "{")
    assert (await mallory.heard_so_far())[-1]["type"] == "pong"
    await mallory.send("{")
    assert await mallory.closed() == consumers.BAD_FRAMES
    assert sum(frame["type"] == "refused" for frame in mallory.heard) == 10
    await cora.heard_so_far()


async def test_ten_bad_frames_in_more_than_a_minute_do_not(shop: Shop) -> None:
    cora = await shop.customer()
    for _ in range(9):
        await refusal_of(cora, "{")
    served = shop.served(cora)
    served._bad = [at - 61 for at in served._bad]
    await refusal_of(cora, "{")
    await cora.heard_so_far()


@pytest.mark.parametrize("text", ["a" * 70_000, "é" * 40_000])
async def test_a_text_over_64_kib_closes_that_socket_alone(
    shop: Shop, text: str
) -> None:
    cora, mallory = await shop.customer(), await shop.customer()
    await mallory.send(
        json.dumps({"type": "typing", "on": True, "text": text}, ensure_ascii=False)
    )
    assert await mallory.closed() in (1009, consumers.TOO_BIG)
    await cora.heard_so_far()


async def test_a_text_of_64_kib_is_read(shop: Shop) -> None:
    cora = await shop.customer()
    frame = '{"type":"ping","x":"%s"}'
    room = protocol.FRAME_BYTES - len(frame % "")
    await cora.send(frame % ("x" * room))
    await cora.hears("pong")


async def test_many_small_pieces_do_not_add_up_to_more(shop: Shop) -> None:
    """A message may come in fragments, each below the limit."""
    mallory = await shop.customer()

    async def pieces() -> object:
        for _ in range(20):
            yield "x" * 5_000

    await mallory.socket.send(pieces())
    assert await mallory.closed() in (1009, consumers.TOO_BIG)


async def test_text_that_is_no_utf_8_closes(shop: Shop) -> None:
    mallory = await shop.customer()
    await mallory.socket.send(b'{"type":"ping","x":"\xff"}', text=True)
    assert await mallory.closed() == 1007


@given(
    st.one_of(
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(json.dumps),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["hello", "message.post", "typing", "history.get"]
                )
            },
            optional={
                name: st.none() | st.integers() | st.text() | st.lists(st.text())
                for name in ("id", "text", "on", "after", "limit", "fields", "page")
            },
        ).map(json.dumps),
    )
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_said_is_a_command_or_a_bad_frame(raw: str) -> None:
    for parse in (protocol.parse_customer, protocol.parse_agent):
        try:
            command = parse(raw)
        except BadFrame as bad:
            assert len(bad.detail) < 400  # noqa: PT017
            json.loads(protocol.refusal(bad, protocol.id_of(raw)))
        else:
            assert isinstance(command, protocol.Command)


# --- one line in the log


@pytest.mark.parametrize(
    "raw",
    ["{", '{"type":"a\\nERROR forged: line"}', b"\0", '{"type":"%s"}' % ("x" * 60_000)],
)
async def test_a_bad_frame_is_one_short_line_in_the_log(
    shop: Shop, caplog: pytest.LogCaptureFixture, raw: str | bytes
) -> None:
    cora = await shop.customer()
    with caplog.at_level(logging.INFO, "helpdesk"):
        await refusal_of(cora, raw)
    (line,) = [each for each in caplog.records if each.name.startswith("helpdesk")]
    assert len(line.getMessage()) < 400


async def test_a_socket_that_is_closed_is_one_line_in_the_log(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    mallory = await shop.knocks()
    with caplog.at_level(logging.INFO, "helpdesk"):
        await mallory.say("ping")
        await mallory.closed()
    assert [each.getMessage() for each in caplog.records] == ["socket closed with 4408"]


# --- hello


async def test_hello_comes_first(shop: Shop) -> None:
    mallory = await shop.knocks()
    await mallory.say("ping")
    assert await mallory.closed() == consumers.SILENT
    assert mallory.heard == []


async def test_a_bad_first_frame_is_refused_and_hello_may_follow(shop: Shop) -> None:
    cora = await shop.knocks()
    await refusal_of(cora, "{")
    await cora.hello()


async def test_hello_is_said_once(shop: Shop) -> None:
    cora = await shop.customer()
    assert (await refusal_of(cora, '{"type":"hello"}'))["code"] == "bad_frame"


async def test_who_says_no_hello_in_time_is_closed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert consumers.HELLO_SECONDS == 10
    monkeypatch.setattr(consumers, "HELLO_SECONDS", 0.05)
    silent = await shop.knocks()
    assert await silent.closed() == consumers.SILENT


async def test_who_has_said_hello_stays_when_its_time_is_up(shop: Shop) -> None:
    cora = await shop.customer()
    shop.desk.hub.loop.call_soon_threadsafe(shop.served(cora)._no_hello)
    await cora.heard_so_far()


# --- silence and beats


@pytest.fixture
def _quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (consumers.SILENT_SECONDS, consumers.BEAT_SECONDS) == (50, 20)
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)


async def passes(shop: Shop, who: Any, *, heard: float = 0, sent: float = 0) -> None:
    """As if the socket had heard and said everything so many seconds before."""
    served = shop.served(who)

    async def pass_() -> None:
        served.heard_at -= heard
        served.sent_at -= sent
        shop.desk.watch.set_time(served)

    await shop.on_server(pass_())


@pytest.mark.usefixtures("_quick_watch")
async def test_who_says_nothing_is_closed_and_who_pings_stays(shop: Shop) -> None:
    cora, silent = await shop.customer(), await shop.customer()
    await passes(shop, silent, heard=consumers.SILENT_SECONDS + 1)
    await passes(shop, cora, heard=consumers.SILENT_SECONDS - 20)
    assert await silent.closed() == consumers.SILENT
    await cora.heard_so_far()


@pytest.mark.usefixtures("_quick_watch")
async def test_after_a_silence_of_ours_there_is_a_beat(shop: Shop) -> None:
    cora = await shop.customer()
    await passes(shop, cora, sent=consumers.BEAT_SECONDS - 10)
    assert "beat" not in [frame["type"] for frame in await cora.heard_so_far()]
    await passes(shop, cora, sent=consumers.BEAT_SECONDS + 1)
    assert await cora.hears("beat") == {"type": "beat"}


@pytest.mark.usefixtures("_quick_watch")
async def test_a_socket_that_cannot_be_looked_at_harms_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, broken = await shop.customer(), await shop.customer()
    failing = Mock(side_effect=RuntimeError)
    monkeypatch.setattr(shop.served(broken), "look", failing)
    for each in (broken, silent):
        await passes(shop, each, heard=consumers.SILENT_SECONDS + 1)
    assert await broken.closed() == consumers.INTERNAL_ERROR
    assert await silent.closed() == consumers.SILENT


@pytest.mark.usefixtures("_quick_watch")
async def test_who_takes_not_even_our_close_is_let_go_and_holds_up_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under servers whose send waits for the client."""
    monkeypatch.setattr(consumers, "CLOSE_SECONDS", 0.1)
    stuck, silent = await shop.customer(), await shop.customer()
    served = shop.served(stuck)
    never = asyncio.Event()
    served._write, served._send = None, lambda message: never.wait()
    for each in (stuck, silent):
        await passes(shop, each, heard=consumers.SILENT_SECONDS + 1)
    assert await silent.closed() == consumers.SILENT
    await eventually(lambda: served not in shop.desk.sockets)
    assert not shop.desk.hub.has(f"customer.{served.voice.person}")


async def test_who_has_left_is_not_present_again(shop: Shop) -> None:
    """An event that came just before the end."""
    cora = await shop.customer()
    served = shop.served(cora)
    await cora.leave()
    await eventually(lambda: served not in shop.desk.sockets)
    await shop.on_server(served.voice.be_present())
    assert not shop.desk.hub.has(served.voice.audience)


# --- who does not read


async def test_daphnes_send_shows_its_transport_to_both_consumers(shop: Shop) -> None:
    """The guard below rests on a private part of daphne and Twisted, and on nothing
    standing between them and the consumer."""
    people = [await shop.customer(), await shop.agent(shop.ada)]
    for served in map(shop.served, people):
        transport = served._send.args[0].transport  # type: ignore[attr-defined]
        assert isinstance(transport.dataBuffer, bytes)
        assert isinstance(transport._tempDataLen, int)
        await eventually(lambda served=served: served._buffered() == 0)
        assert served._write


async def deaf(shop: Shop) -> ClientConnection:
    """Said hello and then never reads again."""
    host, _, port = shop.server.url.rpartition("/")[2].partition(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    client = await connect(
        shop.server.ws_url + "/ws/customer/shop/",
        sock=raw,
        proxy=None,
        max_queue=1,
        additional_headers={"Origin": PAGE},
    )
    await client.send('{"type":"hello"}')
    await client.recv()
    client.transport.pause_reading()
    return client


@pytest.mark.usefixtures("_quick_watch")
async def test_who_does_not_read_is_closed_and_holds_nothing(shop: Shop) -> None:
    cora = await shop.customer()
    mallory = await deaf(shop)
    served = shop.served(mallory)
    transport = served._send.args[0].transport  # type: ignore[attr-defined]

    async def talk_at_her() -> None:
        frame = protocol.encode(protocol.Bye("x" * 10_000, 0))
        for _ in range(1_000):
            served.say(frame)
            await asyncio.sleep(0)

    await shop.on_server(talk_at_her())
    await eventually(lambda: not transport.connected)
    assert len(transport.dataBuffer) + transport._tempDataLen < 1024 * 1024
    assert len(served._outbox) == 0
    await cora.heard_so_far()
    mallory.transport.abort()


@pytest.mark.usefixtures("_quick_watch")
async def test_who_is_behind_for_a_minute_is_closed(shop: Shop) -> None:
    cora, slow = await shop.customer(), await shop.customer()
    served = shop.served(slow)
    served._buffered = lambda: 1
    await slow.say("ping")
    await eventually(lambda: served._behind_since is not None)
    served._behind_since -= consumers.UNSENT_SECONDS + 1
    assert await slow.closed() == consumers.DOES_NOT_READ
    await cora.heard_so_far()


async def test_500_frames_in_one_turn_are_too_many_to_wait(shop: Shop) -> None:
    slow = await shop.customer()
    served = shop.served(slow)
    served._write = None  # as under another server

    async def talk_at_her() -> None:
        for _ in range(consumers.UNSENT_FRAMES + 1):
            served.say(consumers.BEAT)

    await shop.on_server(talk_at_her())
    assert await slow.closed() == consumers.DOES_NOT_READ


# --- batches


async def burst(shop: Shop, person: Customer) -> None:
    served = shop.served(person)

    async def say_three() -> None:
        for _ in range(3):
            served.say(consumers.BEAT)

    await shop.on_server(say_three())


async def test_who_asks_for_batches_gets_arrays(shop: Shop) -> None:
    cora = await shop.customer(batch=True)
    await burst(shop, cora)
    await cora.heard_so_far()
    assert cora.raw[1] == '[{"type":"beat"},{"type":"beat"},{"type":"beat"}]'


async def test_who_does_not_ask_gets_one_object_a_message(shop: Shop) -> None:
    cora = await shop.customer()
    await burst(shop, cora)
    await cora.heard_so_far()
    assert cora.raw[1:4] == ['{"type":"beat"}'] * 3


# --- too many, too fast


async def test_who_sends_frames_like_hail_is_closed(shop: Shop) -> None:
    cora, mallory = await shop.customer(), await shop.customer()
    for _ in range(consumers.FRAMES_BURST + 50):
        await mallory.say("typing", on=True)
    assert await mallory.closed() == consumers.TOO_FAST
    await cora.heard_so_far()


async def test_an_address_has_so_many_sockets(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert consumers.SOCKETS_PER_ADDRESS == 500
    monkeypatch.setattr(consumers, "SOCKETS_PER_ADDRESS", 2)
    cora, dora = await shop.customer(), await shop.customer()
    crowd = await shop.knocks()
    assert await crowd.closed() == consumers.TOO_FAST
    await cora.heard_so_far()
    await dora.leave()
    await eventually(lambda: len(shop.desk.sockets) == 1)
    await shop.customer()


async def test_without_limits_there_may_be_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(consumers, "SOCKETS_PER_ADDRESS", 1)
    settings.HELPDESK_LIMITS = False
    for _ in range(3):
        await shop.customer()


# --- a bug, an end


async def test_a_bug_closes_its_own_socket_with_4011_and_one_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble(*_: object) -> None:
        raise ZeroDivisionError

    cora, unlucky = await shop.customer(), await shop.customer()
    monkeypatch.setattr(shop.served(unlucky).voice, "answer", stumble)
    await unlucky.say("ping")
    assert await unlucky.closed() == consumers.INTERNAL_ERROR
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert [each.getMessage() for each in errors] == ["A socket failed"]
    await cora.heard_so_far()


async def test_before_the_server_ends_everybody_hears_bye(
    shop: Shop, server: LiveServer
) -> None:
    cora, ada, here = await shop.talk()
    fresh = await shop.knocks()
    await cora.posts("The last word")
    await asyncio.to_thread(server.leave_nothing)
    for person in (cora, ada, fresh):
        assert await person.closed() == consumers.RESTARTING
        bye = person.heard[-1]
        assert bye["type"] == "bye"
        assert bye["reason"] == "restarting"
        assert 250 <= bye["retry_ms"] <= consumers.COME_BACK_MS
    assert (await stored(texts, here))[-1] == "The last word"


async def test_nothing_is_left_of_a_socket_that_is_gone(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    await cora.starts()
    await cora.sees(state="active")
    await cora.leave()
    ada.vanish()
    desk = shop.desk
    await eventually(lambda: not desk.crowd)
    assert not desk.sockets
    assert desk.present.people() == []
    assert not desk.hub._listeners
