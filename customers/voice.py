"""What customers can ask of the desk, over whichever transport."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from helpdesk import (
    conversations,
    desk,
    hub,
    limits,
    pairing,
    presence,
    protocol,
    snapshots,
    writer,
)
from helpdesk.consumers import NOT_SIGNED_IN
from helpdesk.database import db_now, in_transaction, reading
from helpdesk.errors import Blocked, Ended, Forbidden, NotStarted
from helpdesk.newest import mark_of
from helpdesk.voices import Verb, Voice

from . import identity
from .models import Customer, Site
from .networks import truncated
from .welcome import is_blocked


class CustomerVoice(Voice):
    def __init__(
        self,
        site: Site,
        visitor: identity.Visitor,
        listener: hub.Listener,
        *,
        address: str = "",
        user_agent: str = "",
        hello: protocol.CustomerHello | None = None,
    ) -> None:
        super().__init__(visitor.customer_id, listener)
        self.site = site
        self.visitor = visitor
        self.address = address
        self.user_agent = user_agent
        self.hello = hello or protocol.CustomerHello()
        self.desk = desk.current()

    @property
    def audience(self) -> str:
        return f"customer.{self.person}"

    # --- talking

    async def start(self, frame: protocol.Start) -> bytes:
        taken = []
        started = False
        await self.desk.ready()
        try:
            taken.append(limits.customer_starts.take(self.person))
            taken.append(limits.address_starts.take(self.address))
            ack, started = await in_transaction(self._start, frame)
        finally:
            if not started:
                for bucket in taken:
                    bucket.give_back()
        await self.started()
        return ack

    def _start(self, frame: protocol.Start) -> tuple[bytes, bool]:
        """The ack, and whether it is the first one."""
        opened = False

        def act() -> protocol.Frame:
            nonlocal opened
            opened = True
            customer = identity.enrol(
                self.site,
                self.visitor,
                name=frame.name,
                email=frame.email,
                fields=frame.fields,
                locale=self.hello.locale,
                page=page_of(self.hello),
                address=truncated(self.address),
                user_agent=self.user_agent,
            )
            # Of two starts at once the second waits here and then finds the first.
            customer = Customer.objects.select_for_update(no_key=True).get(
                pk=customer.pk
            )
            if is_blocked(customer):
                raise Blocked
            self.visitor = dataclasses.replace(
                self.visitor, customer_id=customer.pk, customer=customer
            )
            # Who hears of the conversation sees that the customer is here. Briefly,
            # since the socket may close meanwhile; `be_present` makes it last.
            until = db_now() + dt.timedelta(seconds=presence.POLL_SECONDS)
            presence.arrive(self.desk.present.process, customer.pk, until)
            return conversations.start(customer, frame, self.listener)

        return conversations.once(self.person, frame.id, act), opened

    async def started(self) -> None:
        """Something may have opened: be present, and have the line look."""
        self.person = self.visitor.customer_id
        newest = await reading(conversations.customers_newest, self.person)
        if newest:
            self.desk.newest.learn(mark_of(newest))
            self.talking = newest.pk
            await self.be_present()
            self.desk.nudge([newest.queue_id])

    def close_others(self) -> None:
        """This customer has just been proven: what was open before is not any more."""
        event = hub.Event((self.audience,), code=NOT_SIGNED_IN)
        self.desk.hub.publish(event, skip=self.listener)

    async def be_present(self) -> None:
        """The transport says how (see CustomerConsumer and the poll)."""

    async def post(self, frame: protocol.CustomerPost) -> bytes:
        bucket = limits.customer_posts.take(self.person)
        try:
            acked = await self._post(frame, self._conversation(frame.conversation))
        except Ended:
            if frame.conversation is not None:
                raise
            # Another tab may have started anew: the writer finds out.
            acked = await self._post(frame, None)
        if acked.repeated:
            bucket.give_back()
        return acked.frame

    async def _post(
        self, frame: protocol.CustomerPost, conversation: UUID | None
    ) -> conversations.Acked:
        post = writer.Post(
            sender=self.person,
            author="customer",
            conversation=conversation,
            client_id=frame.id,
            text=frame.text,
            attachments=conversations.attachment_ids(frame.attachments),
        )
        return await conversations.post(post, self.author, self.listener)

    def _conversation(self, wanted: str | None) -> UUID | None:
        if wanted is None:
            return self.talking
        try:
            return UUID(wanted)
        except ValueError:
            raise Forbidden from None

    @property
    def visitor(self) -> identity.Visitor:
        return self._visitor

    @visitor.setter
    def visitor(self, visitor: identity.Visitor) -> None:
        self._visitor = visitor
        id = str(visitor.customer_id)
        self.author = protocol.Author("customer", id, visitor.name)

    async def end(self, frame: protocol.CustomerEnd) -> bytes:
        return await self._once(frame.id, conversations.end_by_customer, frame)

    async def leave(self, frame: protocol.Leave) -> bytes:
        return await self._once(frame.id, conversations.leave, frame)

    async def rate(self, frame: protocol.Rate) -> bytes:
        return await self._once(frame.id, conversations.rate, frame)

    async def _once(self, id: str, verb: object, frame: protocol.Command) -> bytes:
        def run() -> bytes:
            queues = pairing.concerned_by_customer(self.person)
            ack = conversations.once(
                self.person,
                id,
                lambda: verb(self.person, frame),  # type: ignore[operator]
            )
            pairing.nudge(queues)
            return ack

        return await in_transaction(run)

    # --- asides: nothing answers these, and too many are dropped

    async def read(self, frame: protocol.CustomerRead) -> None:
        if self._aside():
            await in_transaction(self._read, frame.seq)

    def _read(self, seq: int) -> None:
        if newest := conversations.customers_newest(self.person):
            conversations.read(newest, "customer", seq)

    async def typing(self, frame: protocol.CustomerTyping) -> None:
        mark = self.desk.newest.of_customer(str(self.person))
        if not (mark and mark.agent and mark.state == "active" and self._aside()):
            return
        seen = frame.text if self.site.typing_preview else None
        limit = conversations.text_limit("customer")
        event = protocol.Typing(
            mark.conversation, self.author, frame.on, seen[:limit] if seen else None
        )
        audiences = conversations.staff_audiences(
            UUID(mark.conversation), UUID(mark.agent)
        )
        self.desk.hub.publish(hub.Event(audiences, protocol.encode(event)))

    # --- looking

    async def history(self, frame: protocol.CustomerHistory) -> bytes:
        limits.asides.take(self.person)
        messages, more = await reading(self._history, frame)
        return protocol.encode(
            protocol.HistoryAck(id=frame.id, messages=messages, more=more)
        )

    def _history(
        self, frame: protocol.CustomerHistory
    ) -> tuple[list[protocol.Message], bool]:
        if frame.conversation is None:
            conversation = conversations.customers_newest(self.person)
            if conversation is None:
                raise NotStarted
        else:
            conversation = conversations.customers_own(self.person, frame.conversation)
        return snapshots.page(
            conversation,
            staff=False,
            after=frame.after,
            before=frame.before,
            limit=frame.limit or protocol.HISTORY_PAGE,
        )

    async def ping(self, frame: protocol.Ping) -> bytes:
        mark = self.desk.newest.of_customer(str(self.person))
        if mark is None:
            return PONG
        return protocol.encode(
            protocol.CustomerPong(seq=mark.seq, version=mark.version)
        )

    verbs: ClassVar[Mapping[type[protocol.Command], Verb]] = {
        protocol.Start: start,
        protocol.CustomerPost: post,
        protocol.CustomerEnd: end,
        protocol.Leave: leave,
        protocol.Rate: rate,
        protocol.CustomerRead: read,
        protocol.CustomerTyping: typing,
        protocol.CustomerHistory: history,
        protocol.Ping: ping,
    }


PONG = protocol.encode(protocol.CustomerPong())
PAGE_CHARS = 2000


def page_of(hello: protocol.CustomerHello) -> dict[str, str]:
    """The host page, cut to a length that is shown."""
    if hello.page is None:
        return {}
    told = {
        "url": hello.page.url,
        "title": hello.page.title,
        "referrer": hello.page.referrer,
    }
    return {name: value[:PAGE_CHARS] for name, value in told.items() if value}
