"""What can be done with a conversation: the verbs, one home each.

The socket, the long poll, REST, the admin and commands all pass through here. A
verb is a plain function to be run in a transaction (database.in_transaction); what
it announces is heard after the COMMIT. `post` is different: posts are many, and the
writer commits them together.

Lock order: queues, then agents, then conversations, each by id.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F

from . import hub, protocol, reasons, snapshots, uploads, writer
from .database import db_now
from .errors import (
    AlreadyOpen,
    AttachmentUnknown,
    BadFrame,
    ConversationUnknown,
    Empty,
    Ended,
    Forbidden,
    NotStarted,
    NotYours,
    QueueClosed,
    QueueUnknown,
    TooLong,
)
from .models import (
    Assignment,
    Conversation,
    Message,
    Queue,
    QueueMembership,
    Receipt,
    Transfer,
)
from .newest import mark_of
from .protocol import wire_time

if TYPE_CHECKING:
    from agents.models import Agent
    from customers.models import Customer

OPEN = (Conversation.State.WAITING, Conversation.State.ACTIVE)
COMMENT_CHARS = 2000
TAGS, TAG_CHARS = 20, 40


# --- repeating an id


def once(sender: UUID, client_id: str, act: Callable[[], protocol.Frame]) -> bytes:
    """The ack of `act`, or, if this sender has used the id before, the ack of then,
    without any effect. In the caller's transaction, as the first thing: of two at once
    one waits for the other."""
    writer.claim(sender, client_id)
    if (ack := answered(sender, client_id)) is not None:
        return ack
    ack = protocol.encode(act())
    Receipt.objects.create(
        sender=sender, client_id=client_id, ack=protocol.decode(ack), at=db_now()
    )
    return ack


def answered(sender: UUID, client_id: str) -> bytes | None:
    """The first ack of an id that this sender has used, in any conversation."""
    used = {"sender": sender, "client_id": client_id}
    if receipt := Receipt.objects.filter(**used).first():
        return protocol.encode(receipt.ack)
    if message := Message.objects.filter(**used).first():
        return protocol.encode(
            protocol.PostAck(
                id=client_id,
                conversation=str(message.conversation_id),
                seq=message.seq,
                notes=message.notes if message.author != "customer" else None,
                at=wire_time(message.at),
            )
        )
    return None


# --- posting


class Acked(NamedTuple):
    """What the poster hears, and whether the id had been used before."""

    frame: bytes
    repeated: bool


async def post(
    post: writer.Post, author: protocol.Author, skip: hub.Listener | None = None
) -> Acked:
    """Store a message and tell everybody entitled but `skip`, the posting socket.
    Returns the ack once the message is on disk; an id used before is acked as then.
    Raises Refused."""
    check_text(post.text, post.attachments, post.author)
    stored = await writer.add(post)
    if isinstance(stored, writer.Answered):
        return Acked(protocol.encode(stored.ack), repeated=True)
    if not stored.repeated:
        publish_post(post, stored, author, skip)
    ack = protocol.PostAck(
        id=post.client_id,
        conversation=str(stored.conversation),
        seq=stored.seq,
        notes=None if post.author == "customer" else stored.notes,
        at=wire_time(stored.at),
    )
    return Acked(protocol.encode(ack), stored.repeated)


def check_text(text: str, attachments: Collection[object], author: str) -> None:
    """Raises Empty or TooLong (also for too many files)."""
    most = text_limit(author)
    if len(text) > most:
        raise TooLong(f"text: at most {most:,} characters.")
    if len(attachments) > settings.HELPDESK_ATTACHMENTS:
        raise TooLong(f"attachments: at most {settings.HELPDESK_ATTACHMENTS} files.")
    if not attachments and not text.strip():
        raise Empty


def text_limit(author: str) -> int:
    """In characters."""
    if author == "customer":
        return int(settings.HELPDESK_MESSAGE_CHARS)
    return int(settings.HELPDESK_AGENT_MESSAGE_CHARS)


def publish_post(
    post: writer.Post,
    stored: writer.Stored,
    author: protocol.Author,
    skip: hub.Listener | None,
) -> None:
    """Customer, holder and watchers hear a message; a note only the latter two."""
    where, customer = str(stored.conversation), str(stored.customer)
    agent = str(stored.agent) if stored.agent else None
    # Every process hears the first event, so that the second need not tell it again.
    mark = hub.Mark(
        where,
        stored.seq,
        stored.place,
        stored.version,
        customer,
        agent,
        Conversation.State.ACTIVE if agent else Conversation.State.WAITING,
    )
    desk = hub.current()
    message = _message(post, stored, author, uploads.STAFF, notes=stored.notes)
    frame = protocol.encode(protocol.Posted(where, message))
    desk.publish(hub.Event(staff_audiences(where, agent), frame, mark), skip)
    if not post.note:
        audience = f"customer.{customer}"
        message = _message(post, stored, author, audience, notes=None)
        frame = protocol.encode(protocol.Posted(where, message))
        desk.publish(hub.Event((audience,), frame), skip)


def _message(
    post: writer.Post,
    stored: writer.Stored,
    author: protocol.Author,
    audience: str,
    notes: int | None,
) -> protocol.Message:
    return protocol.Message(
        seq=stored.seq,
        notes=notes,
        id=post.client_id,
        kind=Message.Kind.NOTE if post.note else Message.Kind.TEXT,
        author=author,
        text=post.text,
        attachments=[uploads.attachment_frame(f, audience) for f in stored.attachments],
        at=wire_time(stored.at),
    )


def staff_audiences(
    conversation: UUID | str, agent: UUID | str | None
) -> tuple[str, ...]:
    """The holder and the watchers."""
    if agent is None:
        return (f"staff.{conversation}",)
    return (f"agent.{agent}", f"staff.{conversation}")


# --- the customer's verbs


def start(
    customer: Customer, frame: protocol.Start, skip: hub.Listener | None = None
) -> protocol.Frame:
    """Open a conversation with its first message. The customer's row is stored and
    locked. When the queue cannot take it and an e-mail address is known, it is kept
    as a left message. Raises AlreadyOpen, QueueUnknown, QueueClosed, Empty, TooLong,
    AttachmentUnknown."""
    files = attachment_ids(frame.attachments)
    check_text(frame.text, files, "customer")
    queue = queue_of(customer, frame.queue)
    left = not has_room(queue)
    if left and not customer.email:
        raise QueueClosed
    if not left and open_conversation(customer):
        raise AlreadyOpen
    conversation = _open(customer, queue, left)
    message = writer.say(
        conversation,
        kind=Message.Kind.TEXT,
        author="customer",
        sender=customer.pk,
        client_id=frame.id,
        text=frame.text,
        attachments=files,
    )
    announce_message(conversation, message, skip)
    tell(conversation, moved=not left)
    return protocol.StartAck(
        id=frame.id,
        conversation=snapshots.for_customer(conversation, snapshots.turn(conversation)),
        seq=conversation.seq,
        at=wire_time(message.at),
    )


def _open(customer: Customer, queue: Queue, left: bool) -> Conversation:
    now = db_now()
    return Conversation.objects.create(
        site=customer.site,
        queue=queue,
        customer=customer,
        left=left,
        created_at=now,
        waiting_since=now,
        priority=int(queue.proven_first and customer.verified),
        because=(reasons.WasLeft if left else reasons.Waits)(queue.name),
    )


def queue_of(customer: Customer, wanted: str | None) -> Queue:
    """The site's queue of that id, or its first."""
    queues = Queue.objects.filter(site=customer.site)
    if wanted is not None:
        known = re.fullmatch(r"[0-9]{1,18}", wanted)  # what fits the column
        queues = queues.filter(pk=wanted) if known else queues.none()
    queue = queues.first()
    if queue is None:
        raise QueueUnknown
    return queue


def has_room(queue: Queue) -> bool:
    """Whether the queue is open and its line is not full."""
    waiting = snapshots.line([queue.pk]).count()
    return snapshots.queue_open(queue, db_now()) and waiting < queue.line_limit


def open_conversation(customer: Customer) -> Conversation | None:
    return customer.conversations.filter(state__in=OPEN, left=False).first()


def leave(customer_id: UUID, frame: protocol.Leave) -> protocol.Frame:
    """Who waits leaves the line, and what was written stays as a left message, to be
    answered by e-mail. Raises NotStarted, Ended, AlreadyOpen (somebody has taken it),
    Empty (no e-mail address is given or known), BadFrame (the one given is none)."""
    newest = customers_newest(customer_id)
    if newest is None:
        raise NotStarted
    conversation = locked(newest.pk)
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.state == Conversation.State.ACTIVE:
        raise AlreadyOpen("Somebody is here for you by now.")
    _reach_by(conversation.customer, frame.email)
    if not conversation.left:
        _turn_into_message(conversation)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def _reach_by(customer: Customer, email: str | None) -> None:
    """A typed address never covers a proven one."""
    typed = clean_email(email)
    if email and not typed:
        raise BadFrame("email: This is not an e-mail address.")
    if typed and not (customer.verified and customer.email):
        customer.email = typed
        customer.save(update_fields=["email"])
    if not customer.email:
        raise Empty("email: An address is needed to answer to.")


def _turn_into_message(conversation: Conversation) -> None:
    withdraw(conversation, "customer_left")
    change(
        conversation,
        left=True,
        rescued=False,
        customer_gone_at=None,
        because=reasons.WasLeft(conversation.queue.name),
    )
    say_event(
        conversation, "left", "This is a message now: it is answered by e-mail.", {}
    )
    tell(conversation, moved=True)


def rate(customer_id: UUID, frame: protocol.Rate) -> protocol.Frame:
    """Rate the newest conversation, which has ended or is being talked in. Again
    with another id rates anew."""
    newest = customers_newest(customer_id)
    if newest is None or newest.state == Conversation.State.WAITING:
        raise NotStarted("There is nothing to rate yet.")
    comment = frame.comment or ""
    if len(comment) > COMMENT_CHARS:
        raise TooLong(f"comment: at most {COMMENT_CHARS:,} characters.")
    conversation = locked(newest.pk)
    change(conversation, rating=frame.score, rating_comment=comment)
    tell(conversation)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def end_by_customer(customer_id: UUID, frame: protocol.CustomerEnd) -> protocol.Frame:
    """Raises NotStarted, Ended."""
    newest = customers_newest(customer_id)
    if newest is None:
        raise NotStarted
    lock_agents(newest.agent_id)
    conversation = locked(newest.pk)
    waiting = conversation.state == Conversation.State.WAITING
    outcome = "abandoned" if waiting else "resolved"
    end(conversation, outcome=outcome, by="customer", sender=customer_id)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.for_customer(conversation)
    )


def customers_newest(customer_id: UUID) -> Conversation | None:
    """The open one before left messages before ended ones; then the newest."""
    found = Conversation.objects.filter(customer_id=customer_id)
    found = found.select_related(*snapshots.RELATED)
    newest = list(found.order_by("-created_at", "-id")[:20])
    ranked = sorted(newest, key=lambda each: (each.state == "ended", each.left))
    return ranked[0] if ranked else None


def customers_own(customer_id: UUID, wanted: str) -> Conversation:
    """Another's conversation and one that does not exist answer alike: Forbidden."""
    conversation = find(wanted)
    if conversation is None or conversation.customer_id != customer_id:
        raise Forbidden
    return conversation


# --- the agent's verbs


def end_by_agent(agent: Agent, frame: protocol.AgentEnd) -> protocol.Frame:
    """Raises ConversationUnknown, NotYours, Ended."""
    conversation = held(agent, frame.conversation)
    end(
        conversation,
        outcome=frame.outcome or "resolved",
        by="agent",
        sender=agent.pk,
        name=agent.name,
    )
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def held(
    agent: Agent, wanted: str, *, or_supervised: bool = False, or_waiting: bool = False
) -> Conversation:
    """The conversation, locked after its agent, if this agent holds it or, when asked,
    supervises its queue, or it waits in a queue of theirs. Raises as `end_by_agent`."""
    found = find(wanted)
    if found is None:
        raise ConversationUnknown
    lock_agents(found.agent_id)
    conversation = locked(found.pk)
    if (
        or_waiting
        and conversation.state == Conversation.State.WAITING
        and agent.memberships.filter(queue=conversation.queue).exists()
    ):
        return conversation
    if conversation.agent_id != agent.pk and not (
        or_supervised and supervises(agent, conversation)
    ):
        raise NotYours
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    if conversation.state == Conversation.State.WAITING:
        raise NotYours
    return conversation


def supervises(agent: Agent, conversation: Conversation) -> bool:
    supervised = agent.memberships.filter(role=QueueMembership.Role.SUPERVISOR)
    return supervised.filter(queue_id=conversation.queue_id).exists()


def tag(agent: Agent, frame: protocol.Tag) -> protocol.Frame:
    """Replace the tags. Raises as `end_by_agent`, and TooLong."""
    tags = list(dict.fromkeys(filter(None, (each.strip() for each in frame.tags))))
    if len(tags) > TAGS or any(len(each) > TAG_CHARS for each in tags):
        raise TooLong(f"tags: at most {TAGS} of at most {TAG_CHARS} characters.")
    conversation = held(agent, frame.conversation, or_supervised=True)
    change(conversation, tags=tags)
    tell(conversation)
    return protocol.ConversationAck(
        id=frame.id, conversation=snapshots.many_for_staff([conversation])[0]
    )


def readable(agent: Agent, wanted: str) -> Conversation:
    """An agent may read what they hold or held last, what waits in their queues or is
    offered or transferred to them, and what is in a queue that they supervise. Raises
    ConversationUnknown, Forbidden."""
    conversation = find(wanted)
    if conversation is None:
        raise ConversationUnknown
    if conversation.agent_id == agent.pk or _waits_for(agent, conversation):
        return conversation
    if supervises(agent, conversation):
        return conversation
    raise Forbidden


def _waits_for(agent: Agent, conversation: Conversation) -> bool:
    ringing = conversation.assignments.filter(
        agent=agent, kind=Assignment.Kind.OFFER, ended_at=None
    )
    if ringing.exists():
        return True
    pending = pending_transfer(conversation)
    going_to = pending.to_queue if pending else None
    if not going_to and conversation.state != Conversation.State.WAITING:
        return False
    return agent.memberships.filter(queue=going_to or conversation.queue).exists()


# --- what both do


def end(
    conversation: Conversation,
    *,
    outcome: str,
    by: str,
    sender: UUID | None = None,
    name: str = "",
) -> None:
    """End a conversation and free its slot; its row and its agent's are locked.
    Raises Ended. The caller nudges the agent's queues afterwards (pairing.nudge),
    since a slot may have become free."""
    if conversation.state == Conversation.State.ENDED:
        raise Ended
    now = db_now()
    release(conversation, now, why="ended")
    withdraw(conversation, "customer_left")
    drop_transfer(conversation)
    change(
        conversation,
        state=Conversation.State.ENDED,
        outcome=outcome,
        ended_at=now,
        agent_lost_at=None,
        customer_gone_at=None,
    )
    say_event(
        conversation,
        "ended",
        _ended_text(by, name),
        {"by": by, "name": name, "outcome": outcome},
    )
    tell(conversation, moved=not conversation.left)


def _ended_text(by: str, name: str) -> str:
    who = {"customer": "The customer", "agent": name or "The agent"}.get(by)
    return f"{who} ended the conversation." if who else "The conversation has ended."


def release(conversation: Conversation, now: dt.datetime, why: str) -> None:
    """Give up the slot that the conversation holds, if any; after an end it stays
    taken for the queue's wrap-up. Its row and its agent's are locked."""
    seconds = conversation.queue.wrap_up_seconds if why == "ended" else 0
    free_at = now + dt.timedelta(seconds=seconds) if seconds else None
    lease = Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.HOLD, ended_at=None
    )
    freed = lease.update(ended_at=now, ended_why=why, free_at=free_at)
    if freed and conversation.agent:
        conversation.agent.idle_since = now
        conversation.agent.save(update_fields=["idle_since"])
        tell_agent(conversation.agent)


def withdraw(conversation: Conversation, why: str, by: UUID | None = None) -> None:
    """An offer that rings for it, if any, stops ringing. `by` has taken it, and is
    not told so."""
    ringing = Assignment.objects.filter(
        conversation=conversation, kind=Assignment.Kind.OFFER, ended_at=None
    )
    for offer in ringing:
        Assignment.objects.filter(pk=offer.pk).update(
            ended_at=db_now(), ended_why="accepted" if offer.agent_id == by else why
        )
        tell_withdrawn(conversation, offer.agent_id, why)


def tell_withdrawn(conversation: Conversation, agent_id: UUID, why: str) -> None:
    frame = protocol.encode(protocol.OfferWithdrawn(str(conversation.pk), why))
    hub.announce(hub.Event((f"agent.{agent_id}",), frame))


def pending_transfer(conversation: Conversation) -> Transfer | None:
    return getattr(conversation, snapshots.TRANSFER, None)


def drop_transfer(conversation: Conversation) -> None:
    """No transfer is pending any more, and no offer of it rings."""
    if pending := pending_transfer(conversation):
        withdraw(conversation, "taken")
        Transfer.objects.filter(pk=pending.pk).delete()
        conversation._state.fields_cache[snapshots.TRANSFER] = None


def read(conversation: Conversation, reader: str, seq: int) -> None:
    """Move a read mark forward; never back, never past the last message. `reader` is
    "customer" or "agent". Idempotent."""
    field = f"read_by_{reader}"
    conversation = locked(conversation.pk)
    seq = min(seq, conversation.seq)
    if seq > getattr(conversation, field):
        change(conversation, **{field: seq})
        tell(conversation)


def note_mailed(conversation: Conversation, seq: int) -> None:
    """A follow-up mail tells of everything up to `seq`. Nothing that a screen shows
    has changed: no new version."""
    Conversation.objects.filter(pk=conversation.pk).update(mailed_seq=seq)


# --- shared by the verbs here and in pairing


def find(wanted: str) -> Conversation | None:
    """By the id that a client named, which may be anything."""
    if not re.fullmatch(r"[0-9a-f-]{36}", wanted):
        return None
    try:
        found = _with_relations().filter(pk=UUID(wanted)).first()
    except ValueError:
        return None
    return cast("Conversation | None", found)


def locked(pk: UUID) -> Conversation:
    """The row as it is under its lock. Verbs check state and holder on this."""
    return locked_all([pk])[pk]


def locked_all(pks: Iterable[UUID]) -> dict[UUID, Conversation]:
    """Locked in the order of their ids. The lock leaves the key alone, so that rows
    which refer to it can still be inserted.

    Read in a second statement: one that had to wait for the lock sees the row as it
    is then, but what it joins (agent, queue, transfer) as it was before.
    """
    wanted = tuple(pks)
    rows = Conversation.objects.select_for_update(no_key=True)
    list(rows.filter(pk__in=wanted).order_by("pk").values_list("pk"))
    return {row.pk: row for row in _with_relations().filter(pk__in=wanted)}


def lock_agents(*agent_ids: UUID | None) -> None:
    """Before the conversations that they hold, and by id, as the lock order says."""
    agents = apps.get_model("agents", "Agent").objects.order_by("pk")
    concerned = {agent_id for agent_id in agent_ids if agent_id}
    list(agents.select_for_update(no_key=True).filter(pk__in=concerned))


def _with_relations() -> Any:
    return Conversation.objects.select_related(*snapshots.RELATED)


def change(conversation: Conversation, **fields: Any) -> None:
    """Store new values of a locked conversation, as a new version."""
    Conversation.objects.filter(pk=conversation.pk).update(
        version=F("version") + 1, **fields
    )
    conversation.version += 1
    for name, value in fields.items():
        setattr(conversation, name, value)


def say_event(
    conversation: Conversation, event: str, text: str, data: dict[str, Any]
) -> None:
    """A system line, in the same transaction as the change it tells of."""
    say_events([writer.SystemLine(conversation, event, text, data)])


def say_events(lines: Sequence[writer.SystemLine]) -> None:
    """One in each of many conversations."""
    for line, message in zip(lines, writer.say_lines(lines), strict=True):
        announce_message(line.conversation, message)


def announce_message(
    conversation: Conversation, message: Message, skip: hub.Listener | None = None
) -> None:
    """Of a message that a verb said; not to `skip`, who hears of it in an ack. A note
    is for staff alone."""
    _announce(conversation, message, skip, staff=True)
    if message.kind != Message.Kind.NOTE:
        _announce(conversation, message, skip, staff=False)


def _announce(
    conversation: Conversation,
    message: Message,
    skip: hub.Listener | None,
    *,
    staff: bool,
) -> None:
    customer = f"customer.{conversation.customer_id}"
    (shown,) = snapshots.messages(
        conversation,
        [message],
        staff=staff,
        audience=uploads.STAFF if staff else customer,
    )
    frame = protocol.encode(protocol.Posted(str(conversation.pk), shown))
    audiences: tuple[str, ...] = (customer,)
    if staff:
        audiences = staff_audiences(conversation.pk, conversation.agent_id)
    hub.announce(hub.Event(audiences, frame, mark_of(conversation)), skip=skip)


def tell(
    conversation: Conversation,
    *also: UUID,
    moved: bool = False,
    left_queue: int | None = None,
) -> None:
    """Announce a changed conversation. `also`: agents who held it until now. `moved`:
    a line has changed. `left_queue`: in which it stood until now."""
    tell_all([conversation], also, moved=moved, left_queue=left_queue)


def tell_all(
    conversations: Sequence[Conversation],
    also: Iterable[UUID] = (),
    *,
    moved: bool = False,
    left_queue: int | None = None,
) -> None:
    former = tuple(f"agent.{agent}" for agent in also)
    for conversation, staff in zip(
        conversations, snapshots.many_for_staff(conversations), strict=True
    ):
        mark = mark_of(conversation)
        queues = _queues(conversation, left_queue)
        lines = queues if moved else ()
        audiences = (
            *staff_audiences(conversation.pk, conversation.agent_id),
            *(f"queue.{queue}" for queue in queues),
            *former,
        )
        frame = protocol.encode(protocol.Changed(staff))
        hub.announce(hub.Event(audiences, frame, mark, lines))
        turn = snapshots.Turn(staff.position, staff.wait_seconds)
        shown = snapshots.for_customer(conversation, turn)
        frame = protocol.encode(protocol.Changed(shown))
        audience = f"customer.{conversation.customer_id}"
        hub.announce(hub.Event((audience,), frame, mark))


def _queues(conversation: Conversation, left: int | None) -> tuple[int, ...]:
    """Whose members hear of a change: where it stands, stood, and is going."""
    pending = pending_transfer(conversation)
    going = pending.to_queue_id if pending else None
    concerned = {conversation.queue_id, left, going} - {None}
    return tuple(sorted(queue for queue in concerned if queue is not None))


def tell_agent(agent: Agent) -> None:
    """Announce a changed agent to colleagues, and how their queues are staffed now."""
    tell_agents([agent])


def tell_agents(agents: Sequence[Agent]) -> None:
    for shown in snapshots.agents([agent.pk for agent in agents], db_now()):
        frame = protocol.encode(protocol.AgentChanged(shown))
        audiences = (f"agent.{shown.id}", *(f"queue.{each}" for each in shown.queues))
        lines = tuple(int(each) for each in shown.queues)
        hub.announce(hub.Event(audiences, frame, lines=lines))


def attachment_ids(wanted: Sequence[str] | None) -> tuple[UUID, ...]:
    """Raises AttachmentUnknown for what cannot be an id."""
    try:
        return tuple(UUID(each) for each in wanted or ())
    except ValueError:
        raise AttachmentUnknown from None


def clean_email(email: str | None) -> str:
    """An e-mail address, or "" for what is none. A typed one is no identity."""
    try:
        validate_email((email or "").strip())
    except ValidationError:
        return ""
    return (email or "").strip()
