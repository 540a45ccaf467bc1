"""One page of somebody: a connection that comes back, what the page shows, and what
it sends until it is answered. It speaks docs/protocol.md as the widget and the
dashboard do, and writes down what it does and hears."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from .history import Acked, Cleared, Failed, Heard, History, Leaked, Resumed, Sent

Frame = dict[str, Any]

ANSWER_SECONDS = 10  # then a frame is sent again with the same id
PING_SECONDS = 5  # the contract allows 20; a lost tail shows sooner so
GIVE_UP_SECONDS = 40  # without a frame
OPEN_SECONDS = 10
STABLE_SECONDS = 10
BACKOFF_SECONDS = (0.5, 30.0)
LATER = ("rate_limited", "overloaded")
BACKLOG = 8  # unanswered posts in one conversation: then a person stops typing


class Road(Protocol):
    """A way to the desk."""

    @property
    def url(self) -> str: ...


class Tab:
    role: str
    path: str

    def __init__(
        self, name: str, roads: Sequence[Road], history: History, rng: random.Random
    ) -> None:
        self.name = name
        self.roads = roads
        self.history = history
        self.rng = rng
        self.socket: ClientConnection | None = None
        self.welcomed = asyncio.Event()
        self.welcomes = 0
        self.held: dict[str, dict[int, str]] = defaultdict(dict)  # by conversation
        self.said: dict[str, int] = {}  # in hello: up to where it holds them
        self.forbidden: tuple[str, ...] = ()  # words that must never reach it
        self.looks: Callable[[str, str], Awaitable[bool | None]] = nobody_looks
        self.waiting: dict[str, asyncio.Future[Frame | None]] = {}
        self.lanes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.backlog: dict[str, int] = defaultdict(int)
        self.retry_seconds = 0.0
        self.road: Road | None = None
        self.byes = 0
        self._pong: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def person(self) -> str:
        raise NotImplementedError

    # --- being connected

    async def live(self) -> None:
        """Until cancelled."""
        tries = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._once()
            except (OSError, WebSocketException, TimeoutError):
                pass
            finally:
                self._down()
            stable = asyncio.get_running_loop().time() - began > STABLE_SECONDS
            tries = 0 if stable else tries + 1
            await asyncio.sleep(self._pause(tries))

    def _pause(self, tries: int) -> float:
        if self.retry_seconds:
            seconds, self.retry_seconds = self.retry_seconds, 0.0
            return seconds
        first, most = BACKOFF_SECONDS
        return max(0.25, self.rng.uniform(0, min(most, first * 2 ** min(tries, 10))))

    async def _once(self) -> None:
        road = self.road = self.rng.choice(self.roads)
        async with connect(
            f"ws{road.url.removeprefix('http')}{self.path}",
            additional_headers=self.headers(road),
            proxy=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=0.5,
            ping_interval=None,
            max_size=None,
        ) as socket:
            self.socket = socket
            await self._send(self.hello())
            pinging = asyncio.create_task(self._ping())
            try:
                while True:
                    await self._hear(socket)
            finally:
                pinging.cancel()

    async def _hear(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                text = str(await socket.recv())
        except TimeoutError:
            socket.transport.abort()
            raise
        for word in self.forbidden:
            if word in text:
                self.history.add(Leaked(tab=self.name, word=word))
        frames = json.loads(text)
        for frame in frames if isinstance(frames, list) else [frames]:
            self.take(frame)

    def _down(self) -> None:
        self.socket = None
        self.welcomed.clear()
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_result(None)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            if self.welcomed.is_set():
                await self._send({"type": "ping"})

    async def pong_seconds(self) -> float:
        """How long a ping takes now; nothing where there is no socket to ask on."""
        loop = asyncio.get_running_loop()
        began, socket = loop.time(), self.socket
        if socket is None:
            return 0.0
        self._pong = loop.create_future()
        await self._send({"type": "ping"})
        while not self._pong.done() and self.socket is socket:
            await asyncio.wait([self._pong], timeout=0.1)
        return loop.time() - began if self._pong.done() else 0.0

    async def _send(self, frame: Frame) -> None:
        if self.socket is None:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.socket.send(json.dumps(frame))
        except (WebSocketException, OSError, TimeoutError):
            pass  # whoever waits for an answer sends it again

    def vanish(self) -> None:
        """Without a word."""
        if self.socket:
            self.socket.transport.abort()

    def headers(self, road: Road) -> dict[str, str]:
        raise NotImplementedError

    def hello(self) -> Frame:
        raise NotImplementedError

    # --- sending

    def posts(self, frame: Frame, conversation: str) -> None:
        """Show it as sending, and send it until it is answered."""
        if self.backlog[conversation] < BACKLOG:
            self.backlog[conversation] += 1
            self.soon(self._posts(frame, conversation))

    async def _posts(self, frame: Frame, conversation: str) -> None:
        try:
            await self.says(frame, conversation)
        finally:
            self.backlog[conversation] -= 1

    async def says(self, frame: Frame, conversation: str | None = None) -> Frame:
        """The final answer: an ack, or a refusal that is for good. One at a time in
        each conversation, which keeps their order."""
        frame.setdefault("id", new_id())
        if "text" in frame:
            self._note_sent(frame, conversation)
        async with self.lanes[conversation or ""]:
            while True:
                answer = await self._tries(frame)
                if answer is None:
                    continue
                if answer["type"] == "refused" and answer["code"] in LATER:
                    await asyncio.sleep(answer.get("retry_ms", 1000) / 1000)
                    continue
                break
        await self._note_answer(frame, answer)
        return answer

    async def _tries(self, frame: Frame) -> Frame | None:
        """One attempt: None when no answer came."""
        await self.welcomed.wait()
        id = frame["id"]
        future = self.waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await self._send(frame)
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            return None
        finally:
            self.waiting.pop(id, None)

    def _note_sent(self, frame: Frame, conversation: str | None) -> None:
        self.history.add(
            Sent(
                tab=self.name,
                sender=self.person,
                id=frame["id"],
                conversation=conversation,
                text=frame["text"],
            )
        )

    async def _note_answer(self, frame: Frame, answer: Frame) -> None:
        if "text" not in frame:
            return
        who = {"tab": self.name, "sender": self.person, "id": frame["id"]}
        if answer["type"] == "refused":
            self.history.add(Failed(**who, code=answer["code"]))
            return
        where = answer["conversation"]
        conversation = where["id"] if isinstance(where, dict) else where
        acked = Acked(**who, conversation=conversation, seq=answer.get("seq", 0))
        self.history.add(acked)
        own = {**answer, "id": frame["id"], "text": frame["text"]}
        self.hears(conversation, [own], "ack")
        acked.stored = await self.looks(self.person, frame["id"])

    @property
    def unanswered(self) -> int:
        return sum(self.backlog.values())

    # --- hearing

    def take(self, frame: Frame) -> None:
        match frame["type"]:
            case "ack" | "refused":
                future = self.waiting.get(frame.get("id", ""))
                if future and not future.done():
                    future.set_result(frame)
            case "welcome":
                self.welcomes += 1
                self.take_welcome(frame)
                self.welcomed.set()
            case "message.posted":
                self.take_posted(frame["conversation"], frame["message"])
            case "conversation.changed":
                self.take_changed(frame["conversation"])
            case "pong":
                if self._pong and not self._pong.done():
                    self._pong.set_result(None)
                self.take_pong(frame)
            case "bye":
                self.byes += 1
                self.retry_seconds = frame["retry_ms"] / 1000
            case _:
                self.take_other(frame)

    def take_welcome(self, frame: Frame) -> None:
        raise NotImplementedError

    def take_posted(self, conversation: str, message: Frame) -> None:
        raise NotImplementedError

    def take_changed(self, conversation: Frame) -> None:
        raise NotImplementedError

    def take_pong(self, frame: Frame) -> None:
        raise NotImplementedError

    def take_other(self, frame: Frame) -> None:
        """Events of one role alone."""

    # --- the screen

    def place(self, message: Frame) -> int:
        raise NotImplementedError

    def hears(self, conversation: str, messages: Sequence[Frame], by: str) -> None:
        """Hold them, then ask for what is missing between."""
        held = self.held[conversation]
        for message in messages:
            place = self.place(message)
            self.history.add(
                Heard(
                    tab=self.name,
                    conversation=conversation,
                    place=place,
                    id=message["id"],
                    text=message.get("text", ""),
                    by=by,
                )
            )
            held.setdefault(place, message["id"])
        if held and max(held) > self.unbroken(conversation):
            self.fill(conversation)

    def unbroken(self, conversation: str) -> int:
        """Up to which place nothing is missing."""
        held, place = self.held[conversation], 0
        while place + 1 in held:
            place += 1
        return place

    def resumes(
        self, conversation: str, messages: Sequence[Frame], newest: int, more: bool
    ) -> None:
        """A welcome brings what was missing when this tab said hello."""
        if after := self.said.get(conversation):
            brought = [self.place(message) for message in messages]
            self.history.add(
                Resumed(
                    tab=self.name,
                    conversation=conversation,
                    after=after,
                    brought=brought,
                    newest=0 if more else newest,
                )
            )
        self.hears(conversation, messages, "welcome")

    def clears(self, conversation: str, instead: str) -> None:
        if self.held.pop(conversation, None):
            self.history.add(
                Cleared(tab=self.name, conversation=conversation, instead=instead)
            )

    def fill(self, conversation: str) -> None:
        """Ask for what comes after the unbroken part, unless that is under way."""
        lane = self.lanes[f"history of {conversation}"]
        if not lane.locked():
            self.soon(self._fill(conversation, lane))

    async def _fill(self, conversation: str, lane: asyncio.Lock) -> None:
        async with lane:
            answer = await self._tries(
                {
                    "type": "history.get",
                    "id": new_id(),
                    "conversation": conversation,
                    "after": self.unbroken(conversation),
                    "limit": 100,
                }
            )
        if answer and answer["type"] == "ack":
            self.hears(conversation, answer["messages"], "history")

    # --- work of its own

    def soon(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self.vanish()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class CustomerTab(Tab):
    role = "customer"

    def __init__(self, site: str, page: str, *args: Any) -> None:
        super().__init__(*args)
        self.path = f"/ws/customer/{site}/"
        self.page = page
        self.me = ""
        self.token: str | None = None
        self.conversation: Frame | None = None
        self.others: list[CustomerTab] = []  # of the same browser: they share a token

    @property
    def person(self) -> str:
        return self.me

    @property
    def here(self) -> str | None:
        return self.conversation["id"] if self.conversation else None

    @property
    def is_open(self) -> bool:
        return bool(self.conversation) and self.conversation["state"] != "ended"

    def headers(self, road: Road) -> dict[str, str]:
        return {"Origin": self.page}

    def hello(self) -> Frame:
        hello: Frame = {"type": "hello", "batch": self.rng.random() < 0.5}
        if self.token:
            hello["token"] = self.token
        self.said = {}
        if self.here and (after := self.unbroken(self.here)):
            self.said = {self.here: after}
            last = self.held[self.here][after]
            hello |= {"conversation": self.here, "after": after, "last": last}
        return hello

    def place(self, message: Frame) -> int:
        return int(message["seq"])

    def take_welcome(self, frame: Frame) -> None:
        self.token, self.me = frame["token"], frame["customer"]["id"]
        for other in self.others:
            other.token, other.me = self.token, self.me
        shown = frame["conversation"]
        here = shown["id"] if shown else ""
        if self.here and (frame.get("reset") or here != self.here):
            self.clears(self.here, here)
            self.conversation = None
        if shown:
            if self.conversation is None or shown["version"] >= self.version:
                self.conversation = shown
            self.resumes(here, frame["messages"], shown["seq"], frame["more"])

    @property
    def version(self) -> int:
        return int(self.conversation["version"]) if self.conversation else 0

    def take_posted(self, conversation: str, message: Frame) -> None:
        self.hears(conversation, [message], "event")

    def take_changed(self, conversation: Frame) -> None:
        held = self.conversation
        if held and held["id"] == conversation["id"]:
            if held["version"] > conversation["version"]:
                return
        elif held and held["created_at"] > conversation["created_at"]:
            return
        self.conversation = conversation
        if conversation["seq"] > self.unbroken(conversation["id"]):
            self.fill(conversation["id"])

    def take_pong(self, frame: Frame) -> None:
        if frame.get("version", 0) > self.version:
            self.vanish()  # it begins anew, as the widget does
        elif self.here and frame.get("seq", 0) > self.unbroken(self.here):
            self.fill(self.here)


class AgentTab(Tab):
    role = "agent"
    path = "/ws/agent/"

    def __init__(self, me: str, cookie: str, *args: Any) -> None:
        super().__init__(*args)
        self.me = me
        self.cookie = cookie
        self.mine: dict[str, Frame] = {}
        self.line: dict[str, Frame] = {}
        self.rings: set[str] = set()
        self.news = asyncio.Event()  # something can be taken or accepted
        self.colleagues: list[str] = []

    @property
    def person(self) -> str:
        return self.me

    def headers(self, road: Road) -> dict[str, str]:
        return {"Origin": road.url, "Cookie": self.cookie}

    def hello(self) -> Frame:
        places = {each: self.unbroken(each) for each in self.mine}
        self.said = {each: place for each, place in places.items() if place}
        after = {e: [place, self.held[e][place]] for e, place in self.said.items()}
        return {"type": "hello", "after": after, "batch": self.rng.random() < 0.5}

    def place(self, message: Frame) -> int:
        return int(message["seq"]) + int(message["notes"])

    def take_welcome(self, frame: Frame) -> None:
        held = {each["id"]: each for each in frame["conversations"]}
        for id in [each for each in self.held if each not in held]:
            self.clears(id, "")  # as the dashboard forgets what it does not hold
        for id, messages in frame["messages"].items():
            places = [self.place(message) for message in messages]
            # Staff are not told of a reset: a page that begins anew says so itself.
            if self.said.get(id) and places and places[0] == 1:
                self.clears(id, id)
                self.said.pop(id)
            newest = held[id]["seq"] + held[id]["notes"]
            self.resumes(id, messages, newest, frame["more"][id])
        self.mine = held
        self.line = {each["id"]: each for each in frame["waiting"]}
        self.rings = {each["conversation"]["id"] for each in frame["offers"]}
        self.colleagues = [
            each["id"]
            for each in frame["agents"]
            if each["id"] != self.me and each["connected"]
        ]

    def take_posted(self, conversation: str, message: Frame) -> None:
        self.hears(conversation, [message], "event")

    def is_news(self, conversation: Frame) -> bool:
        id = conversation["id"]
        known = self.mine.get(id) or self.line.get(id)
        return known is None or known["version"] <= conversation["version"]

    def take_changed(self, conversation: Frame) -> None:
        id, state = conversation["id"], conversation["state"]
        if not self.is_news(conversation):
            return
        holder = (conversation["agent"] or {}).get("id")
        self.line.pop(id, None)
        self.mine.pop(id, None)
        if state == "waiting":
            self.line[id] = conversation
            self.news.set()
        elif state == "active" and holder == self.me:
            self.mine[id] = conversation
            place = conversation["seq"] + conversation["notes"]
            if place > self.unbroken(id):
                self.fill(id)

    def take_pong(self, frame: Frame) -> None:
        pong = frame["conversations"]
        versions = {id: version for id, (_place, version) in pong.items()}
        mine = {id: each["version"] for id, each in self.mine.items()}
        if versions.keys() != mine.keys() or any(
            versions[id] > version for id, version in mine.items()
        ):
            self.vanish()  # a change was lost: it begins anew, as the dashboard does
            return
        for id, (place, _version) in pong.items():
            if place > self.unbroken(id):
                self.fill(id)

    def take_other(self, frame: Frame) -> None:
        if frame["type"] == "offer.made":
            self.rings.add(frame["conversation"]["id"])
            self.news.set()
        elif frame["type"] == "offer.withdrawn":
            self.rings.discard(frame["conversation"])


async def nobody_looks(sender: str, id: str) -> bool | None:
    return None


def new_id() -> str:
    return str(uuid.uuid4())
