"""The back office of the staff side: agents and canned replies."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, CannedReply
from helpdesk import presence
from helpdesk.models import Queue, QueueMembership, new_id
from tests.back_office import (
    NOON,
    Office,
    agent,
    conversation,
    hold,
    signed_in,
    staff,
    superuser,
)

pytestmark = pytest.mark.django_db

AGENTS = "/admin/agents/agent/"
REPLIES = "/admin/agents/cannedreply/"


def change(row: Any) -> str:
    folder = AGENTS if isinstance(row, Agent) else REPLIES
    return f"{folder}{row.pk}/change/"


def agent_form(who: Agent, **facts: Any) -> dict[str, Any]:
    memberships = list(who.memberships.all())
    form = {
        "name": who.name,
        "capacity": who.capacity,
        "memberships-TOTAL_FORMS": len(memberships),
        "memberships-INITIAL_FORMS": len(memberships),
    }
    for number, each in enumerate(memberships):
        form[f"memberships-{number}-id"] = each.pk
        form[f"memberships-{number}-agent"] = str(who.pk)
        form[f"memberships-{number}-queue"] = each.queue_id
        form[f"memberships-{number}-role"] = each.role
        form[f"memberships-{number}-priority"] = each.priority
    return form | facts


def membership(number: int, who: Agent, queue: Queue) -> dict[str, Any]:
    return {
        "memberships-TOTAL_FORMS": number + 1,
        f"memberships-{number}-agent": str(who.pk),
        f"memberships-{number}-queue": queue.pk,
        f"memberships-{number}-role": "agent",
        f"memberships-{number}-priority": 1,
    }


# Agents


def test_an_agent_may_not_see_agents(office: Office) -> None:
    ada = signed_in(office.ada.user)
    for address in (AGENTS, change(office.ada), REPLIES):
        assert ada.get(address, follow=True).status_code == 403


def test_a_manager_sees_the_own_sites_agents_alone(
    office: Office, manager: Client
) -> None:
    page = manager.get(AGENTS).content.decode()
    assert "Ada" in page
    assert "Olaf" not in page
    assert "Secret billing" not in page
    assert manager.get(change(office.ada)).status_code == 200
    assert manager.get(change(office.olaf)).status_code == 302


def test_the_load_is_what_an_agent_has_now(office: Office, manager: Client) -> None:
    agent("ben", office.sales)
    for _ in range(3):
        past = hold(conversation(office.sales), office.ada, ended_at=NOON)
        past.conversation.assignments.create(
            agent=office.ada, kind="offer", started_at=NOON, ended_at=NOON
        )
    hold(conversation(office.sales), office.ada)
    hold(conversation(office.sales), office.ada, kind="offer")
    page = manager.get(AGENTS).content.decode()
    assert re.findall(r'field-load">(\d+)<', page) == ["2", "0"]  # Ada, Ben


def test_nobody_reads_all_that_was_ever_assigned(
    office: Office, manager: Client
) -> None:
    """Every list of agents to choose from would wait for it."""
    with CaptureQueriesContext(connection) as context:
        manager.get(AGENTS)
    for each in context.captured_queries:
        assert 'JOIN "helpdesk_assignment' not in each["sql"]


def test_a_manager_sees_of_a_shared_agent_the_own_queues_alone(
    office: Office, manager: Client
) -> None:
    QueueMembership.objects.create(queue=office.billing, agent=office.ada)
    page = manager.get(change(office.ada)).content.decode()
    assert "Sales" in page
    assert "Secret billing" not in page


def test_a_manager_may_not_put_an_agent_into_another_sites_queue(
    office: Office, manager: Client
) -> None:
    form = agent_form(office.ada) | membership(1, office.ada, office.billing)
    manager.post(change(office.ada), form)
    assert [queue.name for queue in office.ada.queues.all()] == ["Sales"]


def test_a_manager_makes_an_agent(office: Office, manager: Client) -> None:
    user = User.objects.create_user("ben")
    form = {
        "user": user.pk,
        "name": "Ben",
        "capacity": 3,
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-queue": office.sales.pk,
        "memberships-0-role": "agent",
        "memberships-0-priority": 1,
    }
    answer = manager.post(f"{AGENTS}add/", form)
    assert answer.status_code == 302
    assert Agent.objects.get(user=user).queues.get() == office.sales


def test_a_manager_does_not_read_other_staffs_names(
    office: Office, manager: Client
) -> None:
    superuser()
    staff("otto", "Manager", office.other)
    page = manager.get(f"{AGENTS}add/").content.decode()
    assert ">mona<" in page
    assert ">root<" not in page
    assert ">otto<" not in page


def test_a_user_stays_the_agents(office: Office, root: Client) -> None:
    other = User.objects.create_user("eve")
    root.post(change(office.ada), agent_form(office.ada, user=other.pk))
    office.ada.refresh_from_db()
    assert office.ada.user.get_username() == "ada"


def test_status_is_the_agents_own_choice(office: Office, root: Client) -> None:
    root.post(change(office.ada), agent_form(office.ada, status="away"))
    office.ada.refresh_from_db()
    assert office.ada.status == "online"


def test_more_capacity_serves_who_waits(
    office: Office, manager: Client, django_capture_on_commit_callbacks: Any
) -> None:
    Agent.objects.filter(pk=office.ada.pk).update(capacity=0)
    presence.renew(new_id(), [office.ada.pk])
    talk = conversation(
        office.sales, state="waiting", outcome="", started_at=None, ended_at=None
    )
    with django_capture_on_commit_callbacks(execute=True):
        manager.post(change(office.ada), agent_form(office.ada, capacity=1))
    talk.refresh_from_db()
    assert talk.agent == office.ada


def test_a_manager_may_not_delete_an_agent(office: Office, manager: Client) -> None:
    manager.post(f"{AGENTS}{office.ada.pk}/delete/", {"post": "yes"})
    assert Agent.objects.filter(pk=office.ada.pk).exists()


def test_an_agent_with_a_history_cannot_be_deleted(
    office: Office, root: Client
) -> None:
    conversation(office.sales, agent=office.ada)
    root.post(f"{AGENTS}{office.ada.pk}/delete/", {"post": "yes"})
    assert Agent.objects.filter(pk=office.ada.pk).exists()


def test_the_list_shows_who_is_connected(office: Office, manager: Client) -> None:
    before = manager.get(AGENTS).content.decode().count("icon-yes")
    presence.renew(new_id(), [office.ada.pk])
    assert manager.get(AGENTS).content.decode().count("icon-yes") == before + 1


def test_the_list_of_agents_costs_the_same_for_many(
    office: Office, manager: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        agent(f"agent{number}", office.sales)
    with django_assert_max_num_queries(15):
        page = manager.get(AGENTS).content.decode()
    assert "Agent29" in page


# Canned replies


def reply(shortcut: str, *queues: Queue) -> CannedReply:
    made = CannedReply.objects.create(shortcut=shortcut, text=f"Text of {shortcut}")
    for queue in queues:
        queue.canned_replies.add(made)
    return made


def test_a_manager_reads_what_the_own_queues_offer(
    office: Office, manager: Client
) -> None:
    for made in (
        reply("ours", office.sales),
        reply("everywhere"),
        reply("theirs", office.billing),
    ):
        expected = 302 if made.shortcut == "theirs" else 200
        assert manager.get(change(made)).status_code == expected, made.shortcut
    page = manager.get(REPLIES).content.decode()
    assert "Text of ours" in page
    assert "Text of everywhere" in page
    assert "Text of theirs" not in page


def test_a_manager_writes_a_reply_for_the_own_queue(
    office: Office, manager: Client
) -> None:
    form = {"shortcut": "hi", "text": "Hello {name}", "queues": [office.sales.pk]}
    assert manager.post(f"{REPLIES}add/", form).status_code == 302
    assert office.sales.canned_replies.get().text == "Hello {name}"


@pytest.mark.parametrize("everywhere", [True, False])
def test_but_not_for_other_sites(
    office: Office, manager: Client, everywhere: bool
) -> None:
    form: dict[str, Any] = {"shortcut": "hi", "text": "Hello {name}"}
    if not everywhere:
        form["queues"] = [office.billing.pk]
    assert manager.post(f"{REPLIES}add/", form).status_code == 200  # with an error
    assert not CannedReply.objects.exists()


def test_a_manager_changes_what_the_own_queues_alone_offer(
    office: Office, manager: Client
) -> None:
    form = {"shortcut": "hi", "text": "Changed", "queues": [office.sales.pk]}
    own = reply("ours", office.sales)
    shared, everywhere = reply("shared", office.sales, office.billing), reply("all")
    assert [
        manager.post(change(made), form).status_code
        for made in (own, shared, everywhere)
    ] == [302, 403, 403]
    changed = CannedReply.objects.filter(text="Changed")
    assert list(changed) == [own]


def test_a_manager_deletes_what_the_own_queues_alone_offer(
    office: Office, manager: Client
) -> None:
    own, shared = (
        reply("ours", office.sales),
        reply("shared", office.sales, office.billing),
    )
    for made in (own, shared):
        manager.post(f"{REPLIES}{made.pk}/delete/", {"post": "yes"})
    assert list(CannedReply.objects.all()) == [shared]


def test_several_deleted_at_once_are_the_own_alone(
    office: Office, manager: Client
) -> None:
    own, everywhere = reply("ours", office.sales), reply("everywhere")
    manager.post(
        REPLIES,
        {
            "action": "delete_selected",
            "_selected_action": [own.pk, everywhere.pk],
            "post": "yes",
        },
    )
    assert everywhere in CannedReply.objects.all()


def test_a_superuser_writes_a_reply_for_every_queue(
    office: Office, root: Client
) -> None:
    root.post(f"{REPLIES}add/", {"shortcut": "hi", "text": "Hello"})
    assert CannedReply.objects.get().queues.count() == 0


def test_a_supervisor_without_a_reply_to_change_only_reads(office: Office) -> None:
    grace = signed_in(staff("grace", "Supervisor", office.acme))
    page = grace.get(change(reply("everywhere"))).content.decode()
    assert "every queue" in page
    assert 'name="text"' not in page


def test_template_words_in_a_reply_stay_words(office: Office, manager: Client) -> None:
    form = {"shortcut": "x", "text": "{{ 7|add:7 }}", "queues": [office.sales.pk]}
    manager.post(f"{REPLIES}add/", form)
    assert "{{ 7|add:7 }}" in manager.get(REPLIES).content.decode()


# Second steps


def test_a_superuser_takes_a_lost_second_step_away_and_never_reads_it(
    office: Office, root: Client, manager: Client
) -> None:
    secret = totp.generate_totp_secret()
    step = totp.TOTP.activate(office.ada.user, secret).instance
    address = f"/admin/mfa/authenticator/{step.pk}"
    page = root.get(f"{address}/change/").content.decode()
    assert "ada" in page
    assert secret not in page
    assert step.data["secret"] not in page
    assert root.get("/admin/mfa/authenticator/?data__icontains=a").status_code == 400
    manager.post(f"{address}/delete/", {"post": "yes"})
    assert Authenticator.objects.exists()
    root.post(f"{address}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()
