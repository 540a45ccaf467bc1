"""What happened, as plain values: written down while it happens (tabs.py), read from
the database at the end (ledger.py), judged afterwards (checking.py).

Times are seconds of one clock, the recorder's, unless they are called database time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

import msgspec

E = TypeVar("E", bound="Event")


class Event(msgspec.Struct, tag=True, kw_only=True):
    at: float = 0


# --- what people did


class Sent(Event):
    """Somebody pressed Enter: from now on the screen shows it as sending."""

    tab: str
    sender: str
    id: str
    conversation: str | None  # None for a start
    text: str


class Acked(Event):
    """The screen shows it as sent. `stored` is what a fresh reader found at once; None
    when the database let nobody read."""

    tab: str
    sender: str
    id: str
    conversation: str
    seq: int
    stored: bool | None = None


class Failed(Event):
    """Refused, and not to be tried again: the screen shows it as failed."""

    tab: str
    sender: str
    id: str
    code: str


class Claimed(Event):
    """An agent asked for a conversation (take, accept) and was answered: by an ack, or
    refused with a code."""

    agent: str
    conversation: str
    code: str = ""
    detail: str = ""


class Ended(Event):
    """Somebody in the workload meant to end it."""

    conversation: str


# --- what screens were told


class Heard(Event):
    """A message reached a tab, by an event, a welcome, a page of history or an ack."""

    tab: str
    conversation: str
    place: int  # a customer's: seq
    id: str
    text: str
    by: str


class Resumed(Event):
    """A welcome brought these places to a tab that held all up to `after`, of a
    conversation that went up to `newest` (0 when more were to be asked for)."""

    tab: str
    conversation: str
    after: int
    brought: list[int]
    newest: int


class Cleared(Event):
    """A welcome told the tab to forget what it held of this conversation."""

    tab: str
    conversation: str
    instead: str  # the conversation that is shown now


class Leaked(Event):
    """A word reached a tab for which it is not."""

    tab: str
    word: str


class Tried(Event):
    """Somebody without the credential tried."""

    what: str
    succeeded: bool


class Marked(Event):
    """`fault` begins, is `healed`, or an older backup was `restored`."""

    what: str


class Failure(Event):
    """Something that a fault watches for itself went wrong."""

    what: str


class Usage(Event):
    """What a server process uses, or (connections) all of them use of the database."""

    when: str  # "before" the fault or "after" it
    what: str
    amount: float


# --- what the database says at the end


class Row(msgspec.Struct):
    """A message."""

    conversation: str
    place: int
    seq: int
    id: str
    sender: str | None
    kind: str
    author: str
    text: str


class Talk(msgspec.Struct):
    """A conversation. Times are the database's."""

    id: str
    customer: str
    queue: int
    automatic: bool  # the queue hands out; agents take from the others
    agent: str | None
    state: str
    outcome: str
    left: bool
    priority: int
    created_at: float
    waiting_since: float
    in_line: bool


class Lease(msgspec.Struct):
    """A slot of an agent, from when to when (database time)."""

    id: int
    conversation: str
    agent: str
    kind: str
    rule: str  # why: "chosen" when the desk decided
    began: float
    ended: float | None
    free: float | None


class Given(msgspec.Struct):
    """How an agent stood at the COMMIT that gave them a lease."""

    lease: int
    agent: str
    connected: bool
    load: int
    capacity: int


class Page(msgspec.Struct):
    """A tab that is open at the end."""

    tab: str
    role: str
    person: str


class History(msgspec.Struct):
    fault: str = ""
    seed: str = ""
    events: list[
        Sent
        | Acked
        | Failed
        | Claimed
        | Ended
        | Heard
        | Resumed
        | Cleared
        | Leaked
        | Tried
        | Marked
        | Failure
        | Usage
    ] = []
    rows: list[Row] = []
    talks: list[Talk] = []
    leases: list[Lease] = []
    given: list[Given] = []
    pages: list[Page] = []
    live: list[str] = []  # agents with a live lease at the end

    def add(self, event: Event) -> None:
        event.at = event.at or time.monotonic()
        self.events.append(event)  # type: ignore[arg-type]

    def all(self, kind: type[E]) -> Iterator[E]:
        return (each for each in self.events if isinstance(each, kind))

    def marked(self, what: str) -> float | None:
        """When it last was."""
        times = [each.at for each in self.all(Marked) if each.what == what]
        return times[-1] if times else None
