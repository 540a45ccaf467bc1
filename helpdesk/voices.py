"""Somebody who speaks to the desk, over a socket, a long poll or otherwise: which
commands there are, and how each is answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from . import conversations, hub, limits, protocol
from .database import reading
from .errors import Overloaded, RateLimited, Refused
from .log import known
from .tally import tally

log = logging.getLogger(__name__)

Verb = Callable[[Any, Any], Awaitable[bytes | None]]


class Voice:
    """A customer's or an agent's. A frame's type picks from the explicit table of
    verbs, never a method by name."""

    verbs: ClassVar[Mapping[type[protocol.Command], Verb]]

    talking: UUID | None = None  # in which conversation, as far as known here

    def __init__(self, person: UUID, listener: hub.Listener) -> None:
        self.person = person
        self.listener = listener  # hears no events of its own posts

    async def answer(self, command: protocol.Command) -> bytes | None:
        """The frame that answers a command, if any. Whatever speaks against it, an id
        that was used before gets its first ack again."""
        known(conversation=getattr(command, "conversation", None) or self.talking)
        try:
            return await self.verbs[type(command)](self, command)
        except Refused as refused:
            return await self._refuse(refused, getattr(command, "id", None))

    async def _refuse(self, refused: Refused, id: str | None) -> bytes:
        if id is not None:
            try:
                ack = await reading(conversations.answered, self.person, id)
            except Overloaded as overloaded:
                ack, refused = None, overloaded
            if ack is not None:
                return ack
        tally.refused[refused.code] += 1
        log.info("refused %s: %s", self.person, refused.code)
        return protocol.refusal(refused, id)

    def _aside(self) -> bool:
        """Whether there is a token for what nothing answers; without one it is
        dropped."""
        try:
            limits.asides.take(self.person)
        except RateLimited:
            return False
        return True
