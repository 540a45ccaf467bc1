"""Sizes, and what fields are made of."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Annotated

from msgspec import Meta

VERSION = 1
HEARTBEAT_SECONDS = 20  # between two pings of a client
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
