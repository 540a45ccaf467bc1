"""Measures what it costs that messages cross between server processes: one process,
two and four, taking turns, each as busy as the one; of each pair the agent's socket is
on the next process. And how late a message is at a fixed rate, with one and with two.

python -m bench.crossing        keeps raw results
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from .load import Job, put_to_load
from .people import end_all
from .services import running
from .sockets import agent, customer
from .stage import START, Stage, in_rounds, keep, office, pair_up, stage

BUSY, AT_EASE = (1, 2, 4), (1, 2)  # processes
PAIRS = 200  # a process
A_QUEUE = 10  # of them
RATE = 1_000  # messages a second, of all customers together


def main() -> None:
    words = in_rounds("crossing").parse_args()
    with stage() as at:
        measured = [
            {"processes": count, "round": number, "rate": rate}
            | measure(at, count, words.seconds, rate, f"cross-{number}-{count}-{rate}")
            for number in range(words.rounds)
            for rate, counts in ((0, BUSY), (RATE, AT_EASE))
            for count in counts
        ]
        settings = {
            "rounds": words.rounds,
            "seconds": words.seconds,
            "pairs": PAIRS,
            "in flight": 2 * PAIRS,
            "rate": RATE,
        }
        keep("crossing", {"runs": measured}, settings, at)


def measure(
    at: Stage, count: int, seconds: float, rate: int, key: str
) -> dict[str, Any]:
    with ExitStack() as stack:
        pairs = talking(key, PAIRS * count)
        servers = [
            stack.enter_context(running(START, at.environment)) for _ in range(count)
        ]
        for number, (one, other) in enumerate(pairs):
            one["url"] = servers[number % count].url
            other["url"] = servers[(number + 1) % count].url
        processes = {"server": [server.pid for server in servers], **at.services}
        job = Job("", pairs, processes, depth=1, rate=rate, seconds=seconds)
        return put_to_load(job)


def talking(key: str, pairs: int = PAIRS) -> list[list[dict[str, Any]]]:
    """Sockets to open, as bench.load wants them; what was before has ended."""
    end_all()
    told = []
    for first in range(0, pairs, A_QUEUE):
        here = min(A_QUEUE, pairs - first)
        queue, agents = office(f"{key}-{first}", here, 500)
        for (_, cookie), talk in zip(agents, pair_up(queue, agents, here), strict=True):
            told.append(
                [customer(talk), agent(cookie) | {"conversation": str(talk.pk)}]
            )
    return told


if __name__ == "__main__":
    main()
