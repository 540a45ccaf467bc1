"""The desk's facts. Promises that must hold whatever races are constraints here."""

from .among import Among
from .conversations import Assignment, AuditEntry, Conversation, Transcript, Transfer
from .ids import new_id
from .leases import Connection, ServerProcess
from .messages import Attachment, Message, OutgoingMail, Receipt, attachment_path
from .queues import Holiday, OpeningSlot, Queue, QueueMembership

__all__ = [
    "Among",
    "Assignment",
    "Attachment",
    "AuditEntry",
    "Connection",
    "Conversation",
    "Holiday",
    "Message",
    "OpeningSlot",
    "OutgoingMail",
    "Queue",
    "QueueMembership",
    "Receipt",
    "ServerProcess",
    "Transcript",
    "Transfer",
    "attachment_path",
    "new_id",
]
