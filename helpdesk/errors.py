"""Refusals: the desk understood and will not do it. One wire code each
(docs/protocol.md lists them); anything else that rises is a bug."""

from __future__ import annotations


class Refused(Exception):
    """The desk understood and will not do it. `detail` is one sentence for a person;
    `status` is for doors without a socket."""

    code = "refused"
    detail = "The desk will not do that."
    status = 400
    retry_ms: int | None = None

    def __init__(self, detail: str | None = None, *, retry_ms: int | None = None):
        self.detail = detail or self.detail
        self.retry_ms = retry_ms if retry_ms is not None else self.retry_ms
        super().__init__(self.detail)


class BadFrame(Refused):
    code = "bad_frame"
    detail = "This frame cannot be read."


class NotStarted(Refused):
    code = "not_started"
    detail = "There is no conversation yet. Start one first."


class AlreadyOpen(Refused):
    code = "already_open"
    detail = "A conversation is open already."


class Ended(Refused):
    code = "ended"
    detail = "This conversation has ended."


class TooLong(Refused):
    code = "too_long"
    detail = "This text is too long."


class Empty(Refused):
    code = "empty"
    detail = "There is nothing to send: write a text or add a file."


class RateLimited(Refused):
    code = "rate_limited"
    detail = "That was too fast. It will be tried again."
    status = 429
    retry_ms = 1000


class QueueClosed(Refused):
    code = "queue_closed"
    detail = "Nobody can take this now. With an e-mail address it becomes a message."


class QueueUnknown(Refused):
    code = "queue_unknown"
    detail = "This site has no such queue."


class AttachmentUnknown(Refused):
    code = "attachment_unknown"
    detail = "There is no such file of yours to attach."


class Overloaded(Refused):
    code = "overloaded"
    detail = "The desk is busy. It will be tried again."
    status = 503
    retry_ms = 2000


class IdentityInvalid(Refused):
    code = "identity_invalid"
    detail = "The identity is not proven."


class Blocked(Refused):
    code = "blocked"
    detail = "You cannot write here at the moment."
    status = 403


class Forbidden(Refused):
    code = "forbidden"
    detail = "That is not for you."
    status = 403


class AlreadyTaken(Refused):
    code = "already_taken"
    detail = "Somebody else has taken this conversation."


class Full(Refused):
    code = "full"
    detail = "You have no room for another conversation."


class NotYours(Refused):
    code = "not_yours"
    detail = "You do not hold this conversation."


class AgentUnavailable(Refused):
    code = "agent_unavailable"
    detail = "This agent is not available."


class OfferLapsed(Refused):
    code = "offer_lapsed"
    detail = "This offer has lapsed."


class ConversationUnknown(Refused):
    code = "conversation_unknown"
    detail = "There is no such conversation."
