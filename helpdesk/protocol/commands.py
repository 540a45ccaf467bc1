"""Commands: what clients say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from .types import ClientId, Count, Field, Limit, Score


class Command(Struct, frozen=True):
    """Something a client asks for."""


class Page(Struct, frozen=True):
    """The host page on which the widget stands."""

    url: str | None = None
    title: str | None = None
    referrer: str | None = None


class Identity(Struct, frozen=True):
    """A signed-in customer, vouched for by the host's server."""

    id: str
    at: int
    signature: str
    name: str | None = None
    email: str | None = None


class CustomerHello(Command, tag="hello", frozen=True):
    token: str | None = None
    conversation: str | None = None
    after: Count | None = None
    last: str | None = None
    identity: Identity | None = None
    page: Page | None = None
    locale: str | None = None
    batch: bool | None = None


class Start(Command, tag="conversation.start", frozen=True):
    id: ClientId
    text: str
    queue: str | None = None
    name: str | None = None
    email: str | None = None
    fields: dict[str, Field] | None = None
    attachments: list[str] | None = None


class CustomerPost(Command, tag="message.post", frozen=True):
    id: ClientId
    text: str
    attachments: list[str] | None = None
    conversation: str | None = None


class CustomerRead(Command, tag="message.read", frozen=True):
    seq: Count


class CustomerTyping(Command, tag="typing", frozen=True):
    on: bool
    text: str | None = None


class CustomerEnd(Command, tag="conversation.end", frozen=True):
    """`conversation`: the one that was meant, however late it is heard."""

    id: ClientId
    conversation: str | None = None


class Rate(Command, tag="conversation.rate", frozen=True):
    id: ClientId
    score: Score
    comment: str | None = None


class Leave(Command, tag="conversation.leave", frozen=True):
    """No part of version 1: leave the line and a message instead."""

    id: ClientId
    email: str | None = None


class CustomerHistory(Command, tag="history.get", frozen=True):
    id: ClientId
    before: Count | None = None
    after: Count | None = None
    limit: Limit | None = None
    conversation: str | None = None


class Ping(Command, tag="ping", frozen=True):
    pass


class AgentHello(Command, tag="hello", frozen=True):
    after: dict[str, tuple[Count, str | None]] | None = None
    batch: bool | None = None


class StatusSet(Command, tag="status.set", frozen=True):
    id: ClientId
    status: Annotated[str, Meta(pattern=r"^(online|away|offline)$(?!\n)")]
    reason: str | None = None
    agent: str | None = None  # a supervisor sets a colleague's


class OfferAccept(Command, tag="offer.accept", frozen=True):
    id: ClientId
    conversation: str


class OfferDecline(Command, tag="offer.decline", frozen=True):
    id: ClientId
    conversation: str


class Take(Command, tag="conversation.take", frozen=True):
    id: ClientId
    conversation: str


class Target(Struct, frozen=True):
    """Where a transfer goes: a queue or an agent."""

    queue: str | None = None
    agent: str | None = None


class Transfer(Command, tag="conversation.transfer", frozen=True):
    id: ClientId
    conversation: str
    to: Target
    note: str | None = None


class AgentEnd(Command, tag="conversation.end", frozen=True):
    id: ClientId
    conversation: str
    outcome: (
        Annotated[str, Meta(pattern=r"^(resolved|missed|expired)$(?!\n)")] | None
    ) = None


class Watch(Command, tag="conversation.watch", frozen=True):
    id: ClientId
    conversation: str


class Unwatch(Command, tag="conversation.unwatch", frozen=True):
    id: ClientId
    conversation: str


class Join(Command, tag="conversation.join", frozen=True):
    id: ClientId
    conversation: str


class WrapUpEnd(Command, tag="wrap_up.end", frozen=True):
    """No part of version 1: ready before the queue's wrap-up time is over."""

    id: ClientId


class Tag(Command, tag="conversation.tag", frozen=True):
    id: ClientId
    conversation: str
    tags: list[str]


class Block(Command, tag="customer.block", frozen=True):
    """No part of version 1: keep the conversation's customer out for a while."""

    id: ClientId
    conversation: str
    reason: str
    seconds: Annotated[int, Meta(ge=60, le=366 * 24 * 3600)]


class AgentPost(Command, tag="message.post", frozen=True):
    id: ClientId
    conversation: str
    text: str
    attachments: list[str] | None = None
    note: bool | None = None


class AgentRead(Command, tag="message.read", frozen=True):
    conversation: str
    seq: Count


class AgentTyping(Command, tag="typing", frozen=True):
    conversation: str
    on: bool
    text: str | None = None


class AgentHistory(Command, tag="history.get", frozen=True):
    id: ClientId
    conversation: str
    before: Count | None = None
    after: Count | None = None
    limit: Limit | None = None


CustomerCommand = (
    CustomerHello
    | Start
    | CustomerPost
    | CustomerRead
    | CustomerTyping
    | CustomerEnd
    | Leave
    | Rate
    | CustomerHistory
    | Ping
)
AgentCommand = (
    AgentHello
    | StatusSet
    | WrapUpEnd
    | OfferAccept
    | OfferDecline
    | Take
    | Transfer
    | AgentEnd
    | Watch
    | Unwatch
    | Join
    | Tag
    | Block
    | AgentPost
    | AgentRead
    | AgentTyping
    | AgentHistory
    | Ping
)
