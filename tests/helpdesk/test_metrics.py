"""What an operator may count, and who may not."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from helpdesk import desk, hub
from helpdesk.consumers import BEAT
from helpdesk.models import Conversation
from helpdesk.newest import Mark
from helpdesk.tally import tally
from tests.live import LiveServer
from tests.shop import Shop, change, stored

TOKEN = "a-token-that-nobody-guesses"
Numbers = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.HELPDESK_METRICS_TOKEN = TOKEN


def ask(server: LiveServer, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(f"{server.url}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


async def numbers(server: LiveServer) -> Numbers:
    """Each by its name and the values of its labels, sorted by the labels' names."""
    told = {"Authorization": f"Bearer {TOKEN}"}
    status, text, _ = await asyncio.to_thread(ask, server, **told)
    assert status == 200, text
    return {
        (sample.name, tuple(dict(sorted(sample.labels.items())).values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def grown(server: LiveServer, before: Numbers, name: str, *labels: str) -> float:
    now = await numbers(server)
    key = (f"helpdesk_{name}", labels)
    return now[key] - before.get(key, 0)


# --- who may


async def test_whoever_has_the_token_may_read_it(server: LiveServer) -> None:
    told = {"Authorization": f"Bearer {TOKEN}"}
    status, text, headers = await asyncio.to_thread(ask, server, **told)
    assert status == 200
    assert "helpdesk_frames_received_total" in text
    assert headers["Content-Type"].startswith("text/plain")
    assert "no-store" in headers["Cache-Control"]


@pytest.mark.parametrize(
    "word",
    ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
async def test_nobody_else_may(server: LiveServer, word: str) -> None:
    told = {"Authorization": word} if word else {}
    status, text, headers = await asyncio.to_thread(ask, server, **told)
    assert status == 403
    assert "helpdesk_" not in text
    assert "no-store" in headers["Cache-Control"]


async def test_a_token_in_the_address_opens_nothing(server: LiveServer) -> None:
    url = f"{server.url}/metrics?token={TOKEN}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(urllib.request.urlopen, url)
    refused.value.close()
    assert refused.value.code == 403


@pytest.mark.parametrize("word", ["", "Bearer ", f"Bearer {TOKEN}"])
async def test_without_a_token_there_is_no_such_page(
    server: LiveServer, settings: Settings, word: str
) -> None:
    settings.HELPDESK_METRICS_TOKEN = ""
    status, text, _ = await asyncio.to_thread(ask, server, Authorization=word)
    assert status == 404
    assert "helpdesk_" not in text


# --- what it tells


async def test_sockets_are_counted_by_who_opened_them(shop: Shop) -> None:
    await shop.customer()
    await shop.customer()
    await shop.agent(shop.ada)
    now = await numbers(shop.server)
    assert now["helpdesk_sockets", ("customer",)] == 2
    assert now["helpdesk_sockets", ("agent",)] == 1


async def test_frames_are_counted_both_ways(shop: Shop) -> None:
    cora = await shop.customer()
    before = await numbers(shop.server)
    for _ in range(3):
        await cora.heard_so_far()
    assert await grown(shop.server, before, "frames_received_total") == 3
    assert await grown(shop.server, before, "frames_sent_total") == 3


async def test_frames_that_leave_as_one_text_are_counted_each(shop: Shop) -> None:
    cora = await shop.customer(batch=True)
    before = await numbers(shop.server)
    socket = shop.served(cora)

    async def three() -> None:
        for _ in range(3):
            socket.say(BEAT)

    await shop.on_server(three())
    await cora.heard_so_far()
    assert len(cora.raw) == 3  # a welcome, three beats, a pong
    assert await grown(shop.server, before, "frames_sent_total") == 4


async def test_a_stored_post_is_a_commit_of_known_size(shop: Shop) -> None:
    cora, _ada, _ = await shop.talk()
    before = await numbers(shop.server)
    await cora.posts("Where is my parcel?")
    assert await grown(shop.server, before, "commit_seconds_count") == 1
    assert await grown(shop.server, before, "commit_posts_sum") == 1
    assert await grown(shop.server, before, "post_seconds_count") == 1


async def test_what_took_longer_stands_under_larger_bounds(shop: Shop) -> None:
    cora, _ada, _ = await shop.talk()
    await cora.posts("Where is my parcel?")
    now = await numbers(shop.server)
    bounds = [key for key in now if key[0] == "helpdesk_commit_seconds_bucket"]
    counts = [now[key] for key in bounds]
    assert counts == sorted(counts)
    assert counts[-1] == now["helpdesk_commit_seconds_count", ()]


async def test_what_was_published_has_a_delivery_time(shop: Shop) -> None:
    cora, _ada, _ = await shop.talk()
    before = await numbers(shop.server)
    await cora.posts("Where is my parcel?")
    async with asyncio.timeout(20):
        while not await grown(shop.server, before, "delivery_seconds_count"):
            pass


async def test_refusals_are_counted_by_code(shop: Shop) -> None:
    cora = await shop.customer()
    before = await numbers(shop.server)
    await cora.posts("Nobody hears this")
    await cora.send("{")
    await cora.hears("refused", where=lambda frame: frame["code"] == "bad_frame")
    assert await grown(shop.server, before, "refusals_total", "not_started") == 1
    assert await grown(shop.server, before, "refusals_total", "bad_frame") == 1


async def test_a_refusal_without_a_socket_counts_too(shop: Shop) -> None:
    before = await numbers(shop.server)
    await shop.long_poll().posts_body({"token": "forged"})
    await shop.long_poll().posts_body(b"{")
    assert await grown(shop.server, before, "refusals_total", "forbidden") == 1
    assert await grown(shop.server, before, "refusals_total", "bad_frame") == 1


async def test_closed_sockets_are_counted_by_code(shop: Shop) -> None:
    before = await numbers(shop.server)
    mallory = await shop.knocks()
    await mallory.say("ping")
    assert await mallory.closed() == 4408
    assert await grown(shop.server, before, "sockets_closed_total", "4408") == 1


async def test_what_a_client_says_of_its_end_is_no_label(shop: Shop) -> None:
    before = await numbers(shop.server)
    mallory = await shop.customer()
    await mallory.socket.close(4999)
    async with asyncio.timeout(20):
        while not await grown(shop.server, before, "sockets_closed_total", "client"):
            pass
    assert ("helpdesk_sockets_closed_total", ("4999",)) not in await numbers(
        shop.server
    )


async def test_refused_handshakes_are_counted(shop: Shop) -> None:
    before = await numbers(shop.server)
    with pytest.raises(Exception, match="403"):
        await shop.knocks(Origin="https://evil.example")
    grew = await grown(shop.server, before, "handshakes_refused_total", "4404")
    assert grew == 1


async def test_it_tells_how_long_the_lines_are(shop: Shop) -> None:
    for _ in range(2):
        cora = await shop.customer()
        await cora.starts(queue=str(shop.billing.pk))
    now = await numbers(shop.server)
    labels = ("Billing", str(shop.billing.pk), "shop")
    assert now["helpdesk_queue_waiting", labels] == 2
    assert now["helpdesk_queue_active", labels] == 0
    assert ("helpdesk_queue_longest_wait_seconds", labels) in now
    assert now["helpdesk_database_up", ()] == 1


async def test_a_queue_may_have_any_name(shop: Shop) -> None:
    name = 'He said "no"\\\nhelpdesk_sockets{role="agent"} 7 {}'
    await stored(change, shop.billing, name=name)
    labels = (name, str(shop.billing.pk), "shop")
    now = await numbers(shop.server)
    assert now["helpdesk_queue_waiting", labels] == 0
    assert now["helpdesk_sockets", ("agent",)] == 0


async def test_an_event_that_never_came_is_a_repair(shop: Shop) -> None:
    _cora, _ada, conversation = await shop.talk()
    before = await numbers(shop.server)
    await shop.on_server(lose_an_event(conversation))
    await shop.on_server(refresh())
    assert await grown(shop.server, before, "repairs_total") == 1
    await shop.on_server(refresh())
    assert await grown(shop.server, before, "repairs_total") == 1


async def lose_an_event(conversation: str) -> None:
    """As if it had been stored by a process whose events do not come through."""

    def raise_version() -> None:
        row = Conversation.objects.get(pk=conversation)
        change(row, version=row.version + 1)

    await stored(raise_version)


async def refresh() -> None:
    await desk.current().refresh()


async def test_the_table_is_not_repaired_by_what_it_knows(shop: Shop) -> None:
    _cora, _ada, conversation = await shop.talk()
    before = await numbers(shop.server)

    async def know() -> Mark | None:
        await desk.current().refresh()
        return desk.current().newest.of(conversation)

    assert await shop.on_server(know())
    assert await grown(shop.server, before, "repairs_total") == 0


async def test_a_parcel_of_an_older_process_is_read_without_its_time(
    shop: Shop,
) -> None:
    """While a new version is rolled out."""
    ada = await shop.agent(shop.ada)
    event = hub.Event((f"agent.{shop.ada.pk}",), b'{"type":"beat"}')
    parcel = hub.parcel("an older one", [event])
    del parcel["at"]

    async def timed() -> int:
        before = sum(tally.delivery_seconds.counts)
        desk.current().hub._unpack(parcel)  # in one turn: no other comes between
        return sum(tally.delivery_seconds.counts) - before

    assert await shop.on_server(timed()) == 0
    assert "beat" in {frame["type"] for frame in await ada.heard_so_far()}
