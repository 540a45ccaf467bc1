"""How far people have read, and have been told by mail."""

from __future__ import annotations

from ..models import Conversation
from .rows import change, locked
from .telling import tell


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
