"""Somebody who has no credential and tries."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    WebSocketException,
)

from .history import History, Tried
from .installation import Installation
from .tabs import Frame, new_id

if TYPE_CHECKING:
    from .workload import Workload

EVERY_SECONDS = 1.5
PATIENCE_SECONDS = 8
NOT_SIGNED_IN = 4401


class Stranger:
    """Has a token of their own where one is needed, and never another's."""

    def __init__(
        self, house: Installation, history: History, workload: Workload
    ) -> None:
        self.house = house
        self.history = history
        self.workload = workload

    async def roam(self) -> None:
        tries: list[Callable[[], Awaitable[bool]]] = [
            self.forged_token,
            self.no_session,
            self.foreign_page,
            self.anothers_history,
            self.anothers_conversation,
            self.forged_poll,
        ]
        while self.workload.typing:
            for attempt in tries:
                await asyncio.sleep(EVERY_SECONDS)
                await self._note(attempt)

    async def _note(self, attempt: Callable[[], Awaitable[bool]]) -> None:
        """An attempt that the fault swallowed has shown nothing."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                succeeded = await attempt()
        except (OSError, WebSocketException, http.client.HTTPException, TimeoutError):
            return
        self.history.add(Tried(what=attempt.__name__, succeeded=succeeded))

    @property
    def road(self) -> str:
        return self.workload.rng.choice(self.house.roads).url

    def path(self, where: str) -> str:
        return f"ws{self.road.removeprefix('http')}{where}"

    async def _ask(self, *frames: Frame) -> Frame:
        """As a customer of the shop with a fresh token; the last frame's answer."""
        page = self.house.people["shop"]["page"]
        url = self.path("/ws/customer/shop/")
        answer: Frame = {}
        try:
            async with connect(
                url, additional_headers={"Origin": page}, proxy=None
            ) as own:
                for frame in frames:
                    await own.send(json.dumps(frame))
                    answer = {}
                    while answer.get("type") not in ("welcome", "ack", "refused"):
                        answer = json.loads(await own.recv())
        except ConnectionClosed as closed:
            if not closed.rcvd or closed.rcvd.code != NOT_SIGNED_IN:
                raise
            return {"type": "closed"}
        return answer

    async def forged_token(self) -> bool:
        token = next((t.token for t in self.workload.customers if t.token), "") or ""
        hello = {"type": "hello", "token": token[:-4] + "AAAA"}
        return (await self._ask(hello))["type"] == "welcome"

    async def no_session(self) -> bool:
        road = self.road
        return await self._sits_down(road, {"Origin": road})

    async def foreign_page(self) -> bool:
        cookie = self.workload.agents[0].cookie
        words = {"Origin": "https://evil.example", "Cookie": cookie}
        return await self._sits_down(self.road, words)

    async def _sits_down(self, road: str, words: dict[str, str]) -> bool:
        url = f"ws{road.removeprefix('http')}/ws/agent/"
        try:
            async with connect(url, additional_headers=words, proxy=None) as socket:
                await socket.send('{"type":"hello"}')
                return "welcome" in str(await socket.recv())
        except InvalidHandshake:
            return False

    async def anothers_history(self) -> bool:
        return await self._reaches(
            {"type": "history.get", "after": 0, "limit": 100}, "messages"
        )

    async def anothers_conversation(self) -> bool:
        return await self._reaches(
            {"type": "message.post", "text": "by a stranger"}, "seq"
        )

    async def _reaches(self, frame: Frame, field: str) -> bool:
        here = next((t.here for t in self.workload.customers if t.here), None)
        if here is None:
            return False
        command = {**frame, "id": new_id(), "conversation": here}
        return field in await self._ask({"type": "hello"}, command)

    async def forged_poll(self) -> bool:
        return await asyncio.to_thread(self._poll)

    def _poll(self) -> bool:
        host = self.road.removeprefix("http://")
        body: dict[str, Any] = {"token": "forged", "frames": [], "after": 0}
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
        try:
            headers = {"Origin": self.house.people["shop"]["page"]}
            headers["Content-Type"] = "application/json"
            connection.request(
                "POST", "/widget/shop/poll/", json.dumps(body), headers=headers
            )
            return connection.getresponse().status == 200
        finally:
            connection.close()
