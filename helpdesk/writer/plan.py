"""What a batch of posts becomes. Decided here without touching anything, so that
the rules can be tried by the hundred; postgres.py and sqlite.py fetch and store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from ..errors import (
    AttachmentUnknown,
    ConversationUnknown,
    Ended,
    Forbidden,
    NotStarted,
    NotYours,
    Refused,
)


class Post(msgspec.Struct, frozen=True):
    """What somebody wants said. `author` is "customer", "agent" or "bot", `sender`
    the id of whoever that is. Without a conversation it goes into the customer's
    newest, the open one before left messages and ended ones."""

    sender: UUID
    author: str
    conversation: UUID | None
    client_id: str
    text: str
    note: bool = False
    attachments: tuple[UUID, ...] = ()
    joined: bool = False  # a supervisor who has joined need not hold it

    @property
    def key(self) -> Key:
        return self.sender, self.client_id


class File(msgspec.Struct, frozen=True):
    """An attachment, as a message shows it."""

    id: UUID
    name: str
    type: str
    size: int
    width: int | None
    height: int | None
    duration: float | None


class Stored(msgspec.Struct, frozen=True):
    """A post that is on disk, and what its ack and its event need to tell."""

    conversation: UUID
    place: int
    seq: int
    notes: int
    at: dt.datetime
    repeated: bool  # was stored by an earlier post: ack it again, do not publish it
    version: int
    customer: UUID
    agent: UUID | None  # who holds the conversation
    queue_id: int
    attachments: tuple[File, ...] = ()


class Answered(msgspec.Struct, frozen=True):
    """The id belongs to an earlier command that was no post: its ack, word for word."""

    ack: dict[str, Any]


class Later(msgspec.Struct, frozen=True):
    """Somebody else is changing the conversation; ask again in the next batch."""


class Standing(msgspec.Struct, frozen=True):
    """How a conversation stands, read under its lock."""

    id: UUID
    customer: UUID
    agent: UUID | None
    queue_id: int
    state: str
    version: int
    seq: int
    notes: int

    @property
    def holder(self) -> UUID | None:
        """The agent's id outlives the end; the holding does not."""
        return self.agent if self.state == "active" else None


class Said(msgspec.Struct, frozen=True):
    """A message that was stored earlier under the same sender and client id."""

    seq: int
    notes: int
    at: dt.datetime
    standing: Standing  # read without a lock


class Upload(msgspec.Struct, frozen=True):
    file: File
    uploader: UUID
    used: bool


class Found(msgspec.Struct, frozen=True):
    """What was read for a batch, under its locks. A conversation in neither
    `standings` (locked for this batch) nor `elsewhere` (locked by others) is unknown.
    """

    standings: Mapping[UUID, Standing]
    elsewhere: Collection[UUID]
    known: Mapping[Key, Said | Answered]
    uploads: Mapping[UUID, Upload]
    now: dt.datetime
    claimed: Collection[Key] = ()  # whose id another command may just be using


class Row(msgspec.Struct, frozen=True):
    """A message to insert."""

    conversation: UUID
    place: int
    seq: int
    notes: int
    client_id: str
    kind: str
    author: str
    sender: UUID
    text: str
    attachments: tuple[UUID, ...]


class Counter(msgspec.Struct, frozen=True):
    """What a conversation's counters become."""

    id: UUID
    seq: int
    notes: int


NONE = UUID(int=0)  # no conversation has this id
Key: TypeAlias = tuple[UUID, str]
Answer: TypeAlias = Stored | Answered | Later | Refused


class Plan(msgspec.Struct, frozen=True):
    rows: list[Row]
    counters: list[Counter]
    answers: list[Answer]  # one for each post, in their order


def plan(posts: Sequence[Post], found: Found) -> Plan:
    batch = _Batch(found)
    answers = [batch.answer(post) for post in posts]
    return Plan(batch.rows, batch.changed(), answers)


class _Batch:
    """A plan in the making: counters move on from post to post."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._stored: dict[Key, Stored] = {}
        self._counts: dict[UUID, tuple[int, int]] = {}
        self._used: set[UUID] = set()
        self.rows: list[Row] = []

    def answer(self, post: Post) -> Answer:
        # A repeated id gets its first ack whatever has become of the conversation,
        # the holder or the files since: so this look comes before every other check.
        key = post.key
        if first := self._first_answer(key):
            return first
        if post.conversation in self._found.elsewhere or key in self._found.claimed:
            return Later()
        standing = self._found.standings.get(post.conversation or NONE)
        try:
            standing = allowed(post, standing)
            files = self._files(post)
        except Refused as refusal:
            return refusal
        stored = self._stored[key] = self._say(post, standing, files)
        return stored

    def changed(self) -> list[Counter]:
        return [Counter(id, *counts) for id, counts in self._counts.items()]

    def _first_answer(self, key: Key) -> Answer | None:
        if stored := self._stored.get(key):
            return msgspec.structs.replace(stored, repeated=True)
        match self._found.known.get(key):
            case Said() as said:
                return _stored(said.standing, said.seq, said.notes, said.at, True, ())
            case answered:
                return answered

    def _files(self, post: Post) -> tuple[File, ...]:
        """The post's files, which must be the sender's own and not sent before."""
        if not post.attachments:
            return ()
        if len(set(post.attachments)) < len(post.attachments):
            raise AttachmentUnknown
        uploads = [self._found.uploads.get(id) for id in post.attachments]
        for upload in uploads:
            if not upload or upload.used or upload.uploader != post.sender:
                raise AttachmentUnknown
            if upload.file.id in self._used:
                raise AttachmentUnknown
        return tuple(upload.file for upload in uploads if upload)

    def _say(self, post: Post, standing: Standing, files: tuple[File, ...]) -> Stored:
        seq, notes = self._counts.get(standing.id, (standing.seq, standing.notes))
        seq, notes = (seq, notes + 1) if post.note else (seq + 1, notes)
        self._counts[standing.id] = seq, notes
        if post.attachments:
            self._used.update(post.attachments)
        self.rows.append(
            Row(
                standing.id,
                seq + notes,
                seq,
                notes,
                post.client_id,
                "note" if post.note else "text",
                post.author,
                post.sender,
                post.text,
                post.attachments,
            )
        )
        return stored_now(standing, seq, notes, self._found.now, files)


def into_newest(post: Post, newest: Mapping[UUID, UUID]) -> Post:
    """The post with a conversation: its sender's newest, unless it names one."""
    if post.conversation or post.author != "customer":
        return post
    return msgspec.structs.replace(post, conversation=newest.get(post.sender))


def allowed(post: Post, standing: Standing | None) -> Standing:
    """The conversation, if this sender may speak in it now."""
    if post.author == "customer":
        return _customers_own(post, standing)
    if not standing:
        raise ConversationUnknown
    if post.author == "agent" and standing.agent != post.sender and not post.joined:
        raise NotYours
    if standing.state == "ended":
        raise Ended
    return standing


def _customers_own(post: Post, standing: Standing | None) -> Standing:
    if post.conversation is None:
        raise NotStarted
    # Another's conversation and one that does not exist must look the same, or ids
    # could be tried out. Customers do not write notes.
    if not standing or standing.customer != post.sender or post.note:
        raise Forbidden
    if standing.state == "ended":
        raise Ended
    return standing


def stored_now(
    standing: Standing,
    seq: int,
    notes: int,
    at: dt.datetime,
    files: tuple[File, ...] = (),
) -> Stored:
    return _stored(standing, seq, notes, at, False, files)


def _stored(
    standing: Standing,
    seq: int,
    notes: int,
    at: dt.datetime,
    repeated: bool,
    files: tuple[File, ...],
) -> Stored:
    return Stored(
        conversation=standing.id,
        place=seq + notes,
        seq=seq,
        notes=notes,
        at=at,
        repeated=repeated,
        version=standing.version,
        customer=standing.customer,
        agent=standing.holder,
        queue_id=standing.queue_id,
        attachments=files,
    )
