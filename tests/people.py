"""People at the desk, as tests see them: real sockets that speak the contract."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
PATIENCE_SECONDS = 30  # far beyond what anything takes; then a test has failed


def new_id() -> str:
    return str(uuid.uuid4())


class Person:
    """One open socket. What arrives is kept in `heard`, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Frame] = []
        self.raw: list[str | bytes] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self.welcome: Frame = {}

    @classmethod
    async def connect(cls, url: str, **headers: str) -> Self:
        """Raises websockets' InvalidStatus when the handshake is refused."""
        socket = await connect(
            url,
            additional_headers=headers,
            proxy=None,
            max_size=None,
            ping_interval=None,
        )
        return cls(socket)

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                self.raw.append(text)
                frames = json.loads(text)
                self.heard += frames if isinstance(frames, list) else [frames]
                self._news.set()
        except ConnectionClosed:
            pass
        self._news.set()

    # --- speaking

    async def hello(self, **fields: Any) -> Frame:
        await self.say("hello", **fields)
        self.welcome = await self.hears("welcome")
        return self.welcome

    async def say(self, type: str, **fields: Any) -> None:
        await self.send(json.dumps({"type": type, **fields}))

    async def send(self, raw: str | bytes) -> None:
        await self.socket.send(raw)

    async def ask(self, type: str, **fields: Any) -> Frame:
        """Say a command with an id; returns its ack or refusal."""
        fields.setdefault("id", new_id())
        seen = len(self.heard)
        await self.say(type, **fields)
        return await self.hears(
            "ack", "refused", since=seen, where=lambda f: f.get("id") == fields["id"]
        )

    # --- hearing

    async def hears(
        self,
        *types: str,
        since: int = 0,
        where: Callable[[Frame], bool] = lambda frame: True,
    ) -> Frame:
        """The first frame of these types that fits, now or soon."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for frame in self.heard[since:]:
                    if frame["type"] in types and where(frame):
                        return frame
                if self._reading.done():
                    raise AssertionError(
                        f"closed {self.socket.close_code}: {self.heard}"
                    )
                self._news.clear()
                await self._news.wait()

    async def hears_message(self, text: str) -> Frame:
        frame = await self.hears(
            "message.posted", where=lambda f: f["message"]["text"] == text
        )
        message: Frame = frame["message"]
        return message

    async def sees(self, since: int = 0, **facts: Any) -> Frame:
        """The conversation, as soon as these facts are true of it."""
        frame = await self.hears(
            "conversation.changed",
            since=since,
            where=lambda f: all(
                f["conversation"].get(k) == v for k, v in facts.items()
            ),
        )
        conversation: Frame = frame["conversation"]
        return conversation

    async def heard_so_far(self) -> list[Frame]:
        """Everything up to now: a ping's answer, the last of it, comes after all that
        came before."""
        seen = len(self.heard)
        await self.say("ping")
        pong = await self.hears("pong", since=seen)
        return self.heard[: self.heard.index(pong, seen) + 1]

    # --- leaving

    async def closed(self) -> int:
        """The code with which the server closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reading
        return self.socket.close_code or 0

    async def leave(self) -> None:
        await self.socket.close()

    def vanish(self) -> None:
        """Without a word, as when a laptop closes its network."""
        self.socket.transport.abort()


class Customer(Person):
    @property
    def token(self) -> str:
        return str(self.welcome["token"])

    async def starts(self, text: str = "Hello", **fields: Any) -> Frame:
        """Returns the ack, whose conversation is the new one."""
        ack = await self.ask("conversation.start", text=text, **fields)
        assert ack["type"] == "ack", ack
        return ack

    async def posts(self, text: str, **fields: Any) -> Frame:
        return await self.ask("message.post", text=text, **fields)


class Agent(Person):
    async def posts(self, conversation: str, text: str, **fields: Any) -> Frame:
        return await self.ask(
            "message.post", conversation=conversation, text=text, **fields
        )

    async def takes(self, conversation: str) -> Frame:
        return await self.ask("conversation.take", conversation=conversation)

    async def ends(self, conversation: str, **fields: Any) -> Frame:
        return await self.ask("conversation.end", conversation=conversation, **fields)
