"""What agents can ask of the desk, over whichever transport."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.db.models import Q, QuerySet

from helpdesk import (
    conversations,
    desk,
    hub,
    limits,
    pairing,
    protocol,
    snapshots,
    supervising,
    writer,
)
from helpdesk.database import db_now, in_transaction, reading
from helpdesk.errors import ConversationUnknown
from helpdesk.models import Assignment, Conversation
from helpdesk.newest import mark_of
from helpdesk.voices import Verb, Voice
from helpdesk.written import Written

from .models import Agent

ACTIVE_NOTED_SECONDS = 60


class Socket(hub.Listener, Protocol):
    """Where an agent's voice comes from: it can hear more than its own."""

    def join(self, *audiences: str) -> None: ...

    def unjoin(self, *audiences: str) -> None: ...


class AgentVoice(Voice):
    listener: Socket

    def __init__(self, agent: Agent, listener: Socket) -> None:
        super().__init__(agent.pk, listener)
        self.agent = agent
        self.joined: set[UUID] = set()  # a supervisor's, as long as the socket
        self.watched: set[str] = set()
        self.active_until = 0.0
        self.author = protocol.Author("agent", str(agent.pk), agent.name)
        self.desk = desk.current()

    async def answer(self, command: protocol.Command) -> bytes | None:
        self._note_activity(command)
        return await super().answer(command)

    def _note_activity(self, command: protocol.Command) -> None:
        """Any word but a ping's shows that somebody is at the keyboard. Stored now and
        then, and never waited for."""
        now = self.desk.hub.loop.time()
        if isinstance(command, protocol.Ping) or now < self.active_until:
            return
        self.active_until = now + ACTIVE_NOTED_SECONDS
        self.desk.later(0, lambda: in_transaction(pairing.note_activity, self.agent))

    # --- talking

    async def post(self, frame: protocol.AgentPost) -> bytes:
        bucket = limits.agent_posts.take(self.person)
        conversation = conversation_id(frame.conversation)
        post = writer.Post(
            sender=self.person,
            author="agent",
            conversation=conversation,
            joined=conversation in self.joined,
            client_id=frame.id,
            text=frame.text,
            note=bool(frame.note),
            attachments=conversations.attachment_ids(frame.attachments),
        )
        acked = await conversations.post(post, self.author, self.listener)
        if acked.repeated:
            bucket.give_back()
        return acked.frame

    async def end(self, frame: protocol.AgentEnd) -> bytes:
        return await self._once(frame, conversations.end_by_agent)

    async def take(self, frame: protocol.Take) -> bytes:
        return await self._once(frame, pairing.take)

    async def set_status(self, frame: protocol.StatusSet) -> bytes:
        return await self._once(frame, pairing.set_status)

    async def end_wrap_up(self, frame: protocol.WrapUpEnd) -> bytes:
        return await self._once(frame, pairing.end_wrap_up)

    async def _once(
        self, frame: Any, verb: Callable[[Agent, Any], protocol.Frame]
    ) -> bytes:
        def run() -> bytes:
            queues = pairing.concerned(self.person, frame)
            ack = conversations.once(
                self.person, frame.id, lambda: verb(self.agent, frame)
            )
            pairing.nudge(queues)
            return ack

        return await in_transaction(run)

    async def accept(self, frame: protocol.OfferAccept) -> bytes:
        return await self._once(frame, pairing.accept)

    async def decline(self, frame: protocol.OfferDecline) -> bytes:
        return await self._once(frame, pairing.decline)

    async def transfer(self, frame: protocol.Transfer) -> bytes:
        return await self._once(frame, pairing.transfer)

    async def tag(self, frame: protocol.Tag) -> bytes:
        return await self._once(frame, conversations.tag)

    async def block(self, frame: protocol.Block) -> bytes:
        return await self._once(frame, supervising.block)

    # --- a supervisor's

    async def watch(self, frame: protocol.Watch) -> bytes:
        """See everything from now on, unseen, as long as the socket lives."""
        return await self._look_on(frame, supervising.watch)

    async def join(self, frame: protocol.Join) -> bytes:
        """As watch, and speak; the customer reads that a colleague has joined."""
        ack = await self._look_on(frame, supervising.join)
        self.joined.add(conversation_id(frame.conversation))
        return ack

    async def _look_on(
        self, frame: Any, verb: Callable[[Agent, Any], protocol.Frame]
    ) -> bytes:
        if known := await reading(conversations.answered, self.person, frame.id):
            return known
        # Whoever may not look on hears nothing while that is found out.
        await reading(supervising.supervised, self.agent, frame.conversation)
        audience = f"staff.{frame.conversation}"
        # Join first, then read, so that nothing falls between.
        self.listener.join(audience)
        try:
            ack = await in_transaction(verb, self.agent, frame)
        except Exception:
            if frame.conversation not in self.watched:
                self.listener.unjoin(audience)
            raise
        self.watched.add(frame.conversation)
        return protocol.encode(ack)

    async def unwatch(self, frame: protocol.Unwatch) -> bytes:
        self.listener.unjoin(f"staff.{frame.conversation}")
        self.watched.discard(frame.conversation)
        self.joined.discard(conversation_id(frame.conversation))
        ack = await reading(supervising.unwatch, self.agent, frame)
        return protocol.encode(ack)

    # --- asides

    async def read(self, frame: protocol.AgentRead) -> None:
        if self._aside() and self._holds(frame.conversation):
            await in_transaction(self._read, frame)

    def _read(self, frame: protocol.AgentRead) -> None:
        conversation = conversations.find(frame.conversation)
        if conversation and conversation.agent_id == self.person:
            conversations.read(conversation, "agent", frame.seq)

    async def typing(self, frame: protocol.AgentTyping) -> None:
        if not self._aside():
            return
        mark = self.desk.newest.of(frame.conversation)
        if mark is None or not self._speaks_in(frame.conversation):
            if frame.on:  # perhaps in an offer that rings: its clock waits
                await in_transaction(pairing.typed, self.person, frame.conversation)
            return
        event = protocol.Typing(mark.conversation, self.author, frame.on)
        audiences = (f"customer.{mark.customer}", f"staff.{mark.conversation}")
        self.desk.hub.publish(hub.Event(audiences, protocol.encode(event)))

    def _holds(self, conversation: str) -> bool:
        mark = self.desk.newest.of(conversation)
        return bool(mark and mark.agent == str(self.person) and mark.state == "active")

    def _speaks_in(self, conversation: str) -> bool:
        joined = any(str(each) == conversation for each in self.joined)
        return joined or self._holds(conversation)

    # --- looking

    async def history(self, frame: protocol.AgentHistory) -> bytes:
        limits.asides.take(self.person)
        messages, more = await reading(self._history, frame)
        return protocol.encode(
            protocol.HistoryAck(id=frame.id, messages=messages, more=more)
        )

    def _history(
        self, frame: protocol.AgentHistory
    ) -> tuple[list[protocol.Message], bool]:
        return snapshots.page(
            conversations.readable(self.agent, frame.conversation),
            staff=True,
            after=frame.after,
            before=frame.before,
            limit=frame.limit or protocol.HISTORY_PAGE,
        )

    async def ping(self, frame: protocol.Ping) -> bytes:
        return protocol.encode(
            protocol.AgentPong(self.desk.newest.of_agent(str(self.person)))
        )

    verbs: ClassVar[Mapping[type[protocol.Command], Verb]] = {
        protocol.AgentPost: post,
        protocol.AgentEnd: end,
        protocol.Take: take,
        protocol.StatusSet: set_status,
        protocol.WrapUpEnd: end_wrap_up,
        protocol.AgentRead: read,
        protocol.AgentTyping: typing,
        protocol.AgentHistory: history,
        protocol.Ping: ping,
        protocol.OfferAccept: accept,
        protocol.OfferDecline: decline,
        protocol.Transfer: transfer,
        protocol.Watch: watch,
        protocol.Unwatch: unwatch,
        protocol.Join: join,
        protocol.Tag: tag,
        protocol.Block: block,
    }


def conversation_id(wanted: str) -> UUID:
    try:
        return UUID(wanted)
    except ValueError:
        raise ConversationUnknown from None


# --- welcome


def welcome(
    agent: Agent, hello: protocol.AgentHello
) -> tuple[protocol.AgentWelcome, list[hub.Mark]]:
    """Everything that an agent's screen shows first. Only reads."""
    now = db_now()
    queues = pairing.queues_of(agent.pk)
    supervises = pairing.supervised_queues(agent)
    held, waiting = _held(agent.pk), _waiting(queues)
    others = _others(supervises, agent.pk)
    ringing = pairing.ringing_for(agent.pk)
    rows = {
        each.pk: each
        for each in (*held, *waiting, *others, *(o.conversation for o in ringing))
    }
    shown = dict(zip(rows, snapshots.many_for_staff([*rows.values()]), strict=True))
    known = _known(hello)
    lacked = snapshots.pages([(own, known.get(own.pk)) for own in held], staff=True)
    pages = {str(own.pk): page for own, page in zip(held, lacked, strict=True)}
    everybody = snapshots.agents(snapshots.colleagues(agent.pk), now)
    (own,) = (each for each in everybody if each.id == str(agent.pk))
    return protocol.AgentWelcome(
        protocol=protocol.VERSION,
        agent=own,
        agents=everybody,
        queues=snapshots.queues_for_staff(queues, now),
        conversations=[shown[each.pk] for each in held],
        waiting=in_line([shown[each.pk] for each in waiting]),
        offers=[_offer(each, shown[each.conversation_id], now) for each in ringing],
        supervises=[str(queue) for queue in supervises],
        supervised=[shown[each.pk] for each in others],
        messages={pk: each.messages for pk, each in pages.items()},
        more={pk: each.more for pk, each in pages.items()},
        heartbeat=protocol.HEARTBEAT_SECONDS,
        limits=snapshots.limits(conversations.text_limit("agent")),
    ), [mark_of(each) for each in held]


def _with_relations() -> QuerySet[Conversation]:
    return Conversation.objects.select_related(*snapshots.RELATED)


_held = Written(
    lambda agent: (
        _with_relations()
        .filter(agent=agent, state="active")
        .order_by("started_at", "pk")
    )
)
_waiting = Written(
    lambda queues: _with_relations().filter(
        Q(queue_id__in=queues, state="waiting")
        | Q(state="active", pending_transfer__to_queue_id__in=queues)
    )
)
_others = Written(
    lambda supervised, agent: (
        _with_relations()
        .filter(queue_id__in=supervised, state="active")
        .exclude(agent=agent)
        .order_by("started_at", "pk")
    )
)


def in_line(
    waiting: list[protocol.StaffConversation],
) -> list[protocol.StaffConversation]:
    """By queue and position; left messages, which stand in no line, come last."""
    return sorted(
        waiting,
        key=lambda each: (
            int(each.queue.id),
            each.position is None,
            each.position or 0,
            each.created_at,
        ),
    )


def _offer(
    lease: Assignment, shown: protocol.StaffConversation, now: dt.datetime
) -> protocol.Offer:
    """What rings for the agent, and for how many seconds still."""
    left = (lease.lapses_at - now).total_seconds() if lease.lapses_at else 0
    return protocol.Offer(shown, max(0.0, left), lease.why, lease.because)


def _known(hello: protocol.AgentHello) -> dict[UUID, snapshots.Known]:
    """What the client says it shows, of what can be an id and a place."""
    known = {}
    for wanted, (place, last) in (hello.after or {}).items():
        with contextlib.suppress(ValueError):
            if place:
                known[UUID(wanted)] = snapshots.Known(place, last)
    return known
