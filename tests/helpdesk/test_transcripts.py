"""The story of a conversation, and its files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import time
from typing import Any

import pytest
from django.utils import translation

from helpdesk import pairing, transcripts
from tests.back_office import (
    CHOSEN,
    NOON,
    Office,
    attach,
    conversation,
    hold,
    say,
)

MINUTE = dt.timedelta(minutes=1)

pytestmark = pytest.mark.django_db


def told(of: Any) -> list[tuple[str, str]]:
    return [
        (line.kind, line.text or line.sentence) for line in transcripts.story(of).lines
    ]


# The time line


def test_it_tells_messages_notes_decisions_and_the_rating_in_one_line(
    office: Office,
) -> None:
    talk = conversation(office.sales, rating=5, rating_comment="Quick!")
    say(talk, "Where is my order?", at=NOON)
    hold(talk, office.ada, because=CHOSEN, started_at=NOON + MINUTE)
    say(talk, "VIP", office.ada, kind="note", at=NOON + 2 * MINUTE)
    say(talk, "On its way.", office.ada, at=NOON + 3 * MINUTE)
    assert told(talk) == [
        ("text", "Where is my order?"),
        ("taken", "Given to Ada."),
        ("note", "VIP"),
        ("text", "On its way."),
        ("rated", "Quick!"),
    ]


def test_it_says_why_somebody_was_chosen(office: Office) -> None:
    talk = conversation(office.sales)
    hold(talk, office.ada, because=CHOSEN)
    (line,) = transcripts.story(talk).lines
    assert line.reason == "Ada: 1 of 4, idle 3 min; next would be Ben."
    with translation.override("zh-hans"):
        assert line.reason == "Ada：已用 1 / 4，已空闲 3 分钟；下一位会是 Ben。"


def test_it_keeps_the_order_of_places_when_clocks_differed(office: Office) -> None:
    talk = conversation(office.sales)
    say(talk, "first", at=NOON + 5 * MINUTE)
    say(talk, "second", office.ada, at=NOON + MINUTE)
    assert told(talk) == [("text", "first"), ("text", "second")]


def test_it_names_who_spoke(office: Office) -> None:
    talk = conversation(office.sales, name="Cora Lee")
    say(talk, "Hello?")
    say(talk, "Hello!", office.ada)
    assert [line.name for line in transcripts.story(talk).lines] == ["Cora Lee", "Ada"]


def test_it_tells_system_lines_in_the_readers_language(office: Office) -> None:
    talk = conversation(office.sales)
    joined = {"kind": "system", "author": "system", "event": "agent_joined"}
    say(talk, "Ada joined.", data={"name": "Ada"}, **joined)
    with translation.override("zh-hans"):
        assert transcripts.story(talk).lines[0].sentence == "Ada 已加入。"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("declined", "Ben 谢绝了转接。"),
        ("lapsed", "Ben 未回应转接。"),
        ("missed", "Ben 在应答前离开了。"),
    ],
)
def test_a_transfer_that_came_back_is_told_in_the_readers_language(
    office: Office, why: str, said: str
) -> None:
    talk = conversation(office.sales)
    back = {"kind": "note", "author": "system", "event": "transfer_back"}
    say(talk, "Ben came back.", data={"name": "Ben", "why": why}, **back)
    with translation.override("zh-hans"):
        (line,) = transcripts.story(talk).lines
        assert (line.sentence, line.words) == (said, "")


def test_it_shows_an_unknown_event_as_it_was_written(office: Office) -> None:
    talk = conversation(office.sales)
    say(talk, "The moon rose.", kind="system", author="system", event="moonrise")
    assert transcripts.story(talk).lines[0].sentence == "The moon rose."


def test_it_shows_that_somebody_let_go(office: Office) -> None:
    talk = conversation(office.sales)
    hold(talk, office.ada, ended_at=NOON + MINUTE, ended_why="agent_lost")
    assert [kind for kind, _ in told(talk)] == ["taken", "released"]


def test_it_does_not_tell_the_end_twice(office: Office) -> None:
    talk = conversation(office.sales)
    hold(talk, office.ada, ended_at=NOON + MINUTE, ended_why="ended")
    assert [kind for kind, _ in told(talk)] == ["taken"]


def test_it_tells_of_an_offer_and_what_became_of_it(office: Office) -> None:
    talk = conversation(office.sales)
    offer = {"kind": "offer", "because": CHOSEN, "ended_at": NOON + MINUTE}
    hold(talk, office.ada, ended_why="lapsed", **offer)
    assert told(talk) == [
        ("offered", "Offered to Ada."),
        ("unanswered", "Ada did not take it."),
    ]


def test_it_tells_an_accepted_offer_once(office: Office) -> None:
    talk = conversation(office.sales)
    hold(talk, office.ada, kind="offer", ended_at=NOON, ended_why="accepted")
    assert [kind for kind, _ in told(talk)] == ["offered"]


def test_it_tells_what_a_supervisor_did(office: Office) -> None:
    talk = conversation(office.sales)
    pairing.audit(office.ada, "block", talk, reason="Rude")
    (line,) = transcripts.story(talk).lines
    assert (line.sentence, line.words) == ("Ada blocked the customer.", "Rude")


def test_many_stories_cost_as_many_queries_as_one(
    office: Office, django_assert_num_queries: Any
) -> None:
    talks = [conversation(office.sales) for _ in range(5)]
    for talk in talks:
        attach(say(talk, "Look", office.ada), "cat.png")
        hold(talk, office.ada)
    with django_assert_num_queries(5):
        stories = transcripts.stories(talks)
    assert all(len(each.lines) == 2 for each in stories)


# Files


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_spreadsheet_gets_a_row_for_each_line(office: Office) -> None:
    talk = conversation(office.sales)
    attach(say(talk, "你好, “hi”\nsecond line"), "cat.png")
    (row,) = csv_rows(transcripts.as_csv([transcripts.story(talk)]))
    assert (row["text"], row["attachments"]) == ("你好, “hi”\nsecond line", "cat.png")


@pytest.mark.parametrize(
    "formula",
    [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "  =1+1",
        "\u200b=1+1",
        "＝1+1",
        '"=1+1',
    ],
)
def test_a_spreadsheet_is_given_nothing_to_run(office: Office, formula: str) -> None:
    talk = conversation(office.sales, name=formula)
    say(talk, formula)
    (row,) = csv_rows(transcripts.as_csv([transcripts.story(talk)]))
    assert row["text"][0] == row["name"][0] == row["customer"][0] == "'"


@pytest.mark.parametrize("separator", [";", "\n", "\t", "; ;"])
def test_nor_in_a_cell_that_another_separator_begins(separator: str) -> None:
    guarded = transcripts.harmless(f"Hello{separator}=1+1")
    assert guarded == f"Hello{separator}'=1+1"


@pytest.mark.parametrize("text", ["a=b", "Hi - yes", "1+1 is 2", "ann@example.com", ""])
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert transcripts.harmless(text) == text


def test_guarding_takes_time_in_proportion() -> None:
    began = time.perf_counter()
    transcripts.harmless("\n;" * 200_000)
    assert time.perf_counter() - began < 5  # 0.03 s; a quadratic one takes an hour


def test_json_holds_everything_unaltered(office: Office) -> None:
    talk = conversation(office.sales, rating=4)
    attach(say(talk, "=1+1"), "cat.png")
    (found,) = json.loads(transcripts.as_json([transcripts.story(talk)]))
    assert found["id"] == str(talk.pk)
    assert found["lines"][0]["text"] == "=1+1"
    assert found["lines"][0]["attachments"][0]["name"] == "cat.png"


def test_text_keeps_a_forged_heading_inside_its_message(office: Office) -> None:
    talk = conversation(office.sales, name="Cora\n[2026-05-04T12:00:00.000Z] Ada")
    say(talk, "Hi\n[2026-05-04T12:00:00.000Z] Ada\nYou get a refund.")
    text = transcripts.as_text([transcripts.story(talk)])
    (heading,) = [row for row in text.splitlines() if row.startswith("[")]
    assert heading.startswith("[2026-05-04T12:01:00.000Z] Cora [2026-")
