"""Ten thousand hostile frames, over real sockets: every one is answered or ignored, a
ping is answered afterwards, and no traceback is written. tests/helpdesk/
test_protocol_bad_frames.py does the same to the parser alone."""

from __future__ import annotations

import logging
from random import Random

import pytest
from pytest_django.fixtures import Settings

from helpdesk import consumers, log, protocol
from tests.attackers import hostile
from tests.helpdesk.examples import commands, examples
from tests.people import Person
from tests.shop import Shop

FRAMES = 10_000  # half of them to each side
TOGETHER = 250  # then a ping
SEED = 4

# As they stand in the examples.
CONVERSATION = "0196f0b1-7c00-7c11-b1f0-0a1b2c3d4e5f"
COLLEAGUE = "f0c1d2e3-1111-4222-8333-444455556666"


@pytest.fixture(autouse=True)
def _patient_desk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would close the socket at the tenth, and at the two hundredth in a second."""
    settings.HELPDESK_LIMITS = False
    monkeypatch.setattr(consumers, "BAD_FRAMES_A_MINUTE", FRAMES)


async def attack(shop: Shop, victim: Person, frames: list[str | bytes]) -> None:
    for start in range(0, len(frames), TOGETHER):
        batch = frames[start : start + TOGETHER]
        for frame in batch:
            await victim.send(frame)
        try:
            await victim.heard_so_far()
        except AssertionError:
            pytest.fail(f"closed {victim.socket.close_code} by one of {batch}")
        victim.heard.clear()
        victim.raw.clear()


def made(seed: int, side: object, known: dict[str, str]) -> list[str | bytes]:
    endless = hostile.frames(Random(seed), commands(side), known)
    return [next(endless) for _ in range(FRAMES // 2)]


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno > logging.INFO or "\n" in log.Line().format(each)
    ]


def test_the_same_seed_brings_the_same_frames() -> None:
    assert made(SEED, protocol.AgentCommand, {}) == made(
        SEED, protocol.AgentCommand, {}
    )
    assert len(set(made(SEED, protocol.AgentCommand, {}))) > FRAMES / 4
    assert any(CONVERSATION in each.text for each in examples())


async def test_a_customers_socket_survives_them(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    cora, ada, here = await shop.talk()
    frames = made(SEED, protocol.CustomerCommand, {CONVERSATION: here})
    await attack(shop, cora, frames)
    await ada.heard_so_far()
    assert complaints(caplog) == []


async def test_an_agents_socket_survives_them(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    _cora, ada, here = await shop.talk()
    await shop.agent(shop.ben)
    known = {CONVERSATION: here, COLLEAGUE: str(shop.ben.pk)}
    await attack(shop, ada, made(SEED + 1, protocol.AgentCommand, known))
    assert complaints(caplog) == []
