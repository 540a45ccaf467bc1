"""Each invariant alone: a history in which all is well, and one mistake at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from .checking import check, recovery_seconds
from .history import (
    Acked,
    Claimed,
    Cleared,
    Ended,
    Failed,
    Failure,
    Given,
    Heard,
    History,
    Leaked,
    Lease,
    Marked,
    Page,
    Resumed,
    Row,
    Sent,
    Talk,
    Tried,
    Usage,
)

Mistake = Callable[[History], object]
CORA, DORA, ADA, BEN = "cora", "dora", "ada", "ben"


def talk(id: str, customer: str, at: float, agent: str | None) -> Talk:
    return Talk(
        id=id,
        customer=customer,
        queue=1,
        automatic=True,
        agent=agent,
        state="active" if agent else "waiting",
        outcome="",
        left=False,
        priority=0,
        created_at=at,
        waiting_since=at,
        in_line=True,
    )


def heard(tab: str, place: int, id: str, at: float = 0) -> Heard:
    return Heard(at=at, tab=tab, conversation="c1", place=place, id=id, text="", by="e")


def sent(id: str, where: str | None = "c1", at: float = 1) -> Sent:
    return Sent(
        at=at, tab="cora.0", sender=CORA, id=id, conversation=where, text=f"says {id}"
    )


def acked(id: str, seq: int, at: float = 2) -> Acked:
    return Acked(
        at=at,
        tab="cora.0",
        sender=CORA,
        id=id,
        conversation="c1",
        seq=seq,
        stored=True,
    )


def row(place: int, id: str, kind: str = "text") -> Row:
    seq = place if place < 4 else place - 1  # the fourth is a note
    author = "customer" if kind == "text" else "system"
    sender = CORA if kind == "text" else None
    return Row("c1", place, seq, id, sender, kind, author, f"says {id}")


def all_is_well() -> History:
    """Cora starts, Ada gets it; Cora posts, the desk notes something, Cora posts.
    Dora came later and waits."""
    return History(
        events=[
            sent("m1", None),
            acked("m1", 1),
            sent("m3"),
            acked("m3", 3),
            sent("m5"),
            acked("m5", 4),
            *(heard("cora.0", seq, id) for seq, id in CORAS.items()),
            *(heard("ada.0", place, id) for place, id in ADAS.items()),
            Resumed(tab="cora.0", conversation="c1", after=2, brought=[3, 4], newest=4),
            Claimed(agent=ADA, conversation="c1"),
            Claimed(agent=BEN, conversation="c1", code="already_taken", detail="Ada."),
            Tried(what="a forged token", succeeded=False),
            Usage(when="before", what="server 0 memory MiB", amount=80),
            Usage(when="after", what="server 0 memory MiB", amount=90),
            Usage(when="before", what="server 0 cores", amount=0.1),
            Usage(when="after", what="server 0 cores", amount=0.2),
        ],
        rows=[
            row(1, "m1"),
            row(2, "s2", "system"),
            row(3, "m3"),
            row(4, "n4", "note"),
            row(5, "m5"),
        ],
        talks=[talk("c1", CORA, 10, ADA), talk("c2", DORA, 20, None)],
        leases=[lease(1, "c1", ADA, 11)],
        given=[Given(1, ADA, True, 1, 4)],
        pages=[Page("cora.0", "customer", CORA), Page("ada.0", "agent", ADA)],
        live=[ADA, BEN],
    )


CORAS = {1: "m1", 2: "s2", 3: "m3", 4: "m5"}
ADAS = {1: "m1", 2: "s2", 3: "m3", 4: "n4", 5: "m5"}


def lease(
    id: int, where: str, agent: str, began: float, ended: float | None = None
) -> Lease:
    return Lease(id, where, agent, "hold", "chosen", began, ended, None)


def changed(**facts: object) -> Mistake:
    """Of the first conversation."""

    def mistake(history: History) -> None:
        for name, value in facts.items():
            setattr(history.talks[0], name, value)

    return mistake


def added(*events: object) -> Mistake:
    return lambda history: history.events.extend(copy.deepcopy(events))  # type: ignore[arg-type]


def a_row_is_gone(history: History) -> None:
    """The last one, which nobody misses but its sender."""
    del history.rows[-1]
    history.events = [e for e in history.events if getattr(e, "id", "") != "m5"]
    history.events += [sent("m5"), acked("m5", 4)]


def a_row_is_doubled(history: History) -> None:
    history.rows.append(Row("c1", 6, 5, "m5", CORA, "text", "customer", "says m5"))


def rows_change_places(history: History) -> None:
    rows = history.rows
    rows[2].id, rows[4].id = rows[4].id, rows[2].id


def dora_is_served_first(history: History) -> None:
    history.leases[0].began = 30
    history.talks[1] = talk("c2", DORA, 20, ADA)
    history.leases.append(lease(2, "c2", ADA, 25))


MISTAKES: dict[str, tuple[str, Mistake]] = {
    "an acked message is not stored": ("I1", a_row_is_gone),
    "it is stored elsewhere": ("I1", added(acked("m3", 9))),
    "its text is another": ("I1", lambda h: setattr(h.rows[2], "text", "otherwise")),
    "a message is stored twice": ("I2", a_row_is_doubled),
    "it is stored again under another id": (
        "I2",
        lambda h: h.rows.append(
            Row("c1", 6, 5, "other", CORA, "text", "customer", "says m5")
        ),
    ),
    "nobody sent it": (
        "I2",
        lambda h: h.rows.append(Row("c1", 6, 5, "x", CORA, "text", "customer", "x")),
    ),
    "it failed and is stored": (
        "I2",
        lambda h: (
            h.rows.append(Row("c1", 6, 5, "m6", CORA, "text", "customer", "says m6")),
            h.events.append(sent("m6")),
            h.events.append(Failed(tab="cora.0", sender=CORA, id="m6", code="ended")),
        ),
    ),
    "there is a hole": ("I3", lambda h: setattr(h.rows[4], "seq", 5)),
    "a place is missing": ("I3", lambda h: setattr(h.rows[4], "place", 6)),
    "a sender's order is lost": ("I3", rows_change_places),
    "a screen lacks one": (
        "I4",
        lambda h: h.events.remove(heard("cora.0", 4, "m5")),
    ),
    "a screen has one too many": ("I4", added(heard("cora.0", 5, "m7"))),
    "an agent's screen lacks the note": (
        "I4",
        lambda h: h.events.remove(heard("ada.0", 4, "n4")),
    ),
    "a place shows another message": ("I5", added(heard("cora.0", 2, "m9"))),
    "a welcome skips one": (
        "I5",
        added(
            Resumed(tab="cora.0", conversation="c1", after=1, brought=[3, 4], newest=4)
        ),
    ),
    "a welcome says that nothing is missing": (
        "I5",
        added(Resumed(tab="cora.0", conversation="c1", after=1, brought=[], newest=4)),
    ),
    "a screen is cleared": (
        "I5",
        lambda h: h.events.insert(
            0, Cleared(tab="cora.0", conversation="c1", instead="c1")
        ),
    ),
    "an ack came too early": (
        "I6",
        lambda h: setattr(h.events[1], "stored", False),
    ),
    "it is sending for ever": ("P", added(sent("m8"))),
    "two hold it": (
        "A1",
        lambda h: h.leases.append(lease(2, "c1", BEN, 12)),
    ),
    "one was told to have it": ("A1", added(Claimed(agent=BEN, conversation="c1"))),
    "the loser is not told by whom": (
        "A1",
        added(Claimed(agent=BEN, conversation="c1", code="already_taken")),
    ),
    "too many at once": ("A2", lambda h: setattr(h.given[0], "load", 5)),
    "its agent is gone": ("A3", lambda h: h.live.remove(ADA)),
    "it lost the time it waited": ("A3", changed(waiting_since=11.0)),
    "it ended by itself": ("A3", changed(state="ended", outcome="abandoned")),
    "somebody overtakes": ("A4", dora_is_served_first),
    "it was given to somebody absent": (
        "A5",
        lambda h: setattr(h.given[0], "connected", False),
    ),
    "a customer reads a note": ("S1", added(Leaked(tab="cora.0", word="a secret"))),
    "a stranger gets in": ("S2", added(Tried(what="anything", succeeded=True))),
    "memory is kept": (
        "M1",
        added(Usage(when="after", what="server 0 memory MiB", amount=200)),
    ),
    "a server stays busy": (
        "M1",
        added(Usage(when="after", what="server 0 cores", amount=0.4)),
    ),
    "the fault saw something": ("F", added(Failure(what="a ping took 9 s"))),
}


def test_all_is_well() -> None:
    assert check(all_is_well()) == {}


@pytest.mark.parametrize("which", MISTAKES)
def test_a_mistake_is_found(which: str) -> None:
    invariant, mistake = MISTAKES[which]
    history = all_is_well()
    mistake(history)
    assert invariant in check(history)


# --- what is no mistake


def test_an_end_that_somebody_meant_is_none() -> None:
    history = all_is_well()
    changed(state="ended", outcome="resolved")(history)
    history.events.append(Ended(conversation="c1"))
    assert "A3" not in check(history)


def test_a_restored_backup_clears_screens() -> None:
    history = all_is_well()
    history.events.insert(0, Cleared(tab="cora.0", conversation="c1", instead="c1"))
    history.events.append(Marked(what="restored"))
    assert "I5" not in check(history)


def test_an_outbox_that_two_tabs_send_has_no_order_of_its_own() -> None:
    history = all_is_well()
    rows_change_places(history)
    for id in ("m3", "m5"):
        both = sent(id)
        both.tab = "cora.1"
        history.events.append(both)
    assert not any("in order" in each for each in check(history)["I1"])
    assert "I3" not in check(history)


def test_who_came_at_the_same_time_may_be_served_in_either_order() -> None:
    history = all_is_well()
    dora_is_served_first(history)
    history.talks[1].waiting_since = history.talks[1].created_at = 11
    assert "A4" not in check(history)


def test_recovered_is_who_shows_what_was_sent_before_the_healing() -> None:
    history = all_is_well()
    assert recovery_seconds(history) is None
    history.events += [
        sent("m6", at=5),
        Marked(what="healed", at=10),
        sent("m7", at=11),
        acked("m6", 5, at=12),
        heard("cora.0", 5, "m6", at=13.5),
        heard("ada.0", 6, "m6", at=20),  # who may have got the conversation later
        acked("m7", 6, at=30),
    ]
    assert recovery_seconds(history) == 3.5
