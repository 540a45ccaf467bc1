"""What runs in the background of a process, and in which order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest

from helpdesk import conversations, hub, pairing, presence
from helpdesk import desk as desks
from helpdesk.database import in_transaction
from helpdesk.errors import Overloaded
from helpdesk.models import ServerProcess
from tests.people import PATIENCE_SECONDS
from tests.shop import Shop, eventually, stored


async def quiet_desk(shop: Shop) -> desks.Desk:
    """It opens with its first socket, which does not wait for the process's lease."""
    await shop.customer()
    await shop.on_server(shop.desk.ready())
    await eventually(lambda: not shop.desk._once)
    return shop.desk


async def test_a_nudge_while_a_drain_ends_makes_one_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained: list[set[int]] = []

    def drain(queues: Iterable[int]) -> int:
        drained.append(set(queues))
        return 0

    async def nudged_meanwhile() -> None:
        if len(drained) == 1:
            desk.nudge({2})

    async def nudge() -> None:
        desk.nudge({1})
        await desk._once["drain"]

    desk = await quiet_desk(shop)
    monkeypatch.setattr(pairing, "drain", drain)
    monkeypatch.setattr(desk, "_set_alarm", nudged_meanwhile)
    await asyncio.to_thread(shop.server.do, nudge())
    assert drained == [{1}, {2}]


@pytest.mark.parametrize("patience", [PATIENCE_SECONDS, 0])
async def test_who_looks_on_hears_after_who_is_given_something(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    """But not for ever: a desk may give out without a pause."""
    order: list[str] = []
    pushed = threading.Event()

    def drain(queues: Iterable[int]) -> int:
        if not patience:
            pushed.wait(PATIENCE_SECONDS)
        order.append("given out")
        return 0

    def lines(queues: set[int]) -> tuple[list[None], list[None]]:
        order.append("told")
        pushed.set()
        return [], []

    async def happens() -> None:
        desk.nudge({1})
        desk._hear(hub.Event(lines=(1,)))
        while len(order) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    desk = await quiet_desk(shop)
    monkeypatch.setattr(desks, "GIVE_WAY_SECONDS", patience)
    monkeypatch.setattr(pairing, "drain", drain)
    monkeypatch.setattr(desks, "_lines", lines)
    await asyncio.to_thread(shop.server.do, happens())
    assert order == (["given out", "told"] if patience else ["told", "given out"])


async def test_who_comes_back_while_their_going_is_stored_is_here(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_all = presence.leave_all

    def leave_late(process: UUID, people: Collection[UUID]) -> set[UUID]:
        if people:
            leaves.set()
            # What is stored of the return overtakes us, if it may, or waits for us.
            stored_or_waiting.wait(PATIENCE_SECONDS)
        return leave_all(process, people)

    async def comes_and_goes() -> None:
        await desk.arrive(dora)
        leaving = asyncio.ensure_future(desk.leave(dora))
        await asyncio.to_thread(leaves.wait, PATIENCE_SECONDS)
        coming = asyncio.ensure_future(desk.arrive(dora))
        while not (coming.done() or desk._settled._waiting):  # noqa: ASYNC110
            await asyncio.sleep(0)
        stored_or_waiting.set()
        await asyncio.gather(leaving, coming)

    dora, leaves, stored_or_waiting = uuid4(), threading.Event(), threading.Event()
    desk = await quiet_desk(shop)
    monkeypatch.setattr(presence, "leave_all", leave_late)
    await asyncio.to_thread(shop.server.do, comes_and_goes())
    assert await stored(presence.connected, [dora]) == {dora}


def fail_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The database is away when somebody's coming or going is to be stored."""
    settled, failed = shop.desk._settled, []
    cross = settled._cross

    async def fails(*args: Any) -> Any:
        if not failed:
            failed.append(True)
            raise Overloaded
        return await cross(*args)

    monkeypatch.setattr(settled, "_cross", fails)
    return failed


async def test_an_end_that_could_not_be_stored_is_found_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cora = await shop.customer()
    await cora.starts("Hello?")
    person = UUID(cora.welcome["customer"]["id"])
    await eventually(lambda: person in shop.desk.present.stored)
    failed = fail_once(shop, monkeypatch)
    await cora.leave()
    await eventually(lambda: failed and not shop.desk.present.sockets(person))
    await shop.on_server(shop.desk._renew())
    assert await stored(presence.connected, [person]) == set()


async def test_an_arrival_that_could_not_be_stored_is_the_next_tabs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = uuid4()
    desk = await quiet_desk(shop)
    fail_once(shop, monkeypatch)

    async def two_tabs() -> list[Any]:
        tabs = desk.arrive(dora), desk.arrive(dora)
        return [
            *await asyncio.gather(*tabs, return_exceptions=True),
            await desk.arrive(dora),
        ]

    one, two, three = await shop.on_server(two_tabs())
    assert isinstance(one, Overloaded)
    assert isinstance(two, Overloaded)
    assert three is False
    assert await stored(presence.connected, [dora]) == {dora}


async def test_a_process_that_was_swept_is_stored_anew_before_anybody_comes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_first: list[bool] = []
    settle = presence.arrive_all

    def arrive_all(process: UUID, people: Iterable[UUID]) -> None:
        stored_first.append(presence.is_known(process))
        settle(process, people)

    async def fifty_come() -> list[Any]:
        # No renewal of the desk's own accord mends it before they come.
        for task in desk._background:
            task.cancel()
        await in_transaction(ServerProcess.objects.all().delete)
        coming = [desk.arrive(uuid4()) for _ in range(50)]
        return await asyncio.gather(*coming, return_exceptions=True)

    desk = await quiet_desk(shop)
    monkeypatch.setattr(presence, "arrive_all", arrive_all)
    came = await shop.on_server(fifty_come())
    # Whoever is asked about in a second round may find it stored anew.
    assert {type(each) for each in came} <= {Overloaded, bool}
    assert type(came[0]) is Overloaded
    assert all(stored_first)
    await eventually(lambda: "renew" not in desk._once)
    assert await stored(presence.is_known, desk.present.process)


async def test_a_colleague_s_state_that_could_not_be_read_is_told_with_the_next_tick(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[set[UUID]] = []

    def announce(ids: Iterable[UUID]) -> None:
        told.append({*ids})
        if len(told) == 1:
            raise Overloaded

    async def changes() -> None:
        desk._tell_soon({ada})
        await desk._once["agents"]

    ada = shop.ada.pk
    desk = await quiet_desk(shop)
    monkeypatch.setattr(conversations, "announce_agents", announce)
    await shop.on_server(changes())
    await shop.on_server(desk._tick_lines())
    await eventually(lambda: len(told) == 2)
    assert told == [{ada}, {ada}]
