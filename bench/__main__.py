"""Measures the product beside what it is compared with, in one run:

python -m bench            everything; raw results go to bench/results/
python -m bench product bare_daphne --rounds 1 --seconds 3

Cases take turns, round by round, so that a busy moment of the machine hits all of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from .cases import CASES, Case
from .load import Job, put_to_load
from .report import Record, Report, table
from .services import ROOT, Postgres, Server, Valkey, git, python, running, scratch
from .stage import RESULTS, settings

PAIRS, IDLE_PAIRS = 100, 250
RATE = 1_000  # messages a second when latency is measured


def main() -> None:
    words = arguments()
    cases = [case for case in CASES if not words.cases or case.name in words.cases]
    records: list[Record] = []
    load, _, _ = os.getloadavg()
    with scratch() as folder:
        services = Services(folder)
        for number in range(words.rounds):
            for case in cases:
                records += measure(case, services, words, number)
                print(".", end="", flush=True)
        report = describe(records, services, words, load)
    print("\n" + table(report))
    if not words.cases:
        keep(report)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("cases", nargs="*", choices=[[], *(c.name for c in CASES)])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--depth", type=int, default=2, help="in flight, a socket")
    parser.add_argument("--only", choices=("throughput", "latency", "idle"))
    return parser.parse_args()


class Services:
    """PostgreSQL and Valkey for the whole run; each case has a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.valkey = Valkey(folder)
        self.postgres = Postgres(folder)
        self.rows: dict[str, int] = {}

    def environment(self, case: Case) -> dict[str, str]:
        data = self.folder / case.name
        data.mkdir(exist_ok=True)
        return case.environment | {
            "DATABASE_URL": self.database(case, data),
            "REDIS_URL": self.valkey.url,
            "REDIS_PREFIX": case.name,
            **settings(data),
        }

    def database(self, case: Case, data: Path) -> str:
        if case.database == "sqlite":
            return f"sqlite:///{data}/bench.sqlite3"
        return self.postgres.url.removesuffix("postgres") + case.name

    def prepare(self, case: Case, environment: dict[str, str]) -> None:
        if case.name in self.rows:
            return
        self.rows[case.name] = 0
        if case.database == "postgresql":
            with psycopg.connect(self.postgres.url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {case.name}")
        for words in case.prepare:
            python(words, environment)


def measure(
    case: Case, services: Services, words: argparse.Namespace, number: int
) -> Iterator[Record]:
    environment = services.environment(case)
    services.prepare(case, environment)
    for kind in ("throughput", "latency", "idle"):
        if words.only not in (None, kind) or kind not in case.kinds:
            continue
        with started(case, services, environment) as (server, processes):
            job = Job(
                url=server.url,
                pairs=pairs(case, environment, IDLE_PAIRS if kind == "idle" else PAIRS),
                processes=processes,
                depth=words.depth,
                rate=RATE if kind == "latency" else 0,
                idle=kind == "idle",
                batch=case.batch,
                seconds=words.seconds,
            )
            yield Record(case.name, kind, number, put_to_load(job))


@contextmanager
def started(
    case: Case, services: Services, environment: dict[str, str]
) -> Iterator[tuple[Server, dict[str, list[int]]]]:
    with running(case.serve, environment) as server:
        processes = {"server": [server.pid], "valkey": [services.valkey.pid]}
        if case.database == "postgresql":
            processes["postgres"] = [services.postgres.pid]
        yield server, processes


def pairs(
    case: Case, environment: dict[str, str], count: int
) -> list[list[dict[str, Any]]]:
    if case.contract:
        told = python(["-m", "bench.people", str(count)], environment)
        return msgspec.json.decode(told, type=list[list[dict[str, Any]]])
    return [[{"path": f"/pair/{n}/{side}"} for side in (0, 1)] for n in range(count)]


def describe(
    records: list[Record],
    services: Services,
    words: argparse.Namespace,
    load: float,
) -> Report:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Report(
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        commit=git("rev-parse", "--short", "HEAD"),
        changed=bool(git("status", "--porcelain", "--untracked-files=no")),
        machine=f"{os.cpu_count()} cores, {memory:.0f} GiB",
        versions={
            "Python": sys.version.partition(" ")[0],
            **{
                name: version(name)
                for name in ("django", "channels", "daphne", "uvloop", "psycopg")
            },
        },
        settings={
            "pairs": PAIRS,
            "in flight": 2 * PAIRS * words.depth,
            "idle sockets": 2 * IDLE_PAIRS,
            "rate": RATE,
            "seconds": words.seconds,
            "rounds": words.rounds,
            "PostgreSQL": ", ".join(Postgres.SETTINGS),
        },
        rows=rows(services),
        records=records,
        load=load,
    )


def rows(services: Services) -> dict[str, int]:
    """How many messages each database holds at the end."""
    counted = {}
    for case in CASES:
        if case.name in services.rows and case.contract and case.database != "sqlite":
            url = services.postgres.url.removesuffix("postgres") + case.name
            with psycopg.connect(url) as connection:
                cursor = connection.execute("SELECT count(*) FROM helpdesk_message")
                counted[case.name] = cursor.fetchall()[0][0]
    return counted


def keep(report: Report) -> None:
    path = RESULTS / f"{report.at[:16].replace(':', '')}-{report.commit}.json"
    RESULTS.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    print(
        f"Kept in {path.relative_to(ROOT)}. `python -m bench.report` writes the page."
    )


if __name__ == "__main__":
    main()
