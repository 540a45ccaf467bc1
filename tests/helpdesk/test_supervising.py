"""Supervisors watch, join, block and set statuses; each act is written down, and
refused to everybody else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

from agents.models import Agent
from agents.voice import welcome
from helpdesk import database, protocol, snapshots, supervising
from helpdesk.errors import ConversationUnknown, Empty, Ended, Forbidden, NotYours
from helpdesk.models import AuditEntry, Conversation, Message, Queue
from tests.helpdesk.hall import Hall, events, fresh, holder, line, new_id, rings


class Floor:
    """Cora talks with Ada; Sue supervises their queue."""

    def __init__(self, hall: Hall) -> None:
        self.ada = hall.agent("Ada", hall.billing)
        self.sue = hall.supervisor("Sue", hall.billing)
        self.mallory = hall.agent("Mallory", hall.billing)  # no supervisor
        self.other = hall.supervisor("Otto", hall.sales)  # of another queue
        self.cora = hall.talks(self.ada)


@pytest.fixture
def floor(hall: Hall) -> Floor:
    return Floor(hall)


def asks(verb: Any, agent: Agent, command: Any, what: Conversation, **more: Any) -> Any:
    frame = command(id=new_id(), conversation=str(what.pk), **more)
    with transaction.atomic():
        return verb(agent, frame)


def watches(agent: Agent, what: Conversation) -> Any:
    return asks(supervising.watch, agent, protocol.Watch, what)


def joins(agent: Agent, what: Conversation) -> Any:
    return asks(supervising.join, agent, protocol.Join, what)


def blocks(agent: Agent, what: Conversation, reason: str = "Spam.") -> Any:
    return asks(
        supervising.block, agent, protocol.Block, what, reason=reason, seconds=3600
    )


def audited() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.order_by("at", "pk").select_related("by")
    return [(entry.by.name, entry.act) for entry in entries]


STRANGERS = ["ada", "mallory", "other"]  # who holds it is no supervisor either


# --- what colleagues hold


def welcomed(agent: Agent) -> protocol.AgentWelcome:
    return welcome(agent, protocol.AgentHello())[0]


def test_the_welcome_tells_a_supervisor_what_colleagues_hold(
    hall: Hall, floor: Floor
) -> None:
    mine = hall.talks(floor.sue, "Mona")
    welcome = welcomed(floor.sue)
    assert welcome.supervises == [str(hall.billing.pk)]
    assert [(each.customer.name, each.agent) for each in welcome.supervised] == [
        ("Cora", protocol.AgentName(str(floor.ada.pk), "Ada"))
    ]
    assert [each.id for each in welcome.conversations] == [str(mine.pk)]


@pytest.mark.parametrize("who", STRANGERS)
def test_it_tells_nobody_else(floor: Floor, who: str) -> None:
    assert welcomed(getattr(floor, who)).supervised == []


# --- watch


def test_to_watch_shows_the_whole_story_and_is_audited(floor: Floor) -> None:
    shown = watches(floor.sue, floor.cora)
    assert [message.text for message in shown.messages] == ["Hello?", "Ada joined."]
    assert audited() == [("Sue", "watch")]


def test_to_watch_is_unseen(floor: Floor) -> None:
    before = fresh(floor.cora).version, events(floor.cora)
    watches(floor.sue, floor.cora)
    assert (fresh(floor.cora).version, events(floor.cora)) == before


@pytest.mark.parametrize("who", STRANGERS)
def test_nobody_else_watches(floor: Floor, who: str) -> None:
    with pytest.raises(Forbidden):
        watches(getattr(floor, who), floor.cora)
    assert audited() == []


def test_nobody_watches_what_does_not_exist(floor: Floor) -> None:
    nothing = Conversation(pk=floor.sue.pk)
    with pytest.raises(ConversationUnknown):
        watches(floor.sue, nothing)


# --- join


def test_to_join_is_said_to_the_customer_and_audited(floor: Floor) -> None:
    joins(floor.sue, floor.cora)
    said = Message.objects.filter(conversation=floor.cora).last()
    assert said
    assert said.text == "Sue joined."
    assert holder(floor.cora) == "Ada"  # beside the holder
    assert audited() == [("Sue", "join")]


def test_who_joins_anew_after_a_lost_connection_is_announced_once(
    floor: Floor,
) -> None:
    joins(floor.sue, floor.cora)
    joins(floor.sue, floor.cora)
    assert events(floor.cora).count("agent_joined") == 2  # Ada's and Sue's
    assert audited() == [("Sue", "join"), ("Sue", "join")]


@pytest.mark.parametrize("who", STRANGERS)
def test_nobody_else_joins(floor: Floor, who: str) -> None:
    with pytest.raises(Forbidden):
        joins(getattr(floor, who), floor.cora)
    assert audited() == []


def test_nobody_joins_what_has_ended(hall: Hall, floor: Floor) -> None:
    hall.ends(floor.ada, floor.cora)
    with pytest.raises(Ended):
        joins(floor.sue, floor.cora)
    assert audited() == []


# --- a colleague's status


def test_a_supervisor_sets_a_colleagues_status_and_it_is_audited(
    hall: Hall, floor: Floor
) -> None:
    hall.chooses(floor.sue, "away", whose=floor.ada)
    assert fresh(floor.ada).status == "away"
    assert audited() == [("Sue", "status.set")]
    assert AuditEntry.objects.get().data == {
        "agent": str(floor.ada.pk),
        "status": "away",
    }


def test_the_colleague_reads_who_set_it_until_they_choose_themselves(
    hall: Hall, floor: Floor
) -> None:
    def set_by() -> str | None:
        shown = snapshots.agent(floor.ada, database.db_now())
        return shown.set_by.name if shown.set_by else None

    hall.chooses(floor.sue, "away", whose=floor.ada)
    assert set_by() == "Sue"
    hall.chooses(floor.ada, "online")
    assert set_by() is None


@pytest.mark.parametrize("who", ["mallory", "other"])
def test_nobody_else_sets_it(hall: Hall, floor: Floor, who: str) -> None:
    with pytest.raises(Forbidden):
        hall.chooses(getattr(floor, who), "away", whose=floor.ada)
    assert fresh(floor.ada).status == "online"
    assert audited() == []


def test_ones_own_status_is_not_audited(hall: Hall, floor: Floor) -> None:
    hall.chooses(floor.sue, "away")
    hall.chooses(floor.ada, "away", whose=floor.ada)
    assert audited() == []


# --- block


@pytest.mark.parametrize("who", ["ada", "sue"])
def test_who_holds_or_supervises_it_may_block(floor: Floor, who: str) -> None:
    agent = getattr(floor, who)
    blocks(agent, floor.cora)
    customer = fresh(floor.cora.customer)
    assert customer.blocked_why == "Spam."
    left = customer.blocked_until - database.db_now()
    assert dt.timedelta(minutes=58) < left <= dt.timedelta(hours=1)
    assert fresh(floor.cora).state == "ended"
    assert holder(floor.cora) is None
    assert audited() == [(agent.name, "block")]


@pytest.mark.parametrize("who", ["mallory", "other"])
def test_nobody_else_blocks(floor: Floor, who: str) -> None:
    with pytest.raises(NotYours):
        blocks(getattr(floor, who), floor.cora)
    assert fresh(floor.cora.customer).blocked_until is None
    assert audited() == []


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_nobody_blocks_without_saying_why(floor: Floor, reason: str) -> None:
    with pytest.raises(Empty):
        blocks(floor.ada, floor.cora, reason)
    assert fresh(floor.cora).state == "active"


def test_a_long_reason_is_cut(floor: Floor) -> None:
    blocks(floor.ada, floor.cora, "x" * 500)
    assert len(fresh(floor.cora.customer).blocked_why) == supervising.REASON_CHARS


@pytest.mark.parametrize("who", ["ada", "sue"])
def test_who_still_waits_is_blocked_by_whoever_staffs_the_queue(
    hall: Hall, floor: Floor, who: str
) -> None:
    carl = hall.waits("Carl", hall.billing)
    blocks(getattr(floor, who), carl)
    assert fresh(carl).state == "ended"
    assert fresh(carl.customer).blocked_until
    assert line(hall.billing) == []


def test_what_rings_for_a_colleague_is_blocked_too(hall: Hall, floor: Floor) -> None:
    Queue.objects.filter(pk=hall.sales.pk).update(delivery="offer")
    carl = hall.waits("Carl")
    assert rings(carl) == "Otto"
    blocks(hall.agent("Ann"), carl)
    assert rings(carl) is None
    assert fresh(carl).state == "ended"


def test_who_waits_is_not_blocked_by_others_agents(hall: Hall, floor: Floor) -> None:
    carl = hall.waits("Carl", hall.billing)
    with pytest.raises(NotYours):
        blocks(floor.other, carl)
    assert fresh(carl).state == "waiting"
    assert audited() == []
