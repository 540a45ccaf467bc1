"""Somebody writes for the first time, and an agent answers."""

from __future__ import annotations

from tests.shop import Shop, stored, told


async def test_cora_and_ada_talk(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora = await shop.customer(page={"url": "https://shop.example/tents"})
    start = await cora.starts("Do you have tents?", name="Cora")
    here = start["conversation"]["id"]
    await cora.sees(state="active")
    assert (await cora.hears("message.posted"))["message"]["event"] == "agent_joined"

    await ada.posts(here, "Three kinds.")
    await cora.hears_message("Three kinds.")
    await cora.posts("The green one, please.")
    await ada.hears_message("The green one, please.")
    end = await ada.ends(here)
    assert end["conversation"]["state"] == "ended"
    await cora.sees(state="ended", outcome="resolved")

    assert await stored(told, here) == [
        (1, "Do you have tents?"),
        (2, "Ada joined."),
        (3, "Three kinds."),
        (4, "The green one, please."),
        (5, "Ada ended the conversation."),
    ]


async def test_who_has_just_started_is_seen_to_be_here(shop: Shop) -> None:
    ada = await shop.agent(shop.ada)
    cora = await shop.customer()
    ack = await cora.starts("Hello")
    seen = await ada.hears(
        "conversation.changed",
        where=lambda f: f["conversation"]["id"] == ack["conversation"]["id"],
    )
    assert seen["conversation"]["customer"]["online"] is True
