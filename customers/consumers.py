"""The customer's socket: /ws/customer/<site key>/."""

from __future__ import annotations

import datetime as dt
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
from helpdesk.desk import FLICKER_SECONDS, Desk
from helpdesk.errors import Blocked
from helpdesk.newest import mark_of
from helpdesk.origins import may_enter, own_origin_of_scope

from . import doors, voice
from .identity import TokenInvalid
from .models import Customer, Site
from .welcome import recognise, welcome

# For longer no look at credentials has failed.
PROVEN_LATELY = dt.timedelta(days=1)


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

    def may_still_enter(self, sites: dict[int, Site]) -> bool:
        site = sites.get(self.site.pk)
        return site is not None and self.may_enter(site)

    @classmethod
    async def revoked(cls, here: Desk) -> dict[Any, int]:
        """The site is gone or has other addresses, the customer is blocked, or somebody
        has proven to be this one. Who did it has told their sockets, but that is best
        effort.

        Asked for are those against whom something speaks, not the sockets: these are
        thousands, of nearly all of whom it would be asked every few seconds in vain."""
        came = [key[1:] for key in here.crowd if key[0] == "site"]
        if not came:
            return {}
        sites, proven, blocked = await reading(suspects, {pk for pk, _ in came})
        moved = {pk for pk, origins in came if origins_of(sites.get(pk)) != origins}
        codes: dict[Any, int] = {
            socket: UNKNOWN_SITE
            for socket in (cls.all_of(here) if moved else ())
            if socket.site.pk in moved and not socket.may_still_enter(sites)
        }
        for person in proven:
            for socket in here.hub.listeners(f"customer.{person}", cls):
                if not socket.voice.visitor.proven:
                    codes[socket] = NOT_SIGNED_IN
        for person in blocked:
            for socket in here.hub.listeners(f"customer.{person}", cls):
                codes[socket] = FORBIDDEN
        return codes

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
        self.count(("site", self.site.pk, self.site.allowed_origins))
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


def origins_of(site: Site | None) -> str | None:
    return site.allowed_origins if site else None


def suspects(keys: set[int]) -> tuple[dict[int, Site], list[UUID], list[UUID]]:
    """These sites as they are now, who has lately been proven after they wrote, and who
    is blocked."""
    now = db_now()
    proven = Customer.objects.filter(proven_at__gt=now - PROVEN_LATELY)
    blocked = Customer.objects.filter(blocked_until__gt=now)
    return (
        Site.objects.in_bulk(keys),
        list(proven.values_list("pk", flat=True)),
        list(blocked.values_list("pk", flat=True)),
    )


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
        if self.socket.has_left:
            return  # it would be heard of, and count, for ever
        self.socket.join(self.audience)
        if await self.socket.arrive(self.person):
            await self.desk.customer_moved(self.person)
