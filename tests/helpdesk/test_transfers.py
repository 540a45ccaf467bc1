"""Transfers: the old agent keeps the conversation until somebody has accepted it."""

from __future__ import annotations

import pytest

from agents.models import Agent
from helpdesk import pairing, protocol
from helpdesk.errors import (
    AgentUnavailable,
    AlreadyTaken,
    Ended,
    Forbidden,
    Full,
    NotYours,
    QueueUnknown,
    TooLong,
)
from helpdesk.models import (
    AuditEntry,
    Conversation,
    Message,
    Queue,
    QueueMembership,
    Transfer,
)
from tests.helpdesk.hall import (
    Hall,
    events,
    fresh,
    holder,
    line,
    load,
    new_id,
    rings,
)


class Talk:
    """Cora talks with Ada; Ben is a colleague with room."""

    def __init__(self, hall: Hall) -> None:
        self.ada = hall.agent("Ada", hall.sales, hall.billing)
        self.ben = hall.agent("Ben", hall.billing)
        self.cora = hall.talks(self.ada)


@pytest.fixture
def talk(hall: Hall) -> Talk:
    return Talk(hall)


def notes(what: Conversation) -> list[str]:
    rows = Message.objects.filter(conversation=what, kind="note")
    return list(rows.order_by("place").values_list("text", flat=True))


def pending(what: Conversation) -> bool:
    return Transfer.objects.filter(conversation=what).exists()


# --- to an agent


def test_the_old_agent_keeps_it_until_it_is_accepted(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    assert (holder(talk.cora), rings(talk.cora)) == ("Ada", "Ben")
    assert (load(talk.ada), load(talk.ben)) == (1, 1)  # both slots are leased
    assert fresh(talk.cora).state == "active"


def test_accepted_it_changes_hands(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.accepts(talk.ben, talk.cora)
    assert (holder(talk.cora), rings(talk.cora)) == ("Ben", None)
    assert (load(talk.ada), load(talk.ben)) == (0, 1)
    assert not pending(talk.cora)


def test_the_customer_sees_one_neutral_line(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben, "Careful, she is angry.")
    assert events(talk.cora) == ["agent_joined"]
    hall.accepts(talk.ben, talk.cora)
    said = Message.objects.filter(conversation=talk.cora, event="transferred").get()
    assert said.text == "Ben has taken over."
    assert said.kind == "system"


def test_the_note_is_staffs_alone(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben, "Careful, she is angry.")
    assert notes(talk.cora) == ["Careful, she is angry."]
    public = Message.objects.filter(conversation=talk.cora).exclude(kind="note")
    assert not public.filter(text__contains="angry").exists()


def test_a_note_has_its_limit(hall: Hall, talk: Talk) -> None:
    with pytest.raises(TooLong):
        hall.transfers(talk.ada, talk.cora, talk.ben, "x" * 10_001)
    assert not pending(talk.cora)


def test_declined_it_comes_back_with_the_reason(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.declines(talk.ben, talk.cora)
    assert (holder(talk.cora), rings(talk.cora)) == ("Ada", None)
    assert notes(talk.cora) == ["Ben declined the transfer."]
    assert (load(talk.ada), load(talk.ben)) == (1, 0)
    assert not pending(talk.cora)


def test_unanswered_it_comes_back_with_the_reason(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.passes(21)
    assert holder(talk.cora) == "Ada"
    assert notes(talk.cora) == ["Ben did not answer."]


def test_it_is_not_transferred_to_who_is_not_there(hall: Hall, talk: Talk) -> None:
    absent = hall.agent("Cid", hall.billing, here=False)
    away = hall.agent("Dot", hall.billing, status="away")
    for nobody in (absent, away):
        with pytest.raises(AgentUnavailable, match=nobody.name):
            hall.transfers(talk.ada, talk.cora, nobody)


def test_it_is_not_transferred_to_who_has_no_room(hall: Hall, talk: Talk) -> None:
    hall.talks(talk.ben, "Carl")
    Agent.objects.filter(pk=talk.ben.pk).update(capacity=1)
    with pytest.raises(Full, match="Ben"):
        hall.transfers(talk.ada, talk.cora, talk.ben)


def test_it_is_not_transferred_to_an_agent_of_another_site(
    hall: Hall, talk: Talk
) -> None:
    rival = Hall()
    olaf = rival.agent("Olaf", rival.sales)
    with pytest.raises(AgentUnavailable):
        hall.transfers(talk.ada, talk.cora, olaf)


def test_nobody_transfers_what_a_colleague_holds(hall: Hall, talk: Talk) -> None:
    with pytest.raises(NotYours):
        hall.transfers(talk.ben, talk.cora, talk.ben)


def test_nobody_transfers_to_themselves(hall: Hall, talk: Talk) -> None:
    with pytest.raises(Forbidden):
        hall.transfers(talk.ada, talk.cora, talk.ada)


def test_nobody_transfers_what_has_ended(hall: Hall, talk: Talk) -> None:
    hall.ends(talk.ada, talk.cora)
    with pytest.raises(Ended):
        hall.transfers(talk.ada, talk.cora, talk.ben)


def test_nobody_transfers_to_nobody(hall: Hall, talk: Talk) -> None:
    frame = protocol.Transfer(
        id=new_id(), conversation=str(talk.cora.pk), to=protocol.Target()
    )
    with pytest.raises(Forbidden):
        hall.does(talk.ada, pairing.transfer, frame)


@pytest.mark.parametrize("wanted", ["", "nobody", "0", "-1"])
def test_nobody_transfers_to_who_does_not_exist(
    hall: Hall, talk: Talk, wanted: str
) -> None:
    for target in (protocol.Target(agent=wanted), protocol.Target(queue=wanted)):
        frame = protocol.Transfer(
            id=new_id(), conversation=str(talk.cora.pk), to=target
        )
        with pytest.raises((AgentUnavailable, QueueUnknown)):
            hall.does(talk.ada, pairing.transfer, frame)


def test_a_new_transfer_replaces_the_pending_one(hall: Hall, talk: Talk) -> None:
    cid = hall.agent("Cid", hall.billing)
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.transfers(talk.ada, talk.cora, cid)
    assert (rings(talk.cora), load(talk.ben), load(cid)) == ("Cid", 0, 1)


def test_ended_meanwhile_it_stops_ringing(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.leaves(talk.cora)
    assert (rings(talk.cora), load(talk.ada), load(talk.ben)) == (None, 0, 0)
    assert not pending(talk.cora)


def test_it_may_not_be_taken_from_under_the_agent_asked(hall: Hall, talk: Talk) -> None:
    cid = hall.agent("Cid", hall.billing)
    hall.transfers(talk.ada, talk.cora, talk.ben)
    with pytest.raises(AlreadyTaken, match="Ada"):
        hall.takes(cid, talk.cora)


# --- to a queue


def test_in_a_queue_that_is_given_out_somebody_takes_over(
    hall: Hall, talk: Talk
) -> None:
    hall.agent("Cid", hall.sales)
    hall.transfers(talk.ada, talk.cora, hall.sales)
    assert holder(talk.cora) == "Cid"
    assert fresh(talk.cora).queue == hall.sales
    assert events(talk.cora)[-1] == "transferred"


def test_until_somebody_has_room_the_old_agent_keeps_it(hall: Hall, talk: Talk) -> None:
    cid = hall.agent("Cid", hall.sales, capacity=0)
    hall.transfers(talk.ada, talk.cora, hall.sales)
    hall.passes(40)
    assert (holder(talk.cora), fresh(talk.cora).queue) == ("Ada", hall.billing)
    Agent.objects.filter(pk=cid.pk).update(capacity=1)
    hall.tick()
    assert holder(talk.cora) == "Cid"


def test_the_old_agent_does_not_get_it_back(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, hall.sales)  # of which Ada is the only member
    hall.passes(20)
    assert pending(talk.cora)
    assert fresh(talk.cora).queue == hall.billing


def test_who_is_rid_of_it_gets_the_next_of_another_queue(
    hall: Hall, talk: Talk
) -> None:
    """The slot is given back by a drain of the queue to which it went."""
    support = hall.queue("Support")
    QueueMembership.objects.create(agent=talk.ada, queue=support)
    Agent.objects.filter(pk=talk.ada.pk).update(capacity=1)
    dora = hall.starts(hall.customer("Dora"), support)
    assert holder(dora) is None
    hall.agent("Cid", hall.sales)
    hall.transfers(talk.ada, talk.cora, hall.sales)
    assert (holder(talk.cora), holder(dora)) == ("Cid", "Ada")


def test_in_a_queue_of_offers_it_rings(hall: Hall, talk: Talk) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(delivery="offer")
    cid, dot = hall.agent("Cid", hall.sales), hall.agent("Dot", hall.sales)
    hall.transfers(talk.ada, talk.cora, hall.sales)
    first = cid if rings(talk.cora) == "Cid" else dot
    hall.declines(first, talk.cora)
    assert {rings(talk.cora), first.name} == {"Cid", "Dot"}
    assert holder(talk.cora) == "Ada"


def test_where_agents_take_from_the_line_a_member_takes_it(
    hall: Hall, talk: Talk
) -> None:
    back = hall.queue("Back office", strategy="manual")
    cid = hall.agent("Cid", back)
    hall.transfers(talk.ada, talk.cora, back)
    with pytest.raises(Forbidden):
        hall.takes(talk.ben, talk.cora)  # no member there
    hall.takes(cid, talk.cora)
    assert (holder(talk.cora), fresh(talk.cora).queue) == ("Cid", back)


def test_the_fallback_is_asked_only_after_its_time_from_the_transfer_on(
    hall: Hall, talk: Talk
) -> None:
    helpers = hall.queue("Helpers")
    Queue.objects.filter(pk=hall.sales.pk).update(
        fallback=helpers, fallback_after_seconds=60
    )
    hall.agent("Eve", helpers)
    hall.passes(100)
    hall.transfers(talk.ada, talk.cora, hall.sales)
    assert holder(talk.cora) == "Ada"
    hall.passes(65)
    assert holder(talk.cora) == "Eve"


def test_when_the_old_agent_vanishes_it_goes_to_the_front_of_its_line(
    hall: Hall, talk: Talk
) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    hall.vanishes(talk.ada)
    Queue.objects.filter(pk=hall.billing.pk).update(ring_seconds=600)
    hall.passes(65)
    assert line(hall.billing) == ["Cora"]
    assert not pending(talk.cora)
    assert load(talk.ben) == 0


# --- by a supervisor


def test_a_supervisor_transfers_what_a_colleague_holds(hall: Hall, talk: Talk) -> None:
    sue = hall.supervisor("Sue", hall.billing)
    hall.transfers(sue, talk.cora, talk.ben)
    assert rings(talk.cora) == "Ben"
    entry = AuditEntry.objects.get()
    assert (entry.by, entry.act, entry.conversation_id) == (
        sue,
        "transfer",
        talk.cora.pk,
    )


def test_a_supervisor_takes_over_at_once(hall: Hall, talk: Talk) -> None:
    sue = hall.supervisor("Sue", hall.billing)
    hall.transfers(sue, talk.cora, sue)
    assert holder(talk.cora) == "Sue"
    assert load(talk.ada) == 0
    assert AuditEntry.objects.filter(by=sue).count() == 1


def test_a_supervisor_of_another_queue_takes_over_nothing(
    hall: Hall, talk: Talk
) -> None:
    mallory = hall.supervisor("Mallory", hall.sales)
    with pytest.raises(NotYours):
        hall.transfers(mallory, talk.cora, mallory)
    assert not AuditEntry.objects.exists()


def test_a_supervisor_without_room_takes_over_nothing(hall: Hall, talk: Talk) -> None:
    sue = hall.supervisor("Sue", hall.billing, capacity=1)
    Agent.objects.filter(pk=sue.pk).update(capacity=0)  # since she signed in
    with pytest.raises(Full):
        hall.transfers(sue, talk.cora, sue)
    assert holder(talk.cora) == "Ada"


def test_a_supervisor_does_not_transfer_it_to_who_holds_it(
    hall: Hall, talk: Talk
) -> None:
    sue = hall.supervisor("Sue", hall.billing)
    with pytest.raises(Forbidden, match="Ada holds it already"):
        hall.transfers(sue, talk.cora, talk.ada)
    assert rings(talk.cora) is None


def test_who_transfers_their_own_is_not_audited(hall: Hall, talk: Talk) -> None:
    hall.transfers(talk.ada, talk.cora, talk.ben)
    assert not AuditEntry.objects.exists()
