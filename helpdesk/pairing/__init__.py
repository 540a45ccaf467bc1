"""The line: who is next and who takes it, and why.

`deciding` is pure. The others apply decisions, under locks: queues, then agents,
then conversations, each by id. Capacity is a lease: an open assignment takes a slot
from the moment it is made, offered or held, and it is made while the agent's row is
locked, so no race can exceed it.
"""

from .draining import (
    DRAIN,
    concerned,
    concerned_by_customer,
    drain,
    nudge,
    nudged,
    with_waiting,
)
from .holding import (
    assign,
    audit,
    end_wrap_up,
    fallen_silent,
    note_activity,
    queues_of,
    requeue,
    return_to,
    set_status,
    supervised_queues,
    take,
    wrapped_up,
)
from .offers import (
    accept,
    decline,
    due,
    lapse,
    next_lapse,
    ringing_for,
    typed,
    withdraw_from,
)
from .transfers import transfer

__all__ = [
    "DRAIN",
    "accept",
    "assign",
    "audit",
    "concerned",
    "concerned_by_customer",
    "decline",
    "drain",
    "due",
    "end_wrap_up",
    "fallen_silent",
    "lapse",
    "next_lapse",
    "note_activity",
    "nudge",
    "nudged",
    "queues_of",
    "requeue",
    "return_to",
    "ringing_for",
    "set_status",
    "supervised_queues",
    "take",
    "transfer",
    "typed",
    "with_waiting",
    "withdraw_from",
    "wrapped_up",
]
