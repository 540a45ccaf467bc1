"""What is measured: the product in its variants, and the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field

BASELINES = "bench.baselines"
MIGRATE = [["manage.py", "migrate", "-v", "0"]]
COLLECT = [["manage.py", "collectstatic", "--noinput", "-v", "0"]]
START = ["-m", "helpdesk", "start"]
DAPHNE = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0"]
TUTORIAL = [*DAPHNE, f"{BASELINES}.tutorial.asgi:application"]


@dataclass(frozen=True)
class Case:
    """`serve` are the words after `python`; `contract` means that it speaks the whole
    wire contract, the others only its posts, acks and events."""

    name: str
    title: str
    serve: list[str]
    contract: bool = False
    database: str = ""
    batch: bool = False
    prepare: list[list[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("throughput",)


EVERYTHING = ("throughput", "latency", "idle")
CASES = [
    Case(
        "bare_websockets",
        "bare `websockets` on uvloop, no storage",
        ["-m", f"{BASELINES}.bare_websockets"],
    ),
    Case(
        "bare_daphne",
        "bare ASGI application on daphne, no storage",
        [*DAPHNE, f"{BASELINES}.bare_asgi:application"],
        kinds=EVERYTHING,
    ),
    Case(
        "bare_daphne_uvloop",
        "the same on daphne with uvloop",
        ["-m", f"{BASELINES}.uvloop_daphne"],
        environment={"APPLICATION": f"{BASELINES}.bare_asgi"},
    ),
    Case(
        "tutorial",
        "the Channels tutorial, pub/sub layer, no storage",
        TUTORIAL,
        kinds=EVERYTHING,
        database="postgresql",
    ),
    Case(
        "tutorial_stores",
        "the same with `await Message.objects.acreate()`, PostgreSQL",
        TUTORIAL,
        database="postgresql",
        prepare=[["-m", f"{BASELINES}.tutorial.migrate"]],
        environment={"STORES": "on"},
        kinds=("throughput", "latency"),
    ),
    Case(
        "product",
        "**Helpdesk**, PostgreSQL",
        START,
        contract=True,
        database="postgresql",
        prepare=[*MIGRATE, *COLLECT],
        kinds=EVERYTHING,
    ),
    Case(
        "product_batch",
        "**Helpdesk**, PostgreSQL, clients that say `batch: true`",
        START,
        contract=True,
        database="postgresql",
        batch=True,
        prepare=[*MIGRATE, *COLLECT],
        kinds=("throughput", "latency"),
    ),
    Case(
        "product_sqlite",
        "**Helpdesk**, SQLite",
        START,
        contract=True,
        database="sqlite",
        prepare=[*MIGRATE, *COLLECT],
        kinds=("throughput", "latency"),
    ),
]
