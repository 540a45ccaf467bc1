"""The table that answers pings: how far each conversation of a local socket is.

`pong` must never wait for the database. The table is fed by every event and, since
events are best effort, by one batched query every few seconds (refresh).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import connection
from msgspec import json

from .hub import Event, Hub, Mark
from .models import Conversation
from .tally import tally

REFRESH_SECONDS = 5


class Newest:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._marks: dict[str, Mark] = {}
        self._of_customer: dict[str, set[str]] = defaultdict(set)
        self._of_agent: dict[str, set[str]] = defaultdict(set)
        hub.observe(self.hear)

    def hear(self, event: Event) -> None:
        if event.mark and self._local(event.mark):
            self.learn(event.mark)

    def learn(self, mark: Mark) -> None:
        """Never goes back, in whatever order marks arrive."""
        known = self._marks.get(mark.conversation)
        if known is None or mark.version >= known.version:
            self._place(mark, known)
        newest = known or mark
        newer = mark if mark.version >= newest.version else newest
        self._marks[mark.conversation] = Mark(
            mark.conversation,
            max(mark.seq, newest.seq),
            max(mark.place, newest.place),
            newer.version,
            mark.customer,
            newer.agent,
            newer.state,
            mark.left or newest.left,
        )

    def heal(self, mark: Mark) -> None:
        """Learn what the database says, which an event should have told before. (Under
        load a few are read between their COMMIT and their event.)"""
        known = self._marks.get(mark.conversation)
        if known is None or mark.place > known.place or mark.version > known.version:
            tally.repairs += 1
        self.learn(mark)

    def of(self, conversation: str) -> Mark | None:
        return self._marks.get(conversation)

    def of_customer(self, customer: str) -> Mark | None:
        """The one that conversations.customers_newest would find."""
        marks = (self._marks[id] for id in self._of_customer.get(customer, ()))
        return max(marks, key=_newness, default=None)

    def of_agent(self, agent: str) -> dict[str, tuple[int, int]]:
        """Place and version of each conversation that the agent holds."""
        marks = (self._marks[id] for id in self._of_agent.get(agent, ()))
        return {mark.conversation: (mark.place, mark.version) for mark in marks}

    def followed(self) -> dict[str, Mark]:
        """All that is known; forgets what no local socket follows."""
        for mark in tuple(self._marks.values()):
            if not self._local(mark):
                self._forget(mark)
        return dict(self._marks)

    def _local(self, mark: Mark) -> bool:
        return self._hub.has(f"customer.{mark.customer}") or (
            mark.agent is not None and self._hub.has(f"agent.{mark.agent}")
        )

    def _place(self, mark: Mark, known: Mark | None) -> None:
        if known and known.agent and known.agent != mark.agent:
            self._of_agent[known.agent].discard(mark.conversation)
        if mark.agent:
            held = self._of_agent[mark.agent]
            if mark.state == Conversation.State.ACTIVE:
                held.add(mark.conversation)
            else:
                held.discard(mark.conversation)
        self._of_customer[mark.customer].add(mark.conversation)

    def _forget(self, mark: Mark) -> None:
        del self._marks[mark.conversation]
        _discard(self._of_customer, mark.customer, mark.conversation)
        if mark.agent:
            _discard(self._of_agent, mark.agent, mark.conversation)


def _newness(mark: Mark) -> tuple[bool, bool, str]:
    """Version 7 ids sort by time."""
    return mark.state != "ended", not mark.left, mark.conversation


def _discard(sets: dict[str, set[str]], key: str, item: str) -> None:
    sets[key].discard(item)
    if not sets[key]:
        del sets[key]


def mark_of(conversation: Conversation) -> Mark:
    return Mark(
        str(conversation.pk),
        conversation.seq,
        conversation.seq + conversation.notes,
        conversation.version,
        str(conversation.customer_id),
        str(conversation.agent_id) if conversation.agent_id else None,
        conversation.state,
        conversation.left,
    )


def read_marks(
    known: Mapping[str, Mark], agents: Iterable[str], customers: Iterable[str]
) -> list[Mark]:
    """What is further than is known, of a whole process; nearly always nothing is.
    `agents` and `customers`: those with a socket here, since an assignment, or a start
    in another tab, whose event was lost is found only through them."""
    told = [(mark.conversation, mark.place, mark.version) for mark in known.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            FURTHER[connection.vendor],
            [json.encode(list(each)).decode() for each in (told, agents, customers)],
        )
        further = [id for (id,) in cursor.fetchall()]
    return [mark_of(each) for each in Conversation.objects.filter(pk__among=further)]


# The database compares: to read thousands, of whom nobody has moved, was a tenth of
# what their idle sockets cost (docs/performance.md).
_FURTHER = """
    WITH known AS ({known}), agents AS ({here}), customers AS ({here})
    SELECT c.id FROM known CROSS JOIN helpdesk_conversation c
    WHERE c.id = known.id
      AND (c.seq + c.notes > known.place OR c.version > known.version)
    UNION ALL
    SELECT c.id FROM agents CROSS JOIN helpdesk_conversation c
    WHERE c.agent_id = agents.id AND c.state = 'active'
      AND c.id NOT IN (SELECT id FROM known)
    UNION ALL
    SELECT c.id FROM customers CROSS JOIN helpdesk_conversation c
    WHERE c.customer_id = customers.id AND c.state <> 'ended'
      AND c.id NOT IN (SELECT id FROM known)
"""
FURTHER = {
    "postgresql": _FURTHER.format(
        known="""
            SELECT (k->>0)::uuid AS id, (k->>1)::int AS place, (k->>2)::int AS version
            FROM json_array_elements(%s::json) AS k""",
        here="SELECT h::uuid AS id FROM json_array_elements_text(%s::json) AS h",
    ),
    "sqlite": _FURTHER.format(
        known="""
            SELECT replace(json_extract(value, '$[0]'), '-', '') AS id,
                   json_extract(value, '$[1]') AS place,
                   json_extract(value, '$[2]') AS version
            FROM json_each(%s)""",
        here="SELECT replace(value, '-', '') AS id FROM json_each(%s)",
    ),
}
