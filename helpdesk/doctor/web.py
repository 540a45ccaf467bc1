"""A small client, as simple as what it examines is broken: one connection a request,
no redirect followed, no cookie kept."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import secrets
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import SplitResult

SECONDS = 15  # until something must have been answered
HEAD_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FINAL, MASKED = 0x80, 0x80


class Unreachable(Exception):
    """Nothing came back; `reason` says how."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason
        super().__init__(f"{type(reason).__name__}: {reason}")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


def ask(
    public: SplitResult,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    seconds: float = SECONDS,
) -> Reply:
    """GET, or POST with a body. Raises Unreachable."""
    connection = connection_to(public, seconds)
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Connection": "close", **headers})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    except (OSError, http.client.HTTPException) as error:
        # One that refuses a large body answers before it has read it.
        if early := early_answer(connection):
            return early
        raise Unreachable(error) from error
    finally:
        connection.close()


def early_answer(connection: http.client.HTTPConnection) -> Reply | None:
    if connection.sock is None:
        return None
    try:
        response = http.client.HTTPResponse(connection.sock)
        response.begin()
        return Reply(response.status, response.headers, response.read())
    except (OSError, http.client.HTTPException):
        return None


def connection_to(public: SplitResult, seconds: float) -> http.client.HTTPConnection:
    host = str(public.hostname)
    if public.scheme == "http":
        return http.client.HTTPConnection(host, public.port, timeout=seconds)
    context = ssl.create_default_context()  # SSL_CERT_FILE names other authorities
    return http.client.HTTPSConnection(
        host, public.port, timeout=seconds, context=context
    )


class Refused(Exception):
    """The handshake was answered, but not with a WebSocket."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(f"answered with {status}")


class WebSocket:
    """Just enough of RFC 6455: texts below 64 KiB, and answers to pings."""

    def __init__(self, public: SplitResult, path: str, origin: str) -> None:
        """Raises Unreachable or Refused."""
        self._rest = b""
        connection = connection_to(public, SECONDS)
        try:
            connection.connect()
            self._socket: socket.socket = connection.sock
            self._shake_hands(public, path, origin)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(error) from error
        except Refused:
            connection.close()
            raise

    def _shake_hands(self, public: SplitResult, path: str, origin: str) -> None:
        key = base64.b64encode(secrets.token_bytes(16))
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {public.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key.decode()}",
            "Sec-WebSocket-Version: 13",
            f"Origin: {origin}",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        status, headers, body = self._head()
        digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
        accepted = headers.get("sec-websocket-accept") == base64.b64encode(
            digest
        ).decode("latin1")
        if status != http.HTTPStatus.SWITCHING_PROTOCOLS or not accepted:
            raise Refused(status, body)

    def _head(self) -> tuple[int, Mapping[str, str], str]:
        while b"\r\n\r\n" not in self._rest and len(self._rest) < HEAD_BYTES:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin1").split("\r\n")
        status = first.split()[1:2]
        headers = {name.lower(): value.strip() for name, value in pairs(rest)}
        body = self._rest.decode(errors="replace")
        return int(status[0]) if status and status[0].isdecimal() else 0, headers, body

    def _more(self) -> None:
        piece = self._socket.recv(PIECE_BYTES)
        if not piece:
            raise ConnectionError("closed without a word")
        self._rest += piece

    def say(self, text: str) -> None:
        self._send(TEXT, text.encode())

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        length = (
            bytes([MASKED | len(payload)])
            if len(payload) < 126
            else bytes([MASKED | 126]) + struct.pack(">H", len(payload))
        )
        self._socket.sendall(bytes([FINAL | kind]) + length + mask + masked)

    def hear(self, seconds: float) -> str:
        """The next text. Raises TimeoutError, or ConnectionError when it has ended."""
        self._socket.settimeout(seconds)
        while True:
            kind, payload = self._frame()
            if kind == TEXT:
                return payload.decode(errors="replace")
            if kind == PING:
                self._send(PONG, payload)
            if kind == CLOSE:
                code = int.from_bytes(payload[:2]) if payload else 1005
                raise ConnectionError(f"closed with {code}")

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(self._take(2))
        elif length == 127:
            length = int.from_bytes(self._take(8))
        return first & 0x0F, self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def close(self) -> None:
        self._socket.close()


def pairs(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(":")
        yield name, value
