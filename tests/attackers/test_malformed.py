"""Whatever bytes arrive: an answer, at most one line in the log, and nobody else
notices."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.attackers.wire import (
    FORM,
    HOST,
    ORIGIN,
    handshake,
    posted,
    request,
    status_of,
)
from tests.live import ServerProcess
from tests.shop import Shop

POLL = b"/widget/shop/poll/"
UPLOADS = b"/widget/shop/uploads/"
SOCKET = b"/ws/customer/shop/"
NUL_COOKIE = b'Cookie: sessionid="\\000abcdefghijk"'  # a U+0000, as cookies write it
DEEP = b'{"hello":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}"
OWN = b"Origin: http://127.0.0.1:PORT"

HANDSHAKES = {
    "nowhere": handshake(b"/ws/nowhere/", ORIGIN),
    "the root": handshake(b"/", ORIGIN),
    "a page": handshake(b"/agents/", ORIGIN),
    "two slashes": handshake(b"//ws//customer/shop/", ORIGIN),
    "a way around": handshake(b"/ws/customer/../agent/", ORIGIN),
    "a key with U+0000": handshake(b"/ws/customer/%00/", ORIGIN),
    "a key of no UTF-8": handshake(b"/ws/customer/%ff%fe/", ORIGIN),
    "a path of no ASCII": handshake(b"/ws/customer/\xff/", ORIGIN),
    "a query of no ASCII": handshake(SOCKET + b"?\xff", ORIGIN),
    "a protocol of no ASCII": handshake(
        SOCKET, ORIGIN, b"Sec-WebSocket-Protocol: \xff"
    ),
    "an extension of nothing": handshake(
        SOCKET, ORIGIN, b"Sec-WebSocket-Extensions: ;;;===\xff"
    ),
    "an origin of no ASCII": handshake(SOCKET, b"Origin: \xff\xfe"),
    "half an origin": handshake(SOCKET, b"Origin: http://[::1"),
    "a host of no ASCII": handshake(SOCKET, ORIGIN).replace(HOST, b"Host: \xff"),
    "half a host": handshake(SOCKET, ORIGIN).replace(HOST, b"Host: [::"),
    "an odd version": handshake(SOCKET, ORIGIN).replace(b"ion: 13", b"ion: x\xff"),
    "a session of U+0000": handshake(b"/ws/agent/", OWN, NUL_COOKIE),
    "a session of no ASCII": handshake(
        b"/ws/agent/", OWN, b"Cookie: sessionid=\xff\xfeaaaaaaa"
    ),
    "a long session": handshake(
        b"/ws/agent/", OWN, b"Cookie: sessionid=" + b"a" * 8_000
    ),
}
REQUESTS = {
    "a session of U+0000": request(b"/agents/", NUL_COOKIE),
    "the admin's, too": request(b"/admin/", NUL_COOKIE),
    "the replies', too": request(b"/agents/canned/", NUL_COOKIE),
    "a language of U+0000": request(
        b"/accounts/login/", b'Cookie: django_language="\\000/../"'
    ),
    "a long language": request(
        b"/accounts/login/", b"Accept-Language: " + b"a-" * 3_000
    ),
    "a locale of U+0000": request(b"/widget/shop/?locale=%00%ff"),
    "a path of U+0000": request(b"/%00"),
    "a path of no UTF-8": request(b"/%ff%fe"),
    "a path of no ASCII": request(b"/\xff"),
    "a file of U+0000": request(b"/files/%00/%00"),
    "a reset key of U+0000": request(b"/accounts/password/reset/key/%00-%00/"),
    "a host of no ASCII": request(b"/readyz").replace(HOST, b"Host: \xff"),
    "another host": request(b"/agents/").replace(HOST, b"Host: mallory.example"),
    "two hosts": request(b"/agents/", b"Host: mallory.example"),
    "a moved application": request(b"/readyz", b"Daphne-Root-Path: \xff"),
    "a method of no ASCII": request(b"/agents/", method=b"P\xffST"),
    "a method of its own": request(b"/agents/", method=b"BREW"),
    "a control in a header": request(b"/readyz", b"X-Odd: a\x01b"),
    "a form of U+0000": posted(b"/accounts/login/", b"login=%00%ff&password=%00", FORM),
    "a form in no charset": posted(
        b"/accounts/login/", b"login=a", FORM + b"; charset=nonsense"
    ),
    "no JSON": posted(POLL, b"\xff\xfe{", ORIGIN),
    "deep JSON": posted(POLL, DEEP, ORIGIN),
    "a huge number": posted(POLL, b'{"hello":{"x":' + b"9" * 9_000 + b"}}", ORIGIN),
    "a token of U+0000": posted(POLL, b'{"token":"\\u0000"}', ORIGIN),
    "a hello of U+0000": posted(POLL, b'{"hello":{"locale":"\\u0000"}}', ORIGIN),
    "a conversation of U+0000": posted(
        POLL, b'{"hello":{},"conversation":"\\u0000"}', ORIGIN
    ),
    "half a surrogate": posted(POLL, b'{"hello":{"locale":"\\ud800"}}', ORIGIN),
    "a link of U+0000": posted(
        b"/widget/shop/resume/token/", b'{"link":"\\u0000:a:b"}', ORIGIN
    ),
    "a token of no ASCII": posted(UPLOADS, b"x", ORIGIN, b"Authorization: Bearer \xff"),
    "a form of no boundary": posted(
        UPLOADS,
        b"x",
        ORIGIN,
        b"Authorization: Bearer TOKEN",
        b"Content-Type: multipart/form-data; boundary=\xff",
    ),
    "an ETag of no ASCII": request(b"/widget.js", b'If-None-Match: \xff"'),
    "odd ranges": request(b"/static/tokens.css", b"Range: bytes=" + b"0-1," * 500),
    "an odd time": request(b"/static/tokens.css", b"If-Modified-Since: \xff 99"),
    "a way out of static": request(b"/static/%2e%2e/helpdesk/settings.py"),
}


def lines(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_nothing_is_so_odd_that_it_breaks_something(
    shop: Shop, server_process: Callable[..., ServerProcess], static_root: Path
) -> None:
    there = server_process()
    cora = await shop.customer(at=there)
    known = len(lines(there.log))
    for name, raw in [*HANDSHAKES.items(), *REQUESTS.items()]:
        told = raw.replace(b"PORT", str(there.port).encode())
        told = told.replace(b"TOKEN", cora.token.encode())
        status, answer = await status_of(there.port, told)
        assert status < 500, name
        assert b"Traceback" not in answer, name
        assert b"codec" not in answer, name
    written = lines(there.log)[known:]
    assert not [line for line in written if "error" in line]  # a traceback
    assert not [line for line in written if "Traceback" in line["message"]]
    requests = Counter(line.get("request") for line in written)
    assert max(requests.values()) == 1
    await cora.heard_so_far()


async def test_half_a_request_harms_nobody(shop: Shop) -> None:
    """Of a hundred who begin and never end, others notice nothing."""
    cora = await shop.customer()
    begun = [
        await asyncio.open_connection("127.0.0.1", shop.server.port) for _ in range(100)
    ]
    for index, (_, writer) in enumerate(begun):
        raw = (*HANDSHAKES.values(), *REQUESTS.values())[index % 50]
        writer.write(raw[: len(raw) // 2])
    await cora.starts("Are you there?")
    for _, writer in begun:
        writer.transport.abort()
    await cora.heard_so_far()
