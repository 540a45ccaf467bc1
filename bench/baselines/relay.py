"""The frames of a relay, as cheap as Python makes them."""

from __future__ import annotations

import msgspec


class Post(msgspec.Struct, tag="message.post"):
    id: str
    text: str


parse = msgspec.json.Decoder(Post).decode
encode = msgspec.json.Encoder().encode


def answers(text: str | bytes) -> tuple[bytes, bytes]:
    """The ack and the event."""
    post = parse(text)
    ack = {"type": "ack", "id": post.id}
    event = {"type": "message.posted", "message": {"id": post.id, "text": post.text}}
    return encode(ack), encode(event)


def other(path: str) -> tuple[str, str]:
    """Whose socket it is, and whose the other one is."""
    pair, _, side = path.rstrip("/").rpartition("/")
    return f"{pair}/{side}", f"{pair}/{1 - int(side)}"
