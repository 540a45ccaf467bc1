"""Frames: what the server says, answers and events."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from ..reasons import Because
from .objects import (
    Agent,
    Author,
    Conversation,
    Customer,
    Limits,
    Message,
    Object,
    Queue,
    Site,
    StaffConversation,
    StaffQueue,
)
from .types import Time


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
