"""A reverse proxy as an operator might have set it up, well or badly."""

from __future__ import annotations

import datetime as dt
import http.client
import select
import socket
import ssl
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Headers = list[tuple[str, str]]
PIECE_BYTES = 64 * 1024
PATIENCE_SECONDS = 60


@dataclass
class Faults:
    """What is wrong with it."""

    away: bool = False  # what it stands before
    strips_upgrade: bool = False
    hides_scheme: bool = False
    hides_client: bool = False
    host: str = ""  # by which it asks
    most_bytes: int | None = None  # larger bodies are refused
    cuts_at: int | None = None  # of larger bodies the rest is lost
    idle_seconds: float | None = None
    swallows_frames: bool = False
    adds: tuple[tuple[str, str], ...] = ()  # headers of answers
    hides: tuple[str, ...] = ()  # headers of answers
    missing: str = ""  # paths that begin so are not found
    rewrites_location: str = ""


class Proxy:
    """Each connection carries one request, in a thread of its own."""

    def __init__(self, certificate: Path | None) -> None:
        self.faults = Faults()
        self.upstream = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self.tls and certificate:
            self.tls.load_cert_chain(certificate)
        self.open: set[socket.socket] = set()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://localhost:{self.port}"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in tuple(self.open):
            each.close()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, bare: socket.socket) -> None:
        try:
            client = self.tls.wrap_socket(bare, server_side=True) if self.tls else bare
        except OSError:
            bare.close()
            return
        client.settimeout(PATIENCE_SECONDS)
        self.open.add(client)
        try:
            self.carry(client)
        except OSError:
            pass  # one of the two has gone
        finally:
            self.open.discard(client)
            client.close()

    def carry(self, client: socket.socket) -> None:
        line, headers, rest = read_head(client)
        told = {name.lower(): value for name, value in headers}
        size = int(told.get("content-length", 0))
        faults = self.faults
        if faults.away:
            answer(client, 502)
        elif faults.most_bytes is not None and size > faults.most_bytes:
            refuse_body(client, size - len(rest))
        elif faults.missing and line.split()[1].startswith(faults.missing):
            answer(client, 404)
        else:
            self.forward(client, line, headers, rest, size)

    def forward(
        self, client: socket.socket, line: str, headers: Headers, rest: bytes, size: int
    ) -> None:
        with socket.create_connection(("127.0.0.1", self.upstream)) as server:
            server.settimeout(PATIENCE_SECONDS)
            upgrades = not self.faults.strips_upgrade and any(
                name.lower() == "upgrade" for name, _ in headers
            )
            kept = self.faults.cuts_at if self.faults.cuts_at is not None else size
            told = self.told(headers, upgrades, min(size, kept) if size else None)
            server.sendall(head(line, told))
            send_body(client, server, rest, size, kept)
            server.settimeout(self.faults.idle_seconds or PATIENCE_SECONDS)
            try:
                status, answered, more = read_head(server)
            except TimeoutError:
                answer(client, 504)
                return
            client.sendall(head(status, self.answered(answered)) + more)
            self.pump(client, server, frames=upgrades)

    def told(self, headers: Headers, upgrades: bool, size: int | None) -> Headers:
        """What the server is told."""
        faults = self.faults
        left_out = {"connection", "upgrade", "content-length"}
        told = [each for each in headers if each[0].lower() not in left_out]
        if size is not None:
            told.append(("Content-Length", str(size)))
        if upgrades:
            told += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
        else:
            told.append(("Connection", "close"))
        if not faults.hides_scheme:
            told.append(("X-Forwarded-Proto", "https" if self.tls else "http"))
        if faults.hides_client:
            told = [each for each in told if each[0].lower() != "x-forwarded-for"]
        else:
            told.append(("X-Forwarded-For", "127.0.0.1"))
        if faults.host:
            told = [each for each in told if each[0].lower() != "host"]
            told.append(("Host", faults.host))
        return told

    def answered(self, headers: Headers) -> Headers:
        """What the client is told."""
        told = [each for each in headers if each[0].lower() not in self.faults.hides]
        if where := self.faults.rewrites_location:
            told = [(n, where if n.lower() == "location" else v) for n, v in told]
        return [*told, *self.faults.adds]

    def pump(self, client: socket.socket, server: socket.socket, frames: bool) -> None:
        """Both ways, until one side ends or nobody has said anything for too long."""
        swallows = frames and self.faults.swallows_frames
        while True:
            waiting = [client] if isinstance(client, ssl.SSLSocket) else []
            ready = [each for each in waiting if each.pending()]  # type: ignore[attr-defined]
            if not ready:
                idle = self.faults.idle_seconds or PATIENCE_SECONDS
                ready, _, _ = select.select([client, server], [], [], idle)
            if not ready:
                return
            for each in ready:
                piece = each.recv(PIECE_BYTES)
                if not piece:
                    return
                if each is client:
                    server.sendall(piece)
                elif not swallows:
                    client.sendall(piece)


def read_head(of: socket.socket) -> tuple[str, Headers, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = of.recv(PIECE_BYTES)
        if not piece:
            raise ConnectionError
        data += piece
    text, _, rest = data.partition(b"\r\n\r\n")
    line, *lines = text.decode("latin1").split("\r\n")
    pairs = [each.partition(":") for each in lines]
    return line, [(name, value.strip()) for name, _, value in pairs], rest


def head(line: str, headers: Headers) -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin1")


def answer(client: socket.socket, status: int) -> None:
    line = f"HTTP/1.1 {status} {http.client.responses[status]}"
    headers = [("Content-Length", "5"), ("Connection", "close")]
    client.sendall(head(line, headers) + b"proxy")


def refuse_body(client: socket.socket, left: int) -> None:
    """At once, and then read what still comes, so that the answer is heard."""
    answer(client, 413)
    while left > 0 and (piece := client.recv(PIECE_BYTES)):
        left -= len(piece)


def send_body(
    client: socket.socket, server: socket.socket, first: bytes, size: int, kept: int
) -> None:
    piece, seen = first, 0
    while True:
        server.sendall(piece[: max(0, kept - seen)])
        seen += len(piece)
        if seen >= size:
            return
        piece = client.recv(PIECE_BYTES)
        if not piece:
            raise ConnectionError


def make_certificate(path: Path, name: str = "localhost") -> Path:
    """Key and certificate in one file, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, form, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path
