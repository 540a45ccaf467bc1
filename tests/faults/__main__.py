"""Faults, lived through one after the other, and a table of what became of the
messages:

    python -m tests.faults [fault …] [--seed N] [--seconds S] [--results FOLDER]

Without names, all of them; a seed gives the same decisions again. Exit status 1 when
anything that must hold did not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
from pathlib import Path

import msgspec

from .every import FAULTS
from .faults import Result, live_through
from .installation import Services

SECONDS = 8  # of ordinary life after each fault


def main() -> int:
    words = arguments()
    seed = words.seed or str(random.SystemRandom().randrange(10_000))
    print_row("fault", "messages", "lost", "doubled", "disorder", "recovery", "took")
    # The ledger's reader gives up on a database that is paused; that is no news.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    services = Services()
    try:
        results = [run(services, name, seed, words) for name in words.faults]
    finally:
        services.remove()
    bad = [result for result in results if result.found]
    for result in bad:
        explain(result)
    told = f"{len(results)} faults, {len(bad)} of them survived badly"
    sys.stdout.write(f"\n{told}; seed {seed}\n")
    return bool(bad)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("faults", nargs="*", metavar="fault", help=", ".join(FAULTS))
    parser.add_argument("--seed", default="")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--results", type=Path)
    words = parser.parse_args()
    if unknown := set(words.faults) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    words.faults = words.faults or list(FAULTS)
    return words


def run(services: Services, name: str, seed: str, words: argparse.Namespace) -> Result:
    result = asyncio.run(live_through(services, name, seed, words.seconds))
    recovery = "–" if result.recovery is None else f"{result.recovery:.1f} s"
    print_row(
        name,
        str(result.messages),
        str(result.lost),
        str(result.doubled),
        str(result.out_of_order),
        recovery,
        f"{result.seconds:.0f} s",
        "" if not result.found else "← " + " ".join(result.found),
    )
    if words.results:
        keep(result, words.results)
    return result


def keep(result: Result, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{result.fault.replace(' ', '-')}-{result.seed}.json"
    (folder / name).write_bytes(msgspec.json.encode(result.history))


def explain(result: Result) -> None:
    sys.stdout.write(f"\n{result.fault} (--seed {result.seed})\n")
    for name, sentences in result.found.items():
        for sentence in sentences[:5]:
            sys.stdout.write(f"  {name}  {sentence}\n")
        if len(sentences) > 5:
            sys.stdout.write(f"  {name}  … and {len(sentences) - 5} more\n")


def print_row(name: str, *words: str) -> None:
    columns = "".join(f"{word:>10}" for word in words[:6])
    sys.stdout.write(f"{name:34}{columns}  {''.join(words[6:])}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
