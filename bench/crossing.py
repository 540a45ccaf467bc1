"""Measures what it costs that messages cross between server processes, two and four,
each as busy as the one: of each pair the agent's socket is on the next process, and
each waits for the other's word. Beside them as many processes apart, which share the
machine and the database and know nothing of each other. And how late a message is at a
fixed rate. All take turns.

python -m bench.crossing        keeps raw results
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from .load import Job, put_to_load
from .people import end_all
from .services import Valkey, running, scratch
from .sockets import agent, customer
from .stage import START, Stage, in_rounds, keep, office, pair_up, stage

RATE = 1_000  # messages a second, of all customers together
CASES = (  # processes, whether apart, and at which rate; 0 is as fast as they can
    (1, False, 0),
    (2, True, 0),
    (2, False, 0),
    (4, True, 0),
    (4, False, 0),
    (1, False, RATE),
    (2, False, RATE),
)
PAIRS = 200  # a process
A_QUEUE = 10  # of them


def main() -> None:
    words = in_rounds("crossing").parse_args()
    with stage() as at:
        measured = [
            {"round": number, "processes": count, "apart": apart, "rate": rate}
            | measure(at, count, apart, rate, words.seconds)
            for number in range(words.rounds)
            for count, apart, rate in CASES
        ]
        settings = {"rounds": words.rounds, "seconds": words.seconds, "pairs": PAIRS}
        keep("crossing", {"runs": measured}, settings | {"rate": RATE}, at)


def measure(
    at: Stage, count: int, apart: bool, rate: int, seconds: float
) -> dict[str, Any]:
    with ExitStack() as stack:
        pairs = talking(uuid4().hex, PAIRS * count)
        valkeys = [at.valkey]
        for _ in range(1, count if apart else 1):
            valkeys.append(Valkey(stack.enter_context(scratch())))
            stack.callback(valkeys[-1].child.stop)
        told = [
            at.environment | {"REDIS_URL": valkeys[number % len(valkeys)].url}
            for number in range(count)
        ]
        servers = [stack.enter_context(running(START, each)) for each in told]
        for number, (one, other) in enumerate(pairs):
            one["url"] = servers[number % count].url
            other["url"] = servers[(number + (not apart)) % count].url
        processes = {
            "server": [server.pid for server in servers],
            "postgres": [at.postgres.pid],
            "valkey": [valkey.pid for valkey in valkeys],
        }
        job = Job("", pairs, processes, depth=1, rate=rate, seconds=seconds)
        job.in_turns = not rate
        return put_to_load(job)


def talking(key: str, pairs: int) -> list[list[dict[str, Any]]]:
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
