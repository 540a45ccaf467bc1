"""What the single commands share: a desk on services of its own, who is in it, and how
results are kept."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .services import ROOT, Postgres, Valkey, git, scratch

RESULTS = ROOT / "bench" / "results"
SECRET = "only-for-the-bench-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
ORIGIN = "http://127.0.0.1"  # what the servers are told is their own
START = ["-m", "helpdesk", "start"]


class Stage(NamedTuple):
    """`environment` is the servers'. `load`: the machine's average at the beginning."""

    postgres: Postgres
    valkey: Valkey
    environment: dict[str, str]
    load: float

    @property
    def services(self) -> dict[str, list[int]]:
        return {"postgres": [self.postgres.pid], "valkey": [self.valkey.pid]}


@contextmanager
def stage() -> Iterator[Stage]:
    """An empty desk on PostgreSQL, in which this process too is at home."""
    load = os.getloadavg()[0]
    with scratch() as folder:
        postgres, valkey = Postgres(folder), Valkey(folder)
        environment = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            **settings(folder),
        }
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "helpdesk.settings"}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        yield Stage(postgres, valkey, environment, load)


def settings(data: Path) -> dict[str, str]:
    """A server's in a bench, but for its database and Valkey."""
    return {
        "DATA": str(data),
        "STATIC_ROOT": str(data / "static"),
        "SECRET_KEY": SECRET,
        "DEBUG": "off",
        "PUBLIC_URL": ORIGIN,
        "HELPDESK_LIMITS": "off",
        "EMAIL_URL": "consolemail://",
    }


def in_rounds(name: str) -> argparse.ArgumentParser:
    """The words of a bench whose cases take turns."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    return parser


def spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": statistics.median(ordered) * 1000,
        "p95_ms": ordered[int(len(ordered) * 0.95)] * 1000,
        "max_ms": ordered[-1] * 1000,
    }


def keep(name: str, measured: dict[str, Any], told: dict[str, Any], at: Stage) -> None:
    """`told`: the settings, with how many rows there were."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    record = {
        "at": now,
        "commit": git("rev-parse", "--short", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "load": at.load,
        "load_at_end": os.getloadavg()[0],
        "machine": f"{os.cpu_count()} cores",
        "settings": told | {"PostgreSQL": ", ".join(Postgres.SETTINGS)},
    }
    path = RESULTS / f"{name}-{now[:16].replace(':', '')}.json"
    path.write_text(json.dumps(record | measured, indent=1) + "\n")
    sys.stdout.write(json.dumps(measured, indent=1) + "\n")


# --- who is there


def office(key: str, count: int, capacity: int) -> tuple[Any, list[Any]]:
    """A queue, and its agents with their cookies."""
    from customers.models import Site
    from helpdesk.models import Queue

    from .people import sign_in

    site = Site.objects.create(key=key, name=key)
    queue = Queue.objects.create(site=site, name=key, line_limit=10_000)
    agents = [sign_in(queue) for _ in range(count)]
    for agent, _ in agents:
        agent.capacity = capacity
        agent.save(update_fields=["capacity"])
    return queue, agents


def arrive(people: Iterable[uuid.UUID]) -> uuid.UUID:
    """They are connected, as far as the leases tell."""
    from helpdesk import presence
    from helpdesk.models import new_id

    process = new_id()
    presence.renew(process)
    presence.arrive_all(process, people)
    return process


def wait(queue: Any) -> Any:
    from customers.models import Customer
    from helpdesk.database import db_now
    from helpdesk.models import Conversation

    customer = Customer.objects.create(site=queue.site, name="Cora")
    now = db_now()
    return Conversation.objects.create(
        site=queue.site,
        queue=queue,
        customer=customer,
        created_at=now,
        waiting_since=now,
    )


def token(conversation: Any) -> str:
    from customers.identity import make_token

    return make_token(conversation.site, conversation.customer_id)


def pair_up(queue: Any, agents: list[Any], count: int) -> list[Any]:
    """So many customers, each in talk; the agents take turns."""
    from django.db import transaction

    from customers.models import Customer

    from .people import hold

    customers = [Customer(site=queue.site, name="Cora") for _ in range(count)]
    Customer.objects.bulk_create(customers, batch_size=1000)
    with transaction.atomic():
        return [
            hold(queue.site, queue, customer, agents[number % len(agents)][0])
            for number, customer in enumerate(customers)
        ]
