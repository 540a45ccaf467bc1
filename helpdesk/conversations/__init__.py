"""What can be done with a conversation: the verbs, one home each.

The socket, the long poll, REST, the admin and commands all pass through here. A
verb is a plain function to be run in a transaction (database.in_transaction); what
it announces is heard after the COMMIT. `post` is different: posts are many, and the
writer commits them together.

Lock order: queues, then agents, then conversations, each by id.
"""

from .ending import drop_transfer, end, release, withdraw
from .marks import note_mailed, read
from .of_agents import end_by_agent, held, readable, supervises, tag
from .of_customers import (
    clean_email,
    customers_newest,
    customers_own,
    end_by_customer,
    leave,
    newest_of,
    rate,
    start,
)
from .posting import Acked, attachment_ids, check_text, post, text_limit
from .repeating import answered, once
from .rows import (
    OPEN,
    change,
    change_all,
    find,
    lock_agents,
    locked,
    locked_all,
    locked_with_holder,
    pending_transfer,
)
from .telling import (
    announce_agents,
    announce_message,
    changed_agents,
    say_event,
    say_events,
    staff_audiences,
    tell,
    tell_agent,
    tell_agents,
    tell_all,
    tell_withdrawn,
)

__all__ = [
    "OPEN",
    "Acked",
    "announce_agents",
    "announce_message",
    "answered",
    "attachment_ids",
    "change",
    "change_all",
    "changed_agents",
    "check_text",
    "clean_email",
    "customers_newest",
    "customers_own",
    "drop_transfer",
    "end",
    "end_by_agent",
    "end_by_customer",
    "find",
    "held",
    "leave",
    "lock_agents",
    "locked",
    "locked_all",
    "locked_with_holder",
    "newest_of",
    "note_mailed",
    "once",
    "pending_transfer",
    "post",
    "rate",
    "read",
    "readable",
    "release",
    "say_event",
    "say_events",
    "staff_audiences",
    "start",
    "supervises",
    "tag",
    "tell",
    "tell_agent",
    "tell_agents",
    "tell_all",
    "tell_withdrawn",
    "text_limit",
    "withdraw",
]
