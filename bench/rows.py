"""Measures what people open, beside millions of stored messages: a conversation, a page
of its history, and the admin's list of transcripts.

python -m bench.rows                   5,000,000 messages; keeps raw results
python -m bench.rows --rows 100000     to try it
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from .services import running
from .sockets import Socket, agent, customer, open_all, open_socket, stay
from .stage import START, Stage, keep, office, spread, stage

ROWS, A_CONVERSATION = 5_000_000, 20
AGENTS = 20
OPEN = 80  # conversations that are held, four by each
LONG = 400  # messages in one of the four; it goes on for a month
SAMPLES, WARM = 200, 10
LIST_SECONDS = 8  # at most, for the samples of one list
FOREVER = 1_000_000  # seconds, until anybody's absence has consequences
SQL = Path(__file__).with_suffix(".sql")
LIST = "/admin/helpdesk/transcript/"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rows")
    parser.add_argument("--rows", type=int, default=ROWS)
    words = parser.parse_args()
    random.seed(1)
    with stage() as at:
        _queue, agents = office("rows", AGENTS, 500)
        began = time.perf_counter()
        counted = fill(at, words.rows)
        filled = time.perf_counter() - began
        with running(START, at.environment) as server:
            measured = asyncio.run(opened(server.url, agents))
            measured |= listed(server.url, boss(agents[0]))
        settings = {"rows": counted, "samples": SAMPLES, "fill_seconds": filled}
        keep("rows", {"opened": measured}, settings, at)


# --- the rows


def fill(at: Stage, rows: int) -> dict[str, int]:
    """How many rows there are then, by table."""
    from helpdesk.models import Queue

    Queue.objects.update(lost_after_seconds=FOREVER, abandoned_after_seconds=FOREVER)
    conversations = (rows - AGENTS * LONG) // A_CONVERSATION
    told = {"conversations": conversations, "open": OPEN, "long": LONG}
    told["long_ones"] = AGENTS
    with psycopg.connect(
        at.postgres.url, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.execute("SET work_mem = '512MB'")
        connection.execute("SET maintenance_work_mem = '1GB'")
        with without_indexes(connection, "helpdesk_message"):
            connection.execute(SQL.read_text(), told)
        connection.execute("VACUUM ANALYZE")
        tables = ("customers_customer", "helpdesk_conversation", "helpdesk_message")
        return {table: count(connection, table) for table in tables}


@contextmanager
def without_indexes(connection: Any, table: str) -> Iterator[None]:
    """Indexes are made faster at once than row by row."""
    constraints = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'u'",
        [table],
    ).fetchall()
    for name, _ in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE tablename = %s AND indexname NOT LIKE '%%_pkey'",
        [table],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    yield
    for _, made_by in indexes:
        connection.execute(made_by)
    for name, made_by in constraints:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {made_by}")


def count(connection: Any, table: str) -> int:
    counted: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (our own words)
    return counted


# --- by socket


async def opened(url: str, agents: list[Any]) -> dict[str, Any]:
    """Agents hold four conversations each, customers come back to one of any age."""
    held, ended = await asyncio.to_thread(conversations)
    cookies = {each.pk: cookie for each, cookie in agents}
    at_desks, _ = await open_all(url, [agent(cookie) for cookie in cookies.values()])
    long = [each for each in held if each.seq > LONG / 2]
    customers, _ = await open_all(url, [customer(each) for each in held])
    desks = dict(zip(cookies, at_desks, strict=True))
    by_talk = dict(zip(held, customers, strict=True))
    alive = asyncio.create_task(stay([*at_desks, *customers]))

    async def agent_opens() -> None:
        (await open_socket(url, agent(random.choice(agents)[1]))).leave()

    async def customer_opens() -> None:
        (await open_socket(url, customer(random.choice(held)))).leave()

    async def former_customer_opens() -> None:
        (await open_socket(url, customer(random.choice(ended)))).leave()

    async def agent_turns() -> None:
        each = random.choice(long)
        await page(desks[each.agent_id], str(each.pk), random.randrange(100, LONG))

    async def customer_turns() -> None:
        await page(by_talk[random.choice(long)], None, random.randrange(100, LONG))

    measured = {
        "agent_hello": await timed(agent_opens),
        "customer_hello": await timed(customer_opens),
        "customer_hello_ended": await timed(former_customer_opens),
        "agent_page": await timed(agent_turns),
        "customer_page": await timed(customer_turns),
    }
    alive.cancel()
    return measured


def conversations() -> tuple[list[Any], list[Any]]:
    """Those that are held, and as many of any age."""
    from helpdesk.models import Conversation

    rows = Conversation.objects.select_related("site")
    held = list(rows.filter(state="active"))
    ended = list(rows.filter(state="ended").order_by("customer_id")[: 5 * SAMPLES])
    return held, ended


async def page(socket: Socket, conversation: str | None, before: int) -> None:
    words = {"id": str(uuid.uuid4()), "before": before, "limit": 100}
    about = {"conversation": conversation} if conversation else {}
    told = await socket.ask({"type": "history.get"} | words | about)
    assert told.count(b'"seq"') >= 90, told[:200]


async def timed(act: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    seconds = []
    for _ in range(WARM + SAMPLES):
        began = time.perf_counter()
        await act()
        seconds.append(time.perf_counter() - began)
    print(".", end="", flush=True)
    return {"samples": SAMPLES, **spread(seconds[WARM:])}


# --- by the admin


def boss(signed_in: tuple[Any, str]) -> str:
    """The cookie of an agent who is now a superuser."""
    agent, cookie = signed_in
    agent.user.is_staff = agent.user.is_superuser = True
    agent.user.save()
    return cookie


def listed(url: str, cookie: str) -> dict[str, Any]:
    from helpdesk.models import Conversation, Message

    agent = Conversation.objects.filter(state="active")[0].agent_id
    some = Message.objects.filter(kind="text", conversation__state="ended")
    number = some.order_by("client_id")[0].text.split()[-1]
    asked: dict[str, dict[str, Any]] = {
        "list": {},
        "list_page_20": {"p": 20},
        "list_filtered": {"outcome__exact": "missed"},
        "list_of_agent": {"agent__id__exact": agent},
        "list_of_rating": {"rating": 1},
        "list_search_rare": {"q": number},
        "list_search_name": {"q": "cora77@example.com"},
        "list_search_frequent": {"q": "parcel"},
        "list_search_nothing": {"q": "nobodysaidthis"},
    }
    server = http.client.HTTPConnection(url.removeprefix("ws://"), timeout=120)
    return {name: fetched(server, cookie, query) for name, query in asked.items()}


def fetched(server: Any, cookie: str, query: dict[str, Any]) -> dict[str, Any]:
    """One after the other, until there are samples enough or the time is up."""
    seconds: list[float] = []
    while len(seconds) < WARM + SAMPLES and sum(seconds) < LIST_SECONDS:
        began = time.perf_counter()
        server.request("GET", f"{LIST}?{urlencode(query)}", headers={"Cookie": cookie})
        answer = server.getresponse()
        text = answer.read()
        seconds.append(time.perf_counter() - began)
        assert answer.status == 200, (query, answer.status, answer.headers, text[:500])
    print(".", end="", flush=True)
    kept = seconds[min(WARM, len(seconds) // 2) :]
    return {
        "samples": len(kept),
        "rows": text.count(b'class="field-opening'),
        **spread(kept),
    }


if __name__ == "__main__":
    main()
