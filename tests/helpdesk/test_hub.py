"""Events find the sockets that may hear them, in every process, over real Valkey."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import transaction

from helpdesk import hub, presence
from helpdesk.hub import Event, Hub, Mark
from tests import people
from tests.faults.proxy import Proxy
from tests.live import ServerProcess
from tests.people import PATIENCE_SECONDS, Frame
from tests.servers import ValkeyServer
from tests.shop import Shop, stored, texts


class Ear:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.codes: list[int] = []
        self.news = asyncio.Event()

    def deliver(self, frame: bytes) -> None:
        self.heard.append(frame)
        self.news.set()

    def dismiss(self, code: int) -> None:
        self.codes.append(code)
        self.news.set()

    async def hears(self, frame: bytes) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while frame not in self.heard:
                self.news.clear()
                await self.news.wait()


async def until_heard(teller: Hub, ear: Ear, frame: bytes) -> None:
    """Tell it again and again, to whoever is in the audience `trial`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while frame not in ear.heard:
            teller.publish(Event(("trial",), frame))
            await asyncio.sleep(0.01)


@pytest.fixture
async def here() -> AsyncIterator[Hub]:
    one = Hub()
    yield one
    await one.close()


@pytest.fixture
async def there(here: Hub) -> AsyncIterator[Hub]:
    """Another process's hub, as far as Valkey can tell; both hear each other."""
    other = Hub()
    for teller, listener in ((here, other), (other, here)):
        ear = Ear()
        listener.join(ear, "trial")
        await until_heard(teller, ear, b"do you hear me?")
        listener.leave(ear, "trial")
    yield other
    await other.close()


# --- in one process


async def test_an_audience_hears_and_others_do_not(here: Hub) -> None:
    cora, mallory = Ear(), Ear()
    here.join(cora, "customer.cora")
    here.join(mallory, "customer.mallory")
    here.publish(Event(("customer.cora",), b"hi"))
    assert (cora.heard, mallory.heard) == ([b"hi"], [])


async def test_who_is_in_several_audiences_hears_it_once(here: Hub) -> None:
    ada = Ear()
    here.join(ada, "agent.ada", "queue.1", "queue.2")
    here.publish(Event(("agent.ada", "queue.1", "queue.2"), b"hi"))
    assert ada.heard == [b"hi"]


async def test_the_poster_is_skipped_and_its_other_tab_is_not(here: Hub) -> None:
    poster, tab = Ear(), Ear()
    here.join(poster, "customer.cora")
    here.join(tab, "customer.cora")
    here.publish(Event(("customer.cora",), b"hi"), skip=poster)
    assert (poster.heard, tab.heard) == ([], [b"hi"])


async def test_who_has_left_hears_nothing_and_is_forgotten(here: Hub) -> None:
    cora = Ear()
    here.join(cora, "customer.cora", "queue.1")
    assert here.people("customer.") == ["cora"]
    here.leave(cora, "customer.cora", "queue.1", "never-joined")
    here.publish(Event(("customer.cora",), b"hi"))
    assert cora.heard == []
    assert not here.has("customer.cora")
    assert here._listeners == {}


async def test_a_code_closes_and_says_nothing(here: Hub) -> None:
    cora = Ear()
    here.join(cora, "customer.cora")
    here.publish(Event(("customer.cora",), b"ignored", code=4401))
    assert (cora.heard, cora.codes) == ([], [4401])


async def test_an_observer_sees_every_event_before_its_delivery(here: Hub) -> None:
    order: list[object] = []
    ear = Ear()
    ear.deliver = order.append  # type: ignore[method-assign]
    here.join(ear, "a")
    here.observe(order.append)
    event = Event(("a",), b"hi")
    here.publish(event)
    assert order == [event, b"hi"]


async def test_a_listener_may_leave_while_it_hears(here: Hub) -> None:
    cora, dora = Ear(), Ear()
    for ear in (cora, dora):
        here.join(ear, "a")
        ear.deliver = lambda frame, ear=ear: here.leave(ear, "a")  # type: ignore
    here.publish(Event(("a",), b"hi"))
    assert not here.has("a")


# --- between processes


async def test_another_process_hears_it_once(here: Hub, there: Hub) -> None:
    near, far = Ear(), Ear()
    here.join(near, "a")
    there.join(far, "a")
    here.publish(Event(("a",), b"hi"))
    here.publish(Event(("a",), b"last"))
    await far.hears(b"last")
    assert near.heard == far.heard == [b"hi", b"last"]


async def test_everything_of_an_event_crosses(here: Hub, there: Hub) -> None:
    seen: list[Event] = []
    there.observe(seen.append)
    ear = Ear()
    there.join(ear, "a")
    mark = Mark("c", 1, 2, 3, "cora", None, "waiting", True)
    here.publish(Event(("a",), b"hi", mark, (7,)))
    await ear.hears(b"hi")
    assert seen[-1] == Event(("a",), b"hi", mark, (7,))


async def test_a_thousand_events_keep_their_order(here: Hub, there: Hub) -> None:
    far = Ear()
    there.join(far, "a")
    frames = [b"%d" % n for n in range(1_000)]
    for frame in frames:
        here.publish(Event(("a",), frame))
    await far.hears(frames[-1])
    assert far.heard == frames


async def test_nothing_grows_when_it_cannot_be_published(
    here: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub, "WAITING_EVENTS", 10)
    for n in range(100):
        here.publish(Event(("a",), b"%d" % n))
    assert len(here._outgoing) <= 10
    assert "dropped" in caplog.text


async def test_a_broker_that_fails_is_one_warning_and_the_next_event_goes_out(
    here: Hub,
    there: Hub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*_: object) -> None:
        raise ConnectionError("gone")

    far = Ear()
    there.join(far, "a")
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(here.layer, "group_send", fail)
        here.publish(Event(("a",), b"lost"))
        assert here._publishing
        await here._publishing
    assert len(caplog.records) == 1
    here.publish(Event(("a",), b"found"))
    await far.hears(b"found")
    assert far.heard == [b"found"]


async def test_it_closes_though_the_client_swallows_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = asyncio.Event()

    async def swallow(_: str) -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    one = Hub()
    monkeypatch.setattr(one.layer, "receive", swallow)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await waits.wait()
        await one.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ECHO_SECONDS", 0.2)
    monkeypatch.setattr(hub, "RECEIVE_AGAIN_SECONDS", 0)


async def ended() -> None:
    raise TimeoutError  # with which the client's own task ends, and never comes back


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_a_hub_that_is_deaf_without_knowing_listens_anew(
    impatient: None,
    here: Hub,
    there: Hub,
    how: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    layer = there.layer
    connection = layer._get_layer()._shards[0]
    connection._receive_task.cancel()
    if how == "failed":
        connection._receive_task = asyncio.ensure_future(ended())
    await asyncio.sleep(0)
    far = Ear()
    there.join(far, "trial")
    here.publish(Event(("trial",), b"lost"))
    await until_heard(here, far, b"found")
    assert b"lost" not in far.heard
    assert "not even its own voice" in caplog.text
    if layer is not there.layer:  # given up as it was broken here
        connection._receive_task = None
        await layer.flush()


async def test_a_connection_that_is_forgotten_on_the_way_is_replaced(
    impatient: None, here: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a firewall: nothing arrives any more, and neither side is told."""
    monkeypatch.setattr(hub, "PUBLISH_SECONDS", 0.3)
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    (host,) = config["hosts"]
    port = urlsplit(host["address"]).port
    assert port
    proxy = Proxy(port)
    await proxy.start()
    through = host["address"].replace(f":{port}", f":{proxy.port}")
    monkeypatch.setitem(config, "hosts", [host | {"address": through}])
    far_away, ear = Hub(), Ear()
    far_away.join(ear, "trial")
    await until_heard(here, ear, b"before")
    proxy.forget()
    await until_heard(here, ear, b"after")
    await far_away.close()
    await proxy.close()


async def test_a_hub_that_hears_only_itself_is_content(
    impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Hub()
    sent = 0

    async def count(*_: object) -> None:
        nonlocal sent
        sent += 1
        await send(*_)

    send = one.layer.group_send
    monkeypatch.setattr(one.layer, "group_send", count)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sent < 3:  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.05)
    await one.close()
    assert caplog.records == []


# --- from plain code


async def test_what_is_announced_is_heard_after_the_commit(shop: Shop) -> None:
    cora = await shop.customer()
    audience = f"customer.{cora.welcome['customer']['id']}"
    beat = b'{"type":"typing","on":true}'

    def announce() -> None:
        hub.announce(Event((audience,), beat))
        assert "typing" not in [frame["type"] for frame in cora.heard]

    await stored(announce)
    await cora.hears("typing")


async def test_what_is_undone_is_never_heard(shop: Shop) -> None:
    cora = await shop.customer()
    audience = f"customer.{cora.welcome['customer']['id']}"

    def undo() -> None:
        with transaction.atomic():
            hub.announce(Event((audience,), b'{"type":"typing","on":true}'))
            transaction.set_rollback(True)

    await stored(undo)
    assert "typing" not in [frame["type"] for frame in await cora.heard_so_far()]


async def test_an_errand_is_a_desks_after_the_commit_or_done_at_once(
    transactional_db: None,
) -> None:
    done: list[str] = []
    taken: list[str] = []
    errand = hub.Errand(done.append)

    def take(what: str) -> bool:
        taken.append(what)
        return what != "no loop"

    def run(what: str) -> None:
        errand.after_commit(what)
        assert what not in done + taken

    await stored(run, "no desk")
    errand.takers.append(take)
    await stored(run, "a desk")
    await stored(run, "no loop")
    assert (done, taken) == (["no desk", "no loop"], ["a desk", "no loop"])


# --- two operating-system processes, and Valkey goes away


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.remove()


async def test_valkey_goes_and_comes_and_no_socket_notices(
    shop: Shop,
    server_process: Callable[..., ServerProcess],
    valkey: ValkeyServer,
) -> None:
    """While it is away acks still come, since the database is the truth; the pong
    shows what was missed; and when it is back, events flow again by themselves."""
    one, two = (server_process(REDIS_URL=valkey.url) for _ in range(2))
    ada = await shop.agent(shop.ada, at=one)
    cora = await shop.customer(at=two)
    here = (await cora.starts("Hello?"))["conversation"]["id"]
    await cora.sees(state="active")
    await ada.hears("conversation.changed")

    await asyncio.to_thread(valkey.kill)
    missed = await ada.posts(here, "Can you hear me?")
    assert missed["seq"] == 3
    async with asyncio.timeout(90):
        while (await cora.heard_so_far())[-1]["seq"] != 3:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    page = await cora.ask("history.get", after=2)
    assert [m["text"] for m in page["messages"]] == ["Can you hear me?"]

    await asyncio.to_thread(valkey.start)
    # Each process finds it again in its own time; until then events are lost, as any.
    await _until_heard(cora, 3, lambda: ada.posts(here, "And now?"))
    newest = max(m["seq"] for m in (await newest_page(ada, here)))
    await _until_heard(ada, newest, lambda: cora.posts("Now I do"))
    assert (await stored(texts, here))[:2] == ["Hello?", "Can you hear me?"]


async def newest_page(ada: people.Agent, here: str) -> list[Frame]:
    page = await ada.ask("history.get", conversation=here)
    return list(page["messages"])


async def _until_heard(
    hearer: people.Person, after: int, say: Callable[[], Awaitable[Frame]]
) -> None:
    """Say it again and again, until somebody hears one that is newer than `after`."""
    async with asyncio.timeout(90):
        while not any(
            frame["type"] == "message.posted" and frame["message"]["seq"] > after
            for frame in hearer.heard
        ):
            await say()
            await asyncio.sleep(0.5)


async def test_a_person_connected_to_one_process_is_present_to_the_other(
    shop: Shop, server_process: Callable[..., ServerProcess]
) -> None:
    one = server_process()
    ada = await shop.agent(shop.ada, at=one)
    ben = await shop.agent(shop.ben)  # at the server of this process
    (told,) = [a for a in ben.welcome["agents"] if a["name"] == "Ada"]
    assert told["connected"] is True
    await asyncio.to_thread(one.stop)
    assert await ada.closed() == 4012
    assert not await stored(presence.connected, [shop.ada.pk])
