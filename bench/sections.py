"""The page's sections, each from what one command has kept."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

Kept = dict[str, Any]  # the JSON of a result


def heading(title: str, command: str, kept: Kept, name: str) -> str:
    later = " and later changes" * kept.get("changed", False)
    return f"""## {title}

`python -m {command}`, measured {kept["at"][:10]} at {kept["commit"]}{later} on
{kept["machine"]}, PostgreSQL, load average {kept["load"]:.1f} when it began;
raw results in bench/results/{name}.
"""


# --- the line

WANTED = {"told": 100, "drain": 5, "sweep": 5}


def line(kept: Kept, name: str) -> str:
    told, settings = kept["hand_out"], kept["settings"]
    drain, sweep = kept["drain"], kept["sweep"]
    return f"""{heading("The line", "bench.line", kept, name)}
| | measured | wanted |
|---|---|---|
| a slot is free until the next customer and the agent are both told, \
{settings["agents"]} agents, {settings["waiting"]} waiting, {told["samples"]} samples: \
p50 | {told["freed"]["p50_ms"]:.0f} ms | |
| p95 | {told["freed"]["p95_ms"]:.0f} ms | < {WANTED["told"]} ms |
| the same from the moment the agent asked for the end: p50 | \
{told["asked"]["p50_ms"]:.0f} ms | |
| p95 | {told["asked"]["p95_ms"]:.0f} ms | |
| {drain["given"]:,.0f} waiting given to {settings["its agents × capacity"]}, in \
order, none twice | {drain["seconds"]:.1f} s | < {WANTED["drain"]} s |
| CPU of a tick of the clock with nothing to do, beside them | \
{sweep["cpu_ms"]:.1f} ms | < {WANTED["sweep"]} ms |
"""


# --- many rows

OPENED = {
    "agent_hello": "an agent's hello: four open conversations, one of 400 messages",
    "customer_hello": "a customer's hello in an open conversation",
    "customer_hello_ended": "a customer's hello with an ended conversation of any age",
    "agent_page": "100 earlier messages, for an agent",
    "customer_page": "100 earlier messages, for a customer",
    "list": "the list of transcripts",
    "list_page_20": "its 21st page",
    "list_filtered": "filtered by outcome",
    "list_of_agent": "filtered by agent",
    "list_of_rating": "filtered by rating",
    "list_search_rare": "search for a word that stands in one message",
    "list_search_name": "search for an e-mail address",
    "list_search_frequent": "search for a frequent word",
    "list_search_nothing": "search for a word that nobody said",
}


def rows(kept: Kept, name: str) -> str:
    counted = kept["settings"]["rows"]
    lines = [
        f"| {title} | {got['p50_ms']:.0f} | {got['p95_ms']:.0f} | {got['samples']} |"
        for key, title in OPENED.items()
        if (got := kept["opened"].get(key))
    ]
    return f"""{heading("Beside many rows", "bench.rows", kept, name)}
{counted["helpdesk_message"]:,} messages in {counted["helpdesk_conversation"]:,}
conversations; one person at a time. A hello is timed from connecting to the welcome, a
list until the page is there. Wanted: p95 ≤ 100 ms.

| | p50, ms | p95, ms | samples |
|---|---|---|---|
{chr(10).join(lines)}
"""


# --- idle sockets


def idle(kept: Kept, name: str) -> str:
    settings = kept["settings"]
    bare, new, ours = kept["bare"], kept["new"], kept["product"]
    agents, resuming = ours["agents"], ours["resuming"]
    lost = f" {ours['closed']} were closed meanwhile." if ours["closed"] else ""
    return f"""{heading("Idle sockets with a heartbeat", "bench.idle", kept, name)}
{settings["had"]:,} sockets on one process ({settings["wanted"]:,} wanted), for
{settings["seconds"]:.0f} s. One of fifty is an agent's, the others customers', each
with the conversation that an agent holds; all ping every 20 s.{lost} The bare
application knows nobody, and is not pinged.

| | measured | bare ASGI on daphne | wanted |
|---|---|---|---|
| KiB a socket | {ours["kib"]:.1f} | {bare["kib"]:.1f} | ≤ 30 |
| the same, of visitors who have not written | {new["kib"]:.1f} | | |
| of a core | {ours["server_core"]:.1%} | {bare["server_core"]:.1%} \
| ≤ 5 % with 10,000 |
| connects/s: new visitors | {new["a_second"]:,.0f} | {bare["a_second"]:,.0f} | ≥ 800 |
| resuming customers | {resuming["a_second"]:,.0f} | | ≥ 400 |
| agents | {agents["a_second"]:,.0f} | | |
| the server's CPU, ms each: new visitors | {new["cpu_ms"]:.1f} | | |
| resuming customers | {resuming["cpu_ms"]:.1f} | | |
| agents | {agents["cpu_ms"]:.1f} | | |
"""


# --- the ways of a customer


def ways(kept: Kept, name: str) -> str:
    settings = kept["settings"]
    titles = {
        "socket": "WebSocket",
        "long_poll": "long poll",
        "asking": f"asks every {settings['ask']} s",
    }
    lines = [_way(title, kept["ways"][key]) for key, title in titles.items()]
    return f"""{heading("WebSocket, long poll, asking", "bench.ways", kept, name)}
{settings["pairs"]} customers and their agents, a message every
{settings["pause"][0]} to {settings["pause"][1]} s from each, for
{settings["seconds"]:.0f} s. Agents are on WebSockets. Bytes are those of the customers'
connections, with HTTP headers as a browser sends them and without TLS;
for a WebSocket a request is a frame from the client.

| | to the agent, ms: p50 · p95 | to the customer, ms: p50 · p95 | requests a message \
| bytes a message: up · down | CPU µs a message: server · PostgreSQL |
|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def _way(title: str, got: Kept) -> str:
    to_agent, to_customer = got["to_agent"], got["to_customer"]
    messages, cpu = got["messages"], got["cpu_us"]
    return (
        f"| {title} | {to_agent['p50_ms']:.0f} · {to_agent['p95_ms']:.0f} "
        f"| {to_customer['p50_ms']:,.0f} · {to_customer['p95_ms']:,.0f} "
        f"| {got['requests'] / messages:.1f} "
        f"| {got['up'] / messages:,.0f} · {got['down'] / messages:,.0f} "
        f"| {cpu['server']:,.0f} · {cpu['postgres']:,.0f} |"
    )


# --- runs that took turns


def growth(kept: Kept, name: str) -> str:
    settings = kept["settings"]
    most = max(run["open"] for run in kept["runs"])
    return f"""{heading("Beside many conversations", "bench.growth", kept, name)}
The same {settings["pairs"]} pairs talk, {settings["in flight"]} messages in flight;
beside {most:,}, {settings["customers connected"]:,} more customers and all
{settings["agents connected"]} agents are connected. Wanted: ≤ 1.2 × the cost.

{turns(kept["runs"], "open", "open conversations")}
"""


def crossing(kept: Kept, name: str) -> str:
    settings, runs = kept["settings"], kept["runs"]
    at_ease = [run for run in runs if run["rate"]]
    busy: dict[tuple[int, bool], list[Kept]] = {}
    for run in runs:
        if not run["rate"]:
            busy.setdefault((run["processes"], run["apart"]), []).append(run)
    costs = {case: _server(mine) for case, mine in busy.items()}
    lines = [
        _crossing(case, mine, costs[case] / costs[1, False], costs)
        for case, mine in busy.items()
    ]
    return f"""{heading("Several processes", "bench.crossing", kept, name)}
{settings["pairs"]} pairs for each process, of whom each waits for the other's word; in
several processes every message crosses from one to the next. They take turns on the
machine's cores, with the load generator and the database, which alone makes each
message dearer. So beside them stand as many processes *apart*: on the same machine and
database, but knowing nothing of each other. Wanted: four processes ≤ 1.25 × the cost of
one; two ≥ 80 % of one's throughput per core used.

| server processes | messages/s | CPU µs a message: server · PostgreSQL · Valkey | \
server's, against one | against as many apart | throughput per core used, against as \
many apart | p50, ms |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}

At {settings["rate"]:,} messages a second from customers to agents, all in all:

| server processes | p50, ms | p95, ms | p99, ms | wanted, p50 and p99 |
|---|---|---|---|---|
{chr(10).join(_late(at_ease, count) for count in LATE_WANTED)}
"""


def _server(runs: list[Kept]) -> float:
    return median(run["cpu_us"]["server"] for run in runs)


def _crossing(
    case: tuple[int, bool],
    mine: list[Kept],
    against_one: float,
    costs: dict[tuple[int, bool], float],
) -> str:
    count, apart = case
    others = costs.get((count, True), 0)
    against = (
        "| | |"
        if apart or not others
        else (f"| {costs[case] / others:.2f} × | {others / costs[case]:.0%} |")
    )
    title = ", apart" if apart else ", crossing" if others else ""
    rate = median(run["messages"] / run["seconds"] for run in mine)
    cpu = " · ".join(
        f"{median(run['cpu_us'][each] for run in mine):.0f}"
        for each in ("server", "postgres", "valkey")
    )
    late = median(run["latency_ms"]["p50"] for run in mine)
    return (
        f"| {count}{title} | {rate:,.0f} | {cpu} | {against_one:.2f} × "
        f"{against} {late:.1f} |"
    )


LATE_WANTED = {1: "≤ 2 and 10", 2: "≤ 3 and 15"}


def _late(runs: list[Kept], count: int) -> str:
    mine = [run["latency_ms"] for run in runs if run["processes"] == count]
    p50, p95, p99 = (median(run[p] for run in mine) for p in ("p50", "p95", "p99"))
    return f"| {count} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {LATE_WANTED[count]} |"


def turns(runs: list[Kept], key: str, title: str) -> str:
    """Medians over the rounds, and what a message costs against the first."""
    lines = [
        f"| {title} | messages/s | CPU µs a message: server · PostgreSQL · Valkey "
        "| server's, against the first | throughput per core used | p50, ms |",
        "|---|---|---|---|---|---|",
    ]
    first = 0.0
    for count in dict.fromkeys(run[key] for run in runs):
        mine = [run for run in runs if run[key] == count]
        rate = median(run["messages"] / run["seconds"] for run in mine)
        server, postgres, valkey = (
            median(run["cpu_us"][name] for run in mine)
            for name in ("server", "postgres", "valkey")
        )
        late = median(run["latency_ms"]["p50"] for run in mine)
        first = first or server
        lines.append(
            f"| {count:,} | {rate:,.0f} | {server:.0f} · {postgres:.0f} · {valkey:.0f} "
            f"| {server / first:.2f} × | {first / server:.0%} | {late:.1f} |"
        )
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[Kept, str], str]] = {
    "line": line,
    "rows": rows,
    "idle": idle,
    "ways": ways,
    "growth": growth,
    "crossing": crossing,
}
