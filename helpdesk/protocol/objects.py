"""Objects: what frames carry."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..reasons import Because
from .types import Field, Time


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
