"""Requests as bytes: what no well-behaved client would send."""

from __future__ import annotations

import asyncio
import base64

from tests.people import PATIENCE_SECONDS

HOST = b"Host: 127.0.0.1"
ORIGIN = b"Origin: https://shop.example"
FORM = b"Content-Type: application/x-www-form-urlencoded"


def request(
    path: bytes, *headers: bytes, method: bytes = b"GET", body: bytes = b""
) -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", HOST, *headers]
    if b"Connection: Upgrade" not in headers:
        lines.append(b"Connection: close")
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def posted(path: bytes, body: bytes, *headers: bytes) -> bytes:
    return request(path, *headers, method=b"POST", body=body)


def handshake(path: bytes, *headers: bytes) -> bytes:
    return request(
        path,
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef"),
        b"Sec-WebSocket-Version: 13",
        *headers,
    )


async def status_of(port: int, raw: bytes) -> tuple[int, bytes]:
    """The answer, and its status; 0 where the server only hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            more = await reader.read() if b" 101 " not in head else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, b""
    finally:
        writer.transport.abort()
    return int(head.split(b" ", 2)[1]), head + more
