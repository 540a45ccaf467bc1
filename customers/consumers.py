"""The customer's socket: /ws/customer/<site key>/."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from helpdesk import protocol
from helpdesk.consumers import (
    FORBIDDEN,
    NOT_SIGNED_IN,
    SOCKETS_PER_PERSON,
    UNKNOWN_SITE,
    Close,
    DeskConsumer,
)
from helpdesk.database import db_now, reading
from helpdesk.desk import FLICKER_SECONDS
from helpdesk.errors import Blocked
from helpdesk.newest import mark_of
from helpdesk.origins import may_enter, own_origin_of_scope

from . import doors, voice
from .identity import TokenInvalid
from .models import Customer, Site
from .welcome import recognise, welcome


class CustomerConsumer(DeskConsumer):
    role = "customer"
    hello = protocol.CustomerHello
    voice: SocketVoice

    @staticmethod
    def parse(text: str) -> protocol.Command:
        return protocol.parse_customer(text)

    async def admit(self) -> None:
        """The site must exist and the page's origin be one of its own, exactly."""
        key = self.scope["url_route"]["kwargs"]["key"]
        try:
            self.site: Site = await doors.site_of(key)
        except doors.SiteUnknown:
            raise Close(UNKNOWN_SITE) from None
        if not self.may_enter(self.site):
            raise Close(UNKNOWN_SITE)

    def may_enter(self, site: Site) -> bool:
        own = own_origin_of_scope(self.scope)
        return may_enter(self.header(b"origin"), site, own)

    def may_still_enter(self, site: Site) -> bool:
        """Asked every few seconds, of every socket."""
        same = site.allowed_origins == self.site.allowed_origins
        return same or self.may_enter(site)

    @classmethod
    async def revoked(cls, sockets: list[Any]) -> dict[Any, int]:
        """The site is gone or has another address, the customer is blocked, or somebody
        has proven to be this one. Who did it has told their sockets, but that is best
        effort."""
        return await reading(revoked, sockets)

    def header(self, name: bytes) -> str | None:
        found = [value for key, value in self.scope["headers"] if key == name]
        return found[0].decode("latin1") if len(found) == 1 else None

    async def greet(self, frame: protocol.CustomerHello) -> bytes:
        try:
            visitor = await recognise(self.site, frame, frame.token)
        except TokenInvalid:
            raise Close(NOT_SIGNED_IN) from None
        except Blocked:
            raise Close(FORBIDDEN) from None
        self.count(("customer", str(visitor.customer_id)), SOCKETS_PER_PERSON)
        self.voice = SocketVoice(self, visitor, frame)
        if visitor.adopted:
            self.voice.close_others()
        self.join(self.voice.audience)
        shown, conversation = await welcome(self.site, visitor, frame)
        if conversation:
            self.desk.newest.learn(mark_of(conversation))
            if conversation.state != conversation.State.ENDED:
                self.voice.talking = conversation.pk
                await self.voice.be_present()
        return protocol.encode(shown)

    def deliver(self, frame: bytes) -> None:
        """Where there are events there is a conversation, perhaps begun in another
        tab: from now on this one counts too."""
        super().deliver(frame)
        if not self.present:
            self.desk.later(0, self.voice.be_present)

    async def left(self, person: UUID) -> None:
        if await self.desk.leave(person):
            self.desk.later(FLICKER_SECONDS, lambda: self.desk.customer_moved(person))


def revoked(sockets: list[CustomerConsumer]) -> dict[CustomerConsumer, int]:
    """Four queries for all of them, whose answers are short. Who only looks has no row
    and is not asked for."""
    sites = Site.objects.in_bulk({socket.site.pk for socket in sockets})
    wrote = [each.voice for each in sockets if each.voice.visitor.customer]
    blocked = _ids(wrote, blocked_until__gt=db_now())
    unproven = [voice for voice in wrote if not voice.visitor.proven]
    proven = _ids(unproven, external_id__isnull=False)
    codes = {socket: code_against(socket, sites, blocked, proven) for socket in sockets}
    return {socket: code for socket, code in codes.items() if code}


def _ids(voices: list[SocketVoice], **so: Any) -> frozenset[UUID]:
    """Of those people of whom it is so."""
    rows = Customer.objects.filter(pk__among=[each.person for each in voices], **so)
    return frozenset(rows.values_list("pk", flat=True))


def code_against(
    socket: CustomerConsumer,
    sites: dict[int, Site],
    blocked: frozenset[UUID],
    proven: frozenset[UUID],
) -> int | None:
    """With which it is to be closed, if anything speaks against it now. `proven`: who
    has been since they said hello."""
    site = sites.get(socket.site.pk)
    if site is None or not socket.may_still_enter(site):
        return UNKNOWN_SITE
    if socket.voice.person in blocked:
        return FORBIDDEN
    return NOT_SIGNED_IN if socket.voice.person in proven else None


class SocketVoice(voice.CustomerVoice):
    """A customer's voice that is present as long as its socket."""

    def __init__(
        self, socket: CustomerConsumer, visitor: Any, hello: protocol.CustomerHello
    ) -> None:
        agent = socket.header(b"user-agent") or ""
        super().__init__(
            socket.site,
            visitor,
            socket,
            address=socket.address,
            user_agent=agent,
            hello=hello,
        )
        self.socket = socket

    async def be_present(self) -> None:
        self.socket.join(self.audience)
        if await self.socket.arrive(self.person):
            await self.desk.customer_moved(self.person)
