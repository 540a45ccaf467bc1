"""Tables from raw results. The page is made from those that were kept last:

python -m bench.report
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from .cases import CASES
from .sections import SECTIONS
from .services import ROOT
from .stage import RESULTS

PAGE = ROOT / "docs" / "performance.md"
BASE = "bare_daphne"


class Record(msgspec.Struct):
    """One case in one round."""

    case: str
    kind: str
    round: int
    result: dict[str, Any]


class Report(msgspec.Struct):
    at: str
    commit: str
    changed: bool  # the working tree held more than the commit
    machine: str
    versions: dict[str, str]
    settings: dict[str, Any]
    rows: dict[str, int]
    records: list[Record]
    load: float = 0  # the machine's load average when the run began


def table(report: Report) -> str:
    parts = [throughput(report), latency(report), idle(report)]
    return "\n\n".join(part for part in parts if part)


def throughput(report: Report) -> str:
    rates = {case.name: of(report, case.name, "throughput", rate) for case in CASES}
    base = median(rates[BASE]) if rates[BASE] else 0
    lines = [
        "| | messages/s, median (lowest–highest) | of bare ASGI | CPU µs a message: "
        "server · PostgreSQL · Valkey |",
        "|---|---|---|---|",
    ]
    for case in CASES:
        if found := rates[case.name]:
            share = f"{median(found) / base:.0%}" if base else ""
            lines.append(
                f"| {case.title} | {median(found):,.0f} "
                f"({min(found):,.0f}–{max(found):,.0f}) | {share} | "
                f"{cpu(report, case.name)} |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def rate(result: dict[str, Any]) -> float:
    return float(result["messages"] / result["seconds"])


def cpu(report: Report, case: str) -> str:
    def used(name: str) -> str:
        found = of(report, case, "throughput", lambda r: r["cpu_us"].get(name))
        known = [value for value in found if value is not None]
        return f"{median(known):.0f}" if known else "–"

    return " · ".join(map(used, ("server", "postgres", "valkey")))


def latency(report: Report) -> str:
    rate = report.settings["rate"]
    lines = [
        f"| customer → agent at {rate:,} messages/s, ms | p50 | p95 | p99 |",
        "|---|---|---|---|",
    ]
    for case in CASES:
        cells = []
        for name in ("p50", "p95", "p99"):
            found = of(report, case.name, "latency", lambda r: r["latency_ms"][name])  # noqa: B023
            cells += [f"{median(found):.1f}"] if found else []
        if cells:
            lines.append(f"| {case.title} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def idle(report: Report) -> str:
    sockets = report.settings["idle sockets"]
    lines = [
        f"| {sockets:,} idle sockets | KiB a socket | connects/s |",
        "|---|---|---|",
    ]
    for case in CASES:
        if found := of(report, case.name, "idle", lambda r: r["memory_kib"]):
            speed = of(
                report, case.name, "idle", lambda r: sockets / r["connect_seconds"]
            )
            lines.append(
                f"| {case.title} | {median(found):.1f} | {median(speed):,.0f} |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def of(report: Report, case: str, kind: str, pick: Any) -> list[Any]:
    return [
        pick(each.result)
        for each in report.records
        if (each.case, each.kind) == (case, kind)
    ]


BUSY = """
**The machine was busy with other work** (load average {load:.1f} when the run began).
A message of the product's passes through four processes and waits for the disk, so
this probably costs it more than the baselines. Do not rely on these ratios; run it
again on a machine of its own.
"""


def page(report: Report, name: str, others: str) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    settings = report.settings
    rows = ", ".join(f"{count:,} in {case}" for case, count in report.rows.items())
    priority = settings.get("priority")
    busy = BUSY.format(load=report.load) if report.load > 1 else ""
    return f"""<!-- Made by `python -m bench.report` from bench/results/{name} -->
# Speed

`python -m bench` measures the product and, in the same run, what it is compared with.
Only the ratios travel to another machine.

Measured {report.at[:10]} at {report.commit}{" and later changes" * report.changed} on \
{report.machine}, shared with the load generator and every service; {versions};
PostgreSQL with {settings["PostgreSQL"]}. {2 * settings["pairs"]} sockets in pairs,
{settings["in flight"]} messages of 100 bytes in flight, {settings["rounds"]} rounds of
{settings["seconds"]:.0f} s in which the cases took turns. One message is one frame in,
one ack and one delivery out; the product acks after COMMIT.
Messages stored at the end: {rows or "not counted"}.
{f"Priority {priority}." if priority else ""}
{busy}
## Throughput, one server process

{throughput(report)}

## Latency

{latency(report)}

## Idle sockets

The product's have said hello and were welcomed with their conversation; half are
customers', half agents'.

{idle(report)}

{others}
## What the numbers mean

- The baselines store nothing (but the one that says so), know nobody and limit nothing.
  The product authenticates, stores, numbers, deduplicates and publishes every message
  to all server processes.
- Several clients' messages share one transaction, so the database's share falls as the
  load grows; a single message waits for its own COMMIT.
- `batch: true` in `hello` lets the server send several waiting frames as one.
"""


def main() -> None:
    newest = max(RESULTS.glob("2*.json"))
    report = msgspec.json.decode(newest.read_bytes(), type=Report)
    others = "\n".join(section(each) for each in SECTIONS if newest_of(each))
    PAGE.write_text(page(report, newest.name, others))


def newest_of(name: str) -> Path | None:
    return max(RESULTS.glob(f"{name}-*.json"), default=None)


def section(name: str) -> str:
    path = newest_of(name)
    assert path
    return SECTIONS[name](json.loads(path.read_bytes()), path.name)


if __name__ == "__main__":
    main()
