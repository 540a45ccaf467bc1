"""The database and the broker: gone, slow, full, or back as they were before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import psycopg
from websockets.asyncio.client import ClientConnection, connect

from tests.services import NOBODY

from .disks import Disk, mounted
from .faults import Scene, fault
from .history import Marked
from .installation import EMPTY, Installation, Services, family, installed, until
from .proxy import Proxy

PONG_SECONDS = 2  # of everybody else, meanwhile
PAGE = {"Origin": "https://shop.example"}

# --- the broker


@fault()
async def the_broker_restarts(scene: Scene) -> None:
    scene.house.valkey.kill()
    await asyncio.sleep(1)
    await scene.house.restart(scene.house.valkey)


@fault()
async def the_broker_is_paused_8_s(scene: Scene) -> None:
    async with paused([scene.house.valkey.child.process.pid]):
        await asyncio.sleep(8)


@fault()
async def the_broker_is_flushed(scene: Scene) -> None:
    for _ in range(5):
        tell_broker(scene, "FLUSHALL")
        await asyncio.sleep(0.5)


@fault()
async def the_broker_is_out_of_memory(scene: Scene) -> None:
    tell_broker(scene, "CONFIG SET maxmemory 1")
    await asyncio.sleep(6)
    tell_broker(scene, "CONFIG SET maxmemory 0")


def tell_broker(scene: Scene, words: str) -> None:
    with socket.create_connection(("127.0.0.1", scene.house.valkey.port)) as line:
        line.sendall(f"{words}\r\n".encode())
        answer = line.recv(100)
    assert answer == b"+OK\r\n", answer


# --- the database


@fault()
async def the_database_crashes_three_times(scene: Scene) -> None:
    """Twice one backend is killed, on which all start anew; then everything is."""
    for _ in range(2):
        await kill_a_backend(scene)
        await asyncio.sleep(scene.rng.uniform(2, 4))
    await kill_the_database(scene)


async def kill_a_backend(scene: Scene) -> None:
    """Any that works for the desk."""
    found = await scene.house.ledger.query(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    os.kill(scene.rng.choice(found)[0], signal.SIGKILL)
    await until(scene.house.postgres.ready)


async def kill_the_database(scene: Scene) -> None:
    postgres = scene.house.postgres
    everybody = family(postgres.child.process.pid)
    for pid in everybody:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    postgres.child.process.wait()
    await until(lambda: not any(is_alive(pid) for pid in everybody[1:]))
    await asyncio.sleep(1)
    await scene.house.restart(postgres)


@fault()
async def the_database_is_paused_10_s(scene: Scene) -> None:
    """Meanwhile pings are answered, on every socket that has asked for nothing that
    needs the database."""
    async with contextlib.AsyncExitStack() as open_:
        resting = [
            await open_.enter_async_context(enters(scene, road))
            for road in scene.house.roads
            for _ in range(5)
        ]
        for each in resting:
            await answered(each, "hello", "welcome")
        async with paused(family(scene.house.postgres.child.process.pid)):
            worst = await slowest_of(resting, 10)
    if worst > PONG_SECONDS:
        scene.wrong(f"a ping took {worst:.1f} s")


def enters(scene: Scene, road: Proxy | None = None, **options: object) -> connect:
    """A customer's socket of our own."""
    return connect(
        (road or scene.house.roads[0]).ws_url + "/ws/customer/shop/",
        additional_headers=PAGE,
        proxy=None,
        max_size=None,
        ping_interval=None,
        **options,  # type: ignore[arg-type]
    )


async def answered(socket: ClientConnection, asks: str, answer: str) -> float:
    """In so many seconds; in ten at most."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            await socket.send(json.dumps({"type": asks}))
            while json.loads(await socket.recv())["type"] != answer:
                pass
    return loop.time() - began


async def slowest_of(sockets: Iterable[ClientConnection], seconds: float) -> float:
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while loop.time() < end:
        took = await asyncio.gather(*(answered(s, "ping", "pong") for s in sockets))
        worst = max(worst, *took)
        await asyncio.sleep(0.3)
    return worst


async def slowest_pong(scene: Scene, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while loop.time() < end:
        for tab in scene.workload.tabs:
            if tab.welcomed.is_set():
                worst = max(worst, await tab.pong_seconds())
        await asyncio.sleep(0.3)
    return worst


@fault()
async def the_database_hangs_up(scene: Scene) -> None:
    """On everybody, several times: as a pooler that restarts, or an administrator."""
    for _ in range(4):
        await scene.house.ledger.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(scene.rng.uniform(0.2, 1.5))


@fault()
async def deadlocks(scene: Scene) -> None:
    """Somebody locks conversations and then agents, which the desk never does."""
    connection = await psycopg.AsyncConnection.connect(scene.house.database)
    async with connection:
        for _ in range(8):
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                await connection.execute(
                    "SELECT FROM helpdesk_conversation WHERE state <> 'ended' "
                    "ORDER BY id FOR UPDATE"
                )
                await asyncio.sleep(0.5)
                await connection.execute("SELECT FROM agents_agent FOR UPDATE")
            await connection.rollback()
            await asyncio.sleep(0.3)
    if not await counted(scene, "deadlocks"):
        scene.wrong("no deadlock came about")


async def counted(scene: Scene, what: str) -> int:
    """By the database's statistics of this database."""
    await asyncio.sleep(1)  # so late they may be told
    found = await scene.house.ledger.query(
        f"SELECT {what} FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(found[0][0])


FAIL_SOMETIMES = """
CREATE FUNCTION faults_fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.3 THEN
        RAISE 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER faults_fail AFTER INSERT OR UPDATE ON {}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION faults_fail();
"""


@fault()
async def serialization_failures(scene: Scene) -> None:
    """At the COMMIT of every third transaction."""
    before = await counted(scene, "xact_rollback")
    await scene.house.ledger.query(FAIL_SOMETIMES.format("helpdesk_conversation"))
    await asyncio.sleep(6)
    await scene.house.ledger.query("DROP FUNCTION faults_fail CASCADE")
    if await counted(scene, "xact_rollback") == before:
        scene.wrong("no transaction was undone")


# --- a full disk


@contextlib.asynccontextmanager
async def on_a_small_disk(services: Services) -> AsyncIterator[Installation]:
    """The desk's tables, not the server's log: as where each has a volume."""
    with mounted(services.folder / "tables", 64, NOBODY) as disk:
        services.folder.chmod(0o755)
        services.administer(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        url = services.database("desk_small", f"TEMPLATE {EMPTY} TABLESPACE small")
        try:
            async with installed(services, database=url) as house:
                house.disk = disk
                yield house
        finally:
            services.administer("DROP DATABASE desk_small WITH (FORCE)")
            services.administer("DROP TABLESPACE small")


@fault(on_a_small_disk)
async def the_databases_disk_is_full(scene: Scene) -> None:
    disk = scene.house.disk
    assert isinstance(disk, Disk)
    disk.fill()
    await see_it_full(scene)
    await asyncio.sleep(8)
    disk.free()


async def see_it_full(scene: Scene) -> None:
    """The last pages still take something."""
    for _ in range(100):
        try:
            await scene.house.ledger.query(
                "INSERT INTO helpdesk_receipt (sender, client_id, ack, at) SELECT "
                "gen_random_uuid(), 'x', '{}', now() FROM generate_series(1, 1000)"
            )
        except psycopg.errors.DiskFull:
            return
    scene.wrong("the disk could not be filled")


# --- an older backup


@fault()
async def an_older_backup_is_restored(scene: Scene) -> None:
    """With the desk stopped. What was sent since the backup is gone; nothing else may
    be, and every screen shows what there is."""
    house, postgres = scene.house, scene.house.postgres
    backup = house.folder / "backup"
    name = house.database.rpartition("/")[2]
    await run(postgres.programs / "pg_dump", "-Fc", "-f", backup, house.database)
    scene.history.add(Marked(what="backup"))
    await asyncio.sleep(6)
    for process in house.processes:
        await process.stop()
    await house.ledger.close()
    house.services.administer(f"DROP DATABASE {name} WITH (FORCE)")
    house.services.administer(f"CREATE DATABASE {name}")
    await run(postgres.programs / "pg_restore", "-d", house.database, backup)
    scene.history.add(Marked(what="restored"))
    for process in house.processes:
        await process.start()


async def run(*words: str | Path) -> None:
    await asyncio.to_thread(subprocess.run, words, check=True)


# --- processes that stand still


@contextlib.asynccontextmanager
async def paused(pids: Iterable[int]) -> AsyncIterator[None]:
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
