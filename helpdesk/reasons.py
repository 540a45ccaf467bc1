"""Why the desk decided as it did: the name of a rule and its values. They are stored,
and travel beside the English sentence; `whys` and the dashboard's why.js say them in
the reader's language. Names are of then: who is renamed later is not renamed here.

Pure: knows no Django, loop or socket.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct


class Reason(Struct, frozen=True, omit_defaults=True, tag_field="rule"):
    """A rule and what it saw."""


class WasLeft(Reason, tag="left", frozen=True):
    """Nobody could take it: it is a message that was left."""

    queue: str


class Waits(Reason, tag="waits", frozen=True):
    queue: str


class Asked(Struct, frozen=True):
    """Somebody it was offered to before. `answer` is declined or lapsed."""

    agent: str
    answer: str


class Chosen(Reason, tag="chosen", frozen=True, kw_only=True):
    """The best seat with room. `by` is the queue's strategy, or sticky."""

    agent: str
    load: int
    capacity: int
    idle_seconds: int
    by: str
    next: str | None = None  # who would be chosen otherwise
    helping: str | None = None  # the queue whose fallback the agent staffs
    asked: tuple[Asked, ...] = ()


class Took(Reason, tag="took", frozen=True):
    """From the line. `load` is that of before."""

    agent: str
    load: int
    capacity: int


class WasGone(Reason, tag="gone", frozen=True):
    agent: str
    seconds: int


class CameBack(Reason, tag="came_back", frozen=True):
    agent: str


class OfferDeclined(Reason, tag="declined", frozen=True):
    agent: str


class OfferLapsed(Reason, tag="lapsed", frozen=True):
    agent: str


class OfferMissed(Reason, tag="missed", frozen=True):
    """While it rang, the agent went away."""

    agent: str


class Transfers(Reason, tag="transfers", frozen=True):
    """To a colleague or a queue, by name."""

    by: str
    to: str


class TransferAccepted(Reason, tag="transfer_accepted", frozen=True):
    agent: str


class TransferDeclined(Reason, tag="transfer_declined", frozen=True):
    agent: str


class TransferLapsed(Reason, tag="transfer_lapsed", frozen=True):
    agent: str


class TransferMissed(Reason, tag="transfer_missed", frozen=True):
    agent: str


class TookOver(Reason, tag="took_over", frozen=True):
    """A supervisor, from whoever held it."""

    agent: str


Because = (
    WasLeft
    | Waits
    | Chosen
    | Took
    | WasGone
    | CameBack
    | OfferDeclined
    | OfferLapsed
    | OfferMissed
    | Transfers
    | TransferAccepted
    | TransferDeclined
    | TransferLapsed
    | TransferMissed
    | TookOver
)


def plain(because: Because | None) -> dict[str, Any] | None:
    """As JSON has it."""
    return cast("dict[str, Any] | None", msgspec.to_builtins(because))


def read(stored: object) -> Because | None:
    """None for what this version does not know."""
    try:
        return cast("Because | None", msgspec.convert(stored, Because | None))
    except msgspec.ValidationError:
        return None
