"""A shop with a desk, and people who come to it: for tests over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from websockets.asyncio.client import ClientConnection

from agents.models import Agent
from customers.models import Site
from helpdesk import database, desk, limits
from helpdesk.consumers import DeskConsumer
from helpdesk.models import Conversation, Message, Queue, QueueMembership
from tests import people
from tests.back_office import PASSWORD, signed_in
from tests.live import LiveServer
from tests.people import PATIENCE_SECONDS, Frame, Person

T = TypeVar("T")
KEY = "shop"
PAGE = "https://shop.example"  # which the site allows


class Address(Protocol):
    """A server, in this process or in one of its own."""

    @property
    def url(self) -> str: ...
    @property
    def ws_url(self) -> str: ...


async def stored(look: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Look into the database, or change it, as a test may."""
    return await database.in_transaction(look, *args, **kwargs)


async def eventually(true: Callable[[], object]) -> None:
    """Wait until it is so, on the server's side, which tells us nothing."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class LongPoll:
    """A customer where WebSockets are blocked. Remembers what a client remembers."""

    def __init__(self, server: Address, token: str | None = None) -> None:
        self.server = server
        self.token = token
        self.after = 0
        self.version: int | None = None
        self.welcome: Frame = {}

    async def asks(self, **body: Any) -> list[Frame]:
        """One poll; returns its frames."""
        status, answer = await self.posts_body(
            {
                "token": self.token,
                "frames": [],
                "after": self.after,
                "version": self.version,
            }
            | body
        )
        assert status == 200, answer
        self.token, self.after = answer["token"], answer["after"]
        frames: list[Frame] = answer["frames"]
        for frame in frames:
            self.remember(frame.get("conversation"))
        return frames

    def remember(self, conversation: Any) -> None:
        """What acks, welcomes and changes tell of it."""
        if isinstance(conversation, dict):
            self.version = conversation["version"]

    async def hello(self, **fields: Any) -> Frame:
        self.welcome = (await self.asks(hello=fields))[0]
        assert self.welcome["type"] == "welcome"
        return self.welcome

    async def says(self, type: str, **fields: Any) -> Frame:
        """The answer to one command."""
        command = {"type": type, "id": people.new_id()} | fields
        return (await self.asks(frames=[command]))[0]

    async def hears_message(self, text: str) -> Frame:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for frame in await self.asks(wait=5):
                    said = frame.get("message", {})
                    if said.get("text") == text:
                        return dict(said)

    async def posts_body(
        self, body: Any, key: str = KEY, **headers: str
    ) -> tuple[int, Frame]:
        """Status and answer. `body` may be bytes, or anything for JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Origin": PAGE, "Content-Type": "application/json"} | headers
        told = {name: value for name, value in told.items() if value}
        url = f"/widget/{key}/poll/"
        return await asyncio.to_thread(_post, self.server.url, url, raw, told)


def _post(server: str, url: str, body: bytes, headers: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection(server.partition("//")[2], timeout=40)
    try:
        connection.request("POST", url, body, headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, {"text": text.decode()}


@dataclass
class Shop:
    server: LiveServer
    site: Site
    sales: Queue  # given out
    billing: Queue  # taken from the line
    ada: Agent  # in both
    ben: Agent  # in both
    olaf: Agent  # of another site
    elsewhere: Queue  # of the other site
    everybody: list[Person] = field(default_factory=list)

    # --- customers

    async def knocks(
        self, key: str = KEY, at: Address | None = None, **headers: str
    ) -> people.Customer:
        """A customer's socket before its hello."""
        url = f"{(at or self.server).ws_url}/ws/customer/{key}/"
        told = {"Origin": PAGE} | headers
        person = await people.Customer.connect(
            url, **{name: value for name, value in told.items() if value}
        )
        self.everybody.append(person)
        return person

    async def customer(
        self, at: Address | None = None, **hello: Any
    ) -> people.Customer:
        person = await self.knocks(at=at)
        await person.hello(**hello)
        return person

    async def again(self, customer: people.Customer, **hello: Any) -> people.Customer:
        """The same customer in another tab."""
        return await self.customer(token=customer.token, **hello)

    def long_poll(
        self, token: str | None = None, at: Address | None = None
    ) -> LongPoll:
        return LongPoll(at or self.server, token)

    # --- agents

    async def cookie(self, user: User) -> str:
        return await stored(lambda: session_cookie(user))

    async def sits_down(
        self, agent: Agent, at: Address | None = None, **headers: str
    ) -> people.Agent:
        """An agent's socket before its hello."""
        server = at or self.server
        told = {"Origin": server.url} | headers
        if "Cookie" not in told:
            told["Cookie"] = await self.cookie(agent.user)
        person = await people.Agent.connect(
            f"{server.ws_url}/ws/agent/",
            **{name: value for name, value in told.items() if value},
        )
        self.everybody.append(person)
        return person

    async def agent(
        self, agent: Agent, at: Address | None = None, **hello: Any
    ) -> people.Agent:
        person = await self.sits_down(agent, at)
        await person.hello(**hello)
        return person

    # --- the server's side, when it is in this process

    @property
    def desk(self) -> desk.Desk:
        (running,) = [
            each for loop, each in desk._desks.items() if loop is self.server.loop
        ]
        return running

    def served(self, person: Person | ClientConnection) -> DeskConsumer:
        """The server's end of a socket."""
        client = person.socket if isinstance(person, Person) else person
        port = client.local_address[1]
        sockets = [
            each for each in self.desk.sockets if each.scope["client"][1] == port
        ]
        return sockets[0]

    async def on_server(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.to_thread(self.server.do, work)

    # --- both

    async def talk(self) -> tuple[people.Customer, people.Agent, str]:
        """Cora talks with Ada, in the conversation of this id."""
        ada = await self.agent(self.ada)
        cora = await self.customer()
        ack = await cora.starts("Hello?")
        await cora.sees(state="active")
        return cora, ada, str(ack["conversation"]["id"])

    async def close(self) -> None:
        for person in self.everybody:
            await person.leave()


def session_cookie(user: User) -> str:
    """Of a browser in which this user is signed in."""
    client = signed_in(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


def open_shop(server: LiveServer) -> Shop:
    site = Site.objects.create(
        key=KEY, name="Shop", allowed_origins=PAGE, secret="shop-secret"
    )
    other = Site.objects.create(
        key="rival", name="Rival", allowed_origins="https://rival.example"
    )
    sales = Queue.objects.create(site=site, name="Sales", position=0)
    billing = Queue.objects.create(
        site=site, name="Billing", position=1, strategy="manual"
    )
    elsewhere = Queue.objects.create(site=other, name="Elsewhere")
    return Shop(
        server,
        site,
        sales,
        billing,
        ada=new_agent("ada", sales, billing),
        ben=new_agent("ben", sales, billing),
        olaf=new_agent("olaf", elsewhere),
        elsewhere=elsewhere,
    )


def new_agent(username: str, *queues: Queue) -> Agent:
    user = User.objects.create_user(username, f"{username}@example.com", PASSWORD)
    agent = Agent.objects.create(user=user, name=username.capitalize())
    for queue in queues:
        QueueMembership.objects.create(queue=queue, agent=agent)
    return agent


def told(conversation: str) -> list[tuple[int, str]]:
    """What is stored of a conversation: seq and text, notes left out."""
    rows = Message.objects.filter(conversation=conversation).exclude(kind="note")
    return list(rows.order_by("seq").values_list("seq", "text"))


def texts(conversation: str) -> list[str]:
    """What people said in it, in order."""
    rows = Message.objects.filter(conversation=conversation).exclude(kind="system")
    return list(rows.order_by("place").values_list("text", flat=True))


def rows() -> tuple[int, int]:
    """How many conversations and messages are stored at all."""
    return Conversation.objects.count(), Message.objects.count()


def change(row: Any, **fields: Any) -> None:
    type(row).objects.filter(pk=row.pk).update(**fields)


def forget_limits() -> None:
    """One test's haste is not the next one's."""
    for limit in vars(limits).values():
        if isinstance(limit, limits.Limit):
            limit._buckets.clear()
