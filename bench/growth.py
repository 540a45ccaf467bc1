"""Measures what a message costs beside ten open conversations and beside ten thousand:
the same ten pairs talk, on two desks that take turns.

python -m bench.growth          keeps raw results
"""

from __future__ import annotations

from typing import Any

from .crossing import talking
from .load import Job, put_to_load
from .services import running
from .sockets import agent, customer
from .stage import START, Stage, in_rounds, keep, office, pair_up, stage

OPEN = (10, 10_000)
PAIRS, DEPTH = 10, 8  # who talk, and how many posts of each are in flight
HOLDERS = 40  # agents of all other conversations, connected
HERE = 1_000  # of their customers


def main() -> None:
    parser = in_rounds("growth")
    parser.add_argument("--most", type=int, default=OPEN[1])
    words = parser.parse_args()
    with stage() as at:
        measured = [
            {"open": count, "round": number}
            | measure(at, count, words.seconds, f"growth-{number}-{count}")
            for number in range(words.rounds)
            for count in (OPEN[0], words.most)
        ]
        settings = {
            "rounds": words.rounds,
            "seconds": words.seconds,
            "pairs": PAIRS,
            "in flight": 2 * PAIRS * DEPTH,
            "customers connected": min(HERE, words.most - PAIRS),
            "agents connected": HOLDERS,
        }
        keep("growth", {"runs": measured}, settings, at)


def measure(at: Stage, count: int, seconds: float, key: str) -> dict[str, Any]:
    from django.db import connection

    pairs = talking(key, PAIRS)
    silent = others(key, count - PAIRS)
    connection.cursor().execute("VACUUM ANALYZE")
    with running(START, at.environment) as server:
        job = Job(
            server.url,
            pairs,
            {"server": [server.pid], **at.services},
            silent=silent,
            depth=DEPTH,
            seconds=seconds,
            warm_seconds=3,
        )
        return put_to_load(job)


def others(key: str, count: int) -> list[dict[str, Any]]:
    """They have agents of their own, and some of their customers are connected."""
    if not count:
        return []
    from helpdesk.models import Queue

    queue, agents = office(f"{key}-others", HOLDERS, 500)
    Queue.objects.filter(pk=queue.pk).update(abandoned_after_seconds=1_000_000)
    talks = pair_up(queue, agents, count)
    at_desks = [agent(cookie) for _, cookie in agents]
    return at_desks + [customer(each) for each in talks[:HERE]]


if __name__ == "__main__":
    main()
