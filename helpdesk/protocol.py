"""The frames of the wire contract, version 1 (docs/protocol.md).

Pure: knows no Django, no loop and no socket. Commands are decoded strictly; unknown
fields are ignored; `null` in an optional field means absent. Answers and events are
built as structs, so that what may leave is a closed schema.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

from .errors import BadFrame, Refused
from .reasons import Because

VERSION = 1
PAGE = 200  # messages in a welcome
HISTORY_PAGE = 100  # messages in an answer to history.get, at most
FRAME_BYTES = 65_536
DETAIL_CHARS = 200

# `$` alone would also match before a final line feed.
ClientId = Annotated[str, Meta(pattern=r"^[!-~]{8,64}$(?!\n)")]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # a seq or place; PostgreSQL's integer
Score = Annotated[int, Meta(ge=1, le=5)]
Limit = Annotated[int, Meta(ge=1, le=HISTORY_PAGE)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Field = str | int | float | bool | None


@functools.lru_cache(maxsize=256)  # a batch of messages has one time, told thrice each
def wire_time(at: dt.datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-03-04T05:06:07.089Z."""
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


# --- commands: what clients say ------------------------------------------------


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
    id: ClientId


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


# --- objects: what frames carry ------------------------------------------------


class Object(Struct, frozen=True, omit_defaults=True):
    """A thing that frames carry."""


class Author(Object, frozen=True):
    kind: str
    id: str
    name: str
    avatar: str | None = None


class Attachment(Object, frozen=True):
    id: str
    name: str
    type: str
    size: int
    url: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None


class Message(Object, frozen=True):
    """For customers `notes` is absent: they never learn that notes exist."""

    seq: int
    id: str
    kind: str
    author: Author
    text: str
    attachments: list[Attachment]
    at: Time
    notes: int | None = None
    event: str | None = None
    data: dict[str, Any] | None = None


class QueueName(Object, frozen=True):
    id: str
    name: str


class Queue(Object, frozen=True):
    id: str
    name: str
    open: bool


class StaffQueue(Queue, frozen=True, kw_only=True):
    waiting: int
    active: int
    longest_wait_seconds: int
    staffed: int
    stands_still: bool | None = None


class AgentName(Object, frozen=True):
    id: str
    name: str
    avatar: str | None = None


class Agent(Object, frozen=True):
    id: str
    name: str
    status: str
    connected: bool
    active: bool
    load: int
    capacity: int
    avatar: str | None = None
    reason: str | None = None
    set_by: AgentName | None = None  # a supervisor who set the status
    wrap_up_until: Time | None = None
    queues: list[str] = []  # which they staff


class Read(Object, frozen=True):
    customer: int
    agent: int


class Conversation(Object, frozen=True, kw_only=True):
    """What a customer may see of a conversation."""

    id: str
    version: int
    site: str
    queue: QueueName
    state: str
    agent: AgentName | None
    seq: int
    read: Read
    created_at: Time
    outcome: str | None = None
    position: int | None = None
    wait_seconds: tuple[int, int] | None = None
    rating: int | None = None
    left: bool | None = None
    started_at: Time | None = None
    ended_at: Time | None = None


class StaffCustomer(Object, frozen=True, kw_only=True):
    id: str
    name: str
    email: str | None
    verified: bool
    page: dict[str, str]
    locale: str
    fields: dict[str, Field]
    online: bool
    browser: str | None = None


class PendingTransfer(Object, frozen=True):
    to: dict[str, str]
    by: AgentName
    note: str


class StaffConversation(Conversation, frozen=True, kw_only=True):
    """What staff see of it besides."""

    notes: int
    customer: StaffCustomer
    tags: list[str]
    why: str
    because: Because | None = None
    transfer: PendingTransfer | None = None
    gone_since: Time | None = None  # the customer, with a conversation open


class Customer(Object, frozen=True, kw_only=True):
    id: str
    name: str
    email: str
    verified: bool


class Site(Object, frozen=True, kw_only=True):
    name: str
    locale: str
    accent: str
    greeting: str
    consent: str
    ask_name: bool
    ask_email: bool
    typing_preview: bool


class Limits(Object, frozen=True, kw_only=True):
    """Characters in a text, bytes in a frame, bytes in a file, files in a message."""

    text: int
    frame: int
    attachment_bytes: int
    attachments: int
    types: list[str]


# --- answers -------------------------------------------------------------------


class Frame(Struct, frozen=True, omit_defaults=True):
    """Something the server says."""


class CustomerWelcome(Frame, tag="welcome", frozen=True, kw_only=True):
    protocol: int
    token: str
    customer: Customer
    site: Site
    queues: list[Queue]
    availability: str
    conversation: Conversation | None
    messages: list[Message]
    more: bool
    heartbeat: int
    limits: Limits
    reset: bool | None = None


class Offer(Object, frozen=True):
    conversation: StaffConversation
    seconds: float
    why: str
    because: Because | None = None


class AgentWelcome(Frame, tag="welcome", frozen=True, kw_only=True):
    protocol: int
    agent: Agent
    agents: list[Agent]
    queues: list[StaffQueue]
    conversations: list[StaffConversation]
    waiting: list[StaffConversation]
    offers: list[Offer]
    supervises: list[str]
    supervised: list[StaffConversation]
    messages: dict[str, list[Message]]
    more: dict[str, bool]
    heartbeat: int
    limits: Limits


class PostAck(Frame, tag="ack", frozen=True, kw_only=True):
    id: str
    conversation: str
    seq: int
    at: Time
    notes: int | None = None


class StartAck(Frame, tag="ack", frozen=True, kw_only=True):
    id: str
    conversation: Conversation
    seq: int
    at: Time


C = TypeVar("C", bound=Conversation)


class ConversationAck(Frame, Generic[C], tag="ack", frozen=True, kw_only=True):
    id: str
    conversation: C


class WatchAck(Frame, tag="ack", frozen=True, kw_only=True):
    id: str
    conversation: StaffConversation
    messages: list[Message]
    more: bool


class AgentAck(Frame, tag="ack", frozen=True, kw_only=True):
    id: str
    agent: Agent


class HistoryAck(Frame, tag="ack", frozen=True, kw_only=True):
    id: str
    messages: list[Message]
    more: bool


class Refusal(Frame, tag="refused", frozen=True, kw_only=True):
    code: str
    detail: str
    id: str | None = None
    retry_ms: int | None = None


class CustomerPong(Frame, tag="pong", frozen=True, kw_only=True):
    """Nothing in it before the first conversation."""

    seq: int | None = None
    version: int | None = None


class AgentPong(Frame, tag="pong", frozen=True):
    """Of each conversation held: its newest place and its version."""

    conversations: dict[str, tuple[int, int]]


# --- events --------------------------------------------------------------------


class Posted(Frame, tag="message.posted", frozen=True):
    conversation: str
    message: Message


class Changed(Frame, Generic[C], tag="conversation.changed", frozen=True):
    conversation: C


class Typing(Frame, tag="typing", frozen=True):
    conversation: str
    author: Author
    on: bool
    text: str | None = None


class OfferMade(Frame, tag="offer.made", frozen=True):
    conversation: StaffConversation
    seconds: float
    why: str
    because: Because | None = None


class OfferWithdrawn(Frame, tag="offer.withdrawn", frozen=True):
    """To the agent whom it rang for. `why` is lapsed, taken, customer_left or
    declined."""

    conversation: str
    why: str


class AgentChanged(Frame, tag="agent.changed", frozen=True):
    agent: Agent


class QueueChanged(Frame, tag="queue.changed", frozen=True):
    queue: StaffQueue


class Beat(Frame, tag="beat", frozen=True):
    pass


class Bye(Frame, tag="bye", frozen=True):
    reason: str
    retry_ms: int


# --- reading and writing -------------------------------------------------------

encode = msgspec.json.Encoder().encode
_customer_decoder = msgspec.json.Decoder(CustomerCommand)
_agent_decoder = msgspec.json.Decoder(AgentCommand)
decode = msgspec.json.Decoder().decode  # of what this server has encoded


def parse_customer(text: str | bytes) -> CustomerCommand:
    """Raises BadFrame, whose detail names the field."""
    return cast(CustomerCommand, _parse(_customer_decoder, text))


def parse_agent(text: str | bytes) -> AgentCommand:
    """Raises BadFrame, whose detail names the field."""
    return cast(AgentCommand, _parse(_agent_decoder, text))


def _parse(decoder: msgspec.json.Decoder[Any], text: str | bytes) -> Any:
    try:
        command = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadFrame(named(str(error))) from None
    except (msgspec.DecodeError, UnicodeError):
        raise BadFrame("The frame is not valid JSON.") from None
    except RecursionError:
        raise BadFrame("The frame is nested too deeply.") from None
    _refuse_nul(text, command)
    return command


def named(error: str) -> str:
    """msgspec's sentence with the field's own name: `$.text` becomes `text`."""
    what, found, where = error.rpartition(" - at `")
    if not found:
        what, where = error, ""
    if len(what) > DETAIL_CHARS:  # a client's own words are quoted in it
        what = f"{what[:DETAIL_CHARS]}…"
    where = where.rstrip("`").removeprefix("$").removeprefix(".")
    if where:
        return f"{where}: {what}."
    if what.startswith(("Expected `object`", "Expected `array`")):
        return "A frame is one JSON object with a type."
    return f"{what}."


def _refuse_nul(text: str | bytes, command: Any) -> None:
    """PostgreSQL cannot store U+0000. In JSON it is always written as an escape. In a
    field that nobody knows it does no harm."""
    escape = "\\u0000" if isinstance(text, str) else b"\\u0000"
    if escape not in text:  # type: ignore[operator]
        return
    if path := _nul_in(msgspec.to_builtins(command), ""):
        raise BadFrame(f"{path}: U+0000 cannot be stored.")


def _nul_in(value: Any, path: str) -> str | None:
    """Where a text with U+0000 stands, or None."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if "\0" in key:
                return path or "a field's name"
            if found := _nul_in(item, inner):
                return found
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if found := _nul_in(item, f"{path}[{index}]"):
                return found
    return None


class _Identified(Struct):
    id: ClientId | None = None


_id_decoder = msgspec.json.Decoder(_Identified)


def id_of(text: str | bytes) -> str | None:
    """The id of a frame that may be bad in every other way, so that its refusal
    finds its sender's outbox."""
    try:
        return _id_decoder.decode(text).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def refusal(refused: Refused, id: str | None = None) -> bytes:
    return encode(
        Refusal(
            id=id, code=refused.code, detail=refused.detail, retry_ms=refused.retry_ms
        )
    )


def batch(frames: list[bytes]) -> bytes:
    """Several frames as one text message, for those whose hello asked for it."""
    return frames[0] if len(frames) == 1 else b"[" + b",".join(frames) + b"]"
