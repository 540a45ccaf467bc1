"""Where WebSockets are blocked, the long poll does the same."""

from __future__ import annotations

from collections.abc import Callable

from tests.live import ServerProcess
from tests.shop import Address, Shop, stored, texts, told


async def test_a_whole_conversation(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora = shop.long_poll()
    await cora.hello()
    start = await cora.says("conversation.start", text="Hello?")
    here = start["conversation"]["id"]
    await ada.sees(id=here, state="active")
    await ada.posts(here, "a note", note=True)
    await ada.posts(here, "Hi!")
    assert (await cora.hears_message("Hi!"))["seq"] == 3
    await cora.says("message.post", text="A tent, please.")
    await ada.hears_message("A tent, please.")
    await cora.asks(frames=[{"type": "message.read", "seq": 3}])
    await ada.sees(read={"customer": 3, "agent": 0})
    end = await cora.says("conversation.end")
    assert end["conversation"]["state"] == "ended"
    rated = await cora.says("conversation.rate", score=5)
    assert rated["conversation"]["rating"] == 5
    assert await stored(texts, here) == ["Hello?", "a note", "Hi!", "A tent, please."]


async def test_from_socket_to_poll_and_back(shop: Shop) -> None:
    cora, ada, here = await shop.talk()
    cora.vanish()
    await ada.posts(here, "One")
    poll = shop.long_poll(cora.token)
    await poll.hello(conversation=here, after=2)
    assert [m["text"] for m in poll.welcome["messages"]] == ["One"]
    await poll.says("message.post", text="Two", id="post-id-2")
    await ada.posts(here, "Three")
    await poll.hears_message("Three")
    back = await shop.customer(
        token=poll.token, conversation=here, after=poll.after, last="post-id-2"
    )
    assert back.welcome["reset"] is True  # `last` is of seq 4, and it holds 5
    await ada.posts(here, "Four")
    await back.hears_message("Four")
    assert await stored(texts, here) == ["Hello?", "One", "Two", "Three", "Four"]


async def test_any_process_answers_any_poll(
    shop: Shop, server_process: Callable[..., ServerProcess]
) -> None:
    one, two = shop.server, server_process()
    ada = await shop.agent(shop.ada, at=one)
    cora = shop.long_poll(at=two)
    await cora.hello()
    start = await cora.says("conversation.start", text="Hello?")
    here = start["conversation"]["id"]
    await ada.sees(id=here, state="active")
    servers: list[Address] = [one, two, one]
    for n, cora.server in enumerate(servers):
        await cora.says("message.post", text=f"{n}", id=f"post-id-{n}")
        await ada.hears_message(f"{n}")
        await ada.posts(here, f"to {n}")
        await cora.hears_message(f"to {n}")
    cora.server = two
    repeated = await cora.says("message.post", text="other", id="post-id-0")
    assert repeated["seq"] == 3
    numbers = [seq for seq, _ in await stored(told, here)]
    assert numbers == list(range(1, 9))


async def test_a_socket_in_one_process_and_a_poll_in_the_other(
    shop: Shop, server_process: Callable[..., ServerProcess]
) -> None:
    one, two = shop.server, server_process()
    cora = await shop.customer(at=one)
    here = (await cora.starts("Hello?"))["conversation"]["id"]
    tab = shop.long_poll(cora.token, at=two)
    await tab.hears_message("Hello?")
    await tab.says("message.post", text="From the other tab")
    assert (await cora.hears_message("From the other tab"))["seq"] == 2
    await cora.posts("And back")
    await tab.hears_message("And back")
    assert await stored(texts, here) == ["Hello?", "From the other tab", "And back"]
