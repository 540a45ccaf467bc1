"""The back office of the desk: who may see and do what, by address."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from helpdesk import pairing, presence
from helpdesk.models import (
    AuditEntry,
    Conversation,
    Message,
    Queue,
    QueueMembership,
    new_id,
)
from tests.back_office import (
    CHOSEN,
    Office,
    agent,
    attach,
    conversation,
    hold,
    say,
    signed_in,
    staff,
)

pytestmark = pytest.mark.django_db

QUEUES = "/admin/helpdesk/queue/"
AUDIT = "/admin/helpdesk/auditentry/"
TRANSCRIPTS = "/admin/helpdesk/transcript/"
WAITING = {"state": "waiting", "outcome": "", "started_at": None, "ended_at": None}
CANARY = "<script>alert('canary')</script>"


def story_of(talk: Conversation) -> str:
    return f"{TRANSCRIPTS}{talk.pk}/change/"


def export_of(talk: Conversation, form: str = "csv") -> str:
    return f"{TRANSCRIPTS}{talk.pk}/export/{form}/"


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


# Who gets in


def every_address(talk: Conversation, queue: Queue) -> list[str]:
    return [
        "/admin/",
        QUEUES,
        f"{QUEUES}numbers/",
        f"{QUEUES}{queue.pk}/change/",
        TRANSCRIPTS,
        story_of(talk),
        export_of(talk, "csv"),
        export_of(talk, "json"),
        export_of(talk, "txt"),
        f"{TRANSCRIPTS}{talk.pk}/history/",
    ]


def test_a_stranger_is_sent_to_sign_in(office: Office) -> None:
    talk = conversation(office.sales)
    for address in every_address(talk, office.sales):
        answer = Client().get(address, follow=True)
        assert answer.request["PATH_INFO"] == "/accounts/login/", address
        assert str(talk.customer) not in answer.content.decode()


def test_an_agent_does_not_get_in(office: Office) -> None:
    talk = conversation(office.sales)
    ada = signed_in(office.ada.user)
    for address in every_address(talk, office.sales):
        assert ada.get(address, follow=True).status_code == 403, address


def test_staff_without_a_permission_see_nothing(office: Office) -> None:
    talk = conversation(office.sales)
    nobody = signed_in(staff("nobody", None, office.acme))
    for address in every_address(talk, office.sales)[1:]:
        assert nobody.get(address).status_code == 403, address


def test_staff_with_one_permission_may_do_that_alone(office: Office) -> None:
    reader = staff("reader", None, office.acme)
    reader.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    talk = conversation(office.sales)
    client = signed_in(reader)
    assert client.get(story_of(talk)).status_code == 200
    assert client.get(QUEUES).status_code == 403


def test_a_manager_gets_everywhere_on_the_own_site(
    office: Office, manager: Client
) -> None:
    talk = conversation(office.sales)
    for address in every_address(talk, office.sales):
        assert manager.get(address).status_code == 200, address


def test_a_supervisor_reads_transcripts_but_does_not_change_queues(
    office: Office,
) -> None:
    grace = signed_in(staff("grace", "Supervisor", office.acme))
    talk = conversation(office.sales)
    assert grace.get(story_of(talk)).status_code == 200
    answer = grace.post(f"{QUEUES}{office.sales.pk}/change/", {"name": "Mine"})
    assert answer.status_code == 403


# Another site's rows


def test_a_manager_does_not_see_another_sites_rows_in_lists(
    office: Office, manager: Client
) -> None:
    conversation(office.billing, name="Olga Other")
    for address in (QUEUES, TRANSCRIPTS, f"{TRANSCRIPTS}?q=Olga", f"{QUEUES}numbers/"):
        page = body(manager, address)
        assert "Olga Other" not in page
        assert "Secret billing" not in page
        assert "Other Corp" not in page
        assert "Olaf" not in page


def test_a_manager_does_not_find_another_sites_rows_by_id(
    office: Office, manager: Client
) -> None:
    talk = conversation(office.billing)
    for address in every_address(talk, office.billing):
        if address in ("/admin/", QUEUES, TRANSCRIPTS, f"{QUEUES}numbers/"):
            continue
        assert manager.get(address).status_code in (302, 404), address


def test_nor_by_a_filter(office: Office, manager: Client) -> None:
    conversation(office.billing, name="Olga Other")
    for query in (
        f"site__id__exact={office.other.pk}",
        f"queue__id__exact={office.billing.pk}",
        f"agent__id__exact={office.olaf.pk}",
    ):
        assert "Olga Other" not in body(manager, f"{TRANSCRIPTS}?{query}")


def test_nor_by_an_export_of_chosen_ids(office: Office, manager: Client) -> None:
    own = conversation(office.sales)
    say(own, "own words")
    foreign = conversation(office.billing)
    say(foreign, "foreign words")
    answer = manager.post(
        TRANSCRIPTS,
        {"action": "export_csv", "_selected_action": [str(own.pk), str(foreign.pk)]},
    )
    assert "own words" in answer.content.decode()
    assert "foreign words" not in answer.content.decode()


def test_a_manager_may_not_choose_another_sites_agent(
    office: Office, manager: Client
) -> None:
    answer = manager.post(
        f"{QUEUES}{office.sales.pk}/change/", queue_form(office, agent=office.olaf.pk)
    )
    assert answer.status_code == 200  # the form again, with an error
    assert not QueueMembership.objects.filter(
        queue=office.sales, agent=office.olaf
    ).exists()


def test_a_manager_may_not_make_a_queue_on_another_site(
    office: Office, manager: Client
) -> None:
    form = queue_form(office) | {"site": office.other.pk, "name": "Mine"}
    manager.post(f"{QUEUES}add/", form | {"memberships-INITIAL_FORMS": "0"})
    assert not Queue.objects.filter(name="Mine").exists()


def test_a_manager_may_make_a_queue_on_the_own_site(
    office: Office, manager: Client
) -> None:
    form = queue_form(office) | {"site": office.acme.pk, "name": "Mine"}
    manager.post(f"{QUEUES}add/", without_members(form))
    assert Queue.objects.get(name="Mine").site == office.acme


def test_a_queue_stays_on_its_site(office: Office, root: Client) -> None:
    form = queue_form(office) | {"site": office.other.pk}
    root.post(f"{QUEUES}{office.sales.pk}/change/", form)
    office.sales.refresh_from_db()
    assert office.sales.site == office.acme


def test_a_superuser_sees_every_site(office: Office, root: Client) -> None:
    conversation(office.sales, name="Cora Lee")
    conversation(office.billing, name="Olga Other")
    page = body(root, TRANSCRIPTS)
    assert "Cora Lee" in page
    assert "Olga Other" in page


# Queues


def queue_form(office: Office, **member: Any) -> dict[str, Any]:
    membership = office.sales.memberships.get(agent=office.ada)
    form = {
        "name": "Sales",
        "position": 0,
        "is_open": "on",
        "time_zone": "UTC",
        "strategy": "least_loaded",
        "delivery": "direct",
        "ring_seconds": 20,
        "wrap_up_seconds": 0,
        "line_limit": 100,
        "priority": 0,
        "fallback_after_seconds": 120,
        "alert_after_seconds": 300,
        "lost_after_seconds": 60,
        "abandoned_after_seconds": 60,
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": membership.pk,
        "memberships-0-queue": office.sales.pk,
        "memberships-0-agent": office.ada.pk,
        "memberships-0-role": "agent",
        "memberships-0-priority": 1,
    }
    for part in ("opening_slots", "holidays"):
        form |= {f"{part}-TOTAL_FORMS": "0", f"{part}-INITIAL_FORMS": "0"}
    if member:
        form |= {"memberships-TOTAL_FORMS": "2", "memberships-1-role": "agent"}
        form |= {"memberships-1-priority": 1}
        form |= {"memberships-1-queue": office.sales.pk}
        form |= {f"memberships-1-{name}": value for name, value in member.items()}
    return form


def without_members(form: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in form.items() if "memberships" not in name},
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }


def test_a_manager_changes_a_queue(office: Office, manager: Client) -> None:
    form = queue_form(office) | {"name": "Orders"}
    answer = manager.post(f"{QUEUES}{office.sales.pk}/change/", form)
    assert answer.status_code == 302
    office.sales.refresh_from_db()
    assert office.sales.name == "Orders"


def test_a_new_member_serves_who_waits(
    office: Office, manager: Client, django_capture_on_commit_callbacks: Any
) -> None:
    ben = agent("ben", Queue.objects.create(site=office.acme, name="Elsewhere"))
    presence.renew(new_id(), [ben.pk])
    talk = conversation(office.sales, **WAITING)
    with django_capture_on_commit_callbacks(execute=True):
        manager.post(
            f"{QUEUES}{office.sales.pk}/change/", queue_form(office, agent=ben.pk)
        )
    talk.refresh_from_db()
    assert talk.agent == ben


def test_a_queue_shows_how_many_wait_and_talk(office: Office, manager: Client) -> None:
    conversation(office.sales, **WAITING)
    conversation(office.sales, **WAITING)
    conversation(office.sales, **WAITING | {"left": True})
    conversation(office.sales, **WAITING | {"state": "active", "agent": office.ada})
    conversation(office.sales)
    numbers = json.loads(body(manager, f"{QUEUES}numbers/"))["queues"]
    assert numbers[str(office.sales.pk)] == {"waiting": 2, "active": 1, "staffed": 0}
    page = body(manager, QUEUES)
    assert f'data-queue="{office.sales.pk}" data-number="waiting">2<' in page


def test_the_list_of_queues_costs_the_same_for_many(
    office: Office, manager: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        Queue.objects.create(site=office.acme, name=f"Queue {number}")
    with django_assert_max_num_queries(20):
        body(manager, QUEUES)


def test_opening_hours_and_holidays_are_set(office: Office, manager: Client) -> None:
    form = queue_form(office) | {
        "time_zone": "Europe/Berlin",
        "opening_slots-TOTAL_FORMS": "1",
        "opening_slots-0-queue": office.sales.pk,
        "opening_slots-0-weekday": 0,
        "opening_slots-0-opens": "09:00",
        "opening_slots-0-closes": "17:00",
        "holidays-TOTAL_FORMS": "1",
        "holidays-0-queue": office.sales.pk,
        "holidays-0-date": "2026-12-25",
    }
    manager.post(f"{QUEUES}{office.sales.pk}/change/", form)
    assert str(office.sales.opening_slots.get()) == "Monday 09:00–17:00"
    assert str(office.sales.holidays.get()) == "2026-12-25"


def test_a_fallback_is_another_queue_of_the_same_site(
    office: Office, root: Client
) -> None:
    second = Queue.objects.create(site=office.acme, name="Second")
    for fallback, is_taken in (
        (office.billing, False),
        (office.sales, False),
        (second, True),
    ):
        form = queue_form(office) | {"fallback": fallback.pk}
        root.post(f"{QUEUES}{office.sales.pk}/change/", form)
        office.sales.refresh_from_db()
        assert (office.sales.fallback == fallback) is is_taken, fallback


# Transcripts are read, never written


@pytest.mark.parametrize("who", ["manager", "root"])
def test_nobody_changes_a_transcript(
    office: Office, who: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(who)
    talk = conversation(office.sales)
    answer = client.post(story_of(talk), {"rating": 5, "state": "ended"})
    assert answer.status_code == 403
    talk.refresh_from_db()
    assert talk.rating is None


@pytest.mark.parametrize("who", ["manager", "root"])
def test_nobody_deletes_a_transcript(
    office: Office, who: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(who)
    talk = conversation(office.sales)
    answer = client.post(f"{TRANSCRIPTS}{talk.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    client.post(
        TRANSCRIPTS,
        {"action": "delete_selected", "_selected_action": [talk.pk], "post": "yes"},
    )
    assert Conversation.objects.filter(pk=talk.pk).exists()


@pytest.mark.parametrize("who", ["manager", "root"])
def test_nobody_adds_a_transcript(
    office: Office, who: str, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue(who)
    assert client.post(f"{TRANSCRIPTS}add/", {}).status_code == 403
    assert not Conversation.objects.exists()


def test_a_queue_with_conversations_cannot_be_deleted(
    office: Office, root: Client
) -> None:
    talk = conversation(office.sales)
    root.post(f"{QUEUES}{office.sales.pk}/delete/", {"post": "yes"})
    assert Conversation.objects.filter(pk=talk.pk).exists()


# The list


def test_search_finds_words_of_messages_and_of_the_customer(
    office: Office, manager: Client
) -> None:
    found = conversation(office.sales, name="Deng")
    say(found, "我要退款")
    conversation(office.sales, name="Eve")
    for query in ("退款", "deng", "deng 退款"):
        page = body(manager, f"{TRANSCRIPTS}?q={query}")
        assert str(found.pk) in page
        assert "Eve" not in page


def test_search_needs_every_word(office: Office, manager: Client) -> None:
    found = conversation(office.sales, name="Deng")
    say(found, "refund")
    assert str(found.pk) not in body(manager, f"{TRANSCRIPTS}?q=refund+parcel")


@pytest.mark.parametrize(
    ("query", "rated"), [("rating=5", True), ("rating=none", False), ("", True)]
)
def test_ratings_can_be_chosen(
    office: Office, manager: Client, query: str, rated: bool
) -> None:
    talk = conversation(office.sales, rating=5)
    assert (str(talk.pk) in body(manager, f"{TRANSCRIPTS}?{query}")) is rated


@pytest.mark.parametrize(
    "query",
    [
        "outcome__exact=resolved",
        "state__exact=ended",
        "created_at__year=2026",
        "rating=99",
        "rating=%00",
    ],
)
def test_filters_answer(office: Office, manager: Client, query: str) -> None:
    conversation(office.sales)
    assert manager.get(f"{TRANSCRIPTS}?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "site__secret__startswith=a",
        "customer__site__secret=a",
        "agent__user__password=a",
    ],
)
def test_a_lookup_does_not_reach_into_secrets(
    office: Office, manager: Client, query: str
) -> None:
    conversation(office.sales)
    assert manager.get(f"{TRANSCRIPTS}?{query}").status_code == 400


def test_the_list_of_transcripts_costs_the_same_for_many(
    office: Office, manager: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        talk = conversation(office.sales, agent=office.ada, name=f"Customer {number}")
        say(talk, "Hello")
    with django_assert_max_num_queries(20):
        page = body(manager, TRANSCRIPTS)
    assert "Customer 39" in page


def test_an_unknown_id_is_not_found(office: Office, manager: Client) -> None:
    answers = [
        manager.get(f"{TRANSCRIPTS}{wanted}/change/").status_code
        for wanted in (uuid.uuid4(), "1", "x")
    ]
    assert answers == [302, 302, 302]


# The story


def test_the_story_is_one_page(
    office: Office, manager: Client, django_assert_max_num_queries: Any
) -> None:
    talk = conversation(office.sales, rating=5, rating_comment="Quick!")
    for number in range(30):
        attach(say(talk, f"Question {number}"), f"photo-{number}.png")
        say(talk, f"Answer {number}", office.ada)
    say(talk, "Only for us", office.ada, kind="note")
    hold(talk, office.ada, because=CHOSEN)
    with django_assert_max_num_queries(15):
        page = body(manager, story_of(talk))
    for words in ("Question 29", "Answer 29", "photo-29.png", "Only for us"):
        assert words in page
    assert "Ada: 1 of 4, idle 3 min" in page
    assert "Quick!" in page


def test_a_field_named_items_is_a_field(office: Office, manager: Client) -> None:
    talk = conversation(office.sales)
    talk.customer.fields = {"items": "abc", "plan": "gold"}
    talk.customer.save()
    page = body(manager, story_of(talk))
    assert "items" in page
    assert "gold" in page


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([], []),
        (["x"], "x"),
        ("x", {"url": 3}),
        (3, {"url": None, "title": {}}),
        ({"a": {"b": [1]}}, {"url": ["https://x.example"]}),
    ],
)
def test_odd_facts_about_a_customer_are_shown(
    office: Office, manager: Client, fields: Any, place: Any
) -> None:
    talk = conversation(office.sales)
    talk.customer.fields = fields
    talk.customer.page = place
    talk.customer.save()
    body(manager, story_of(talk))
    body(manager, f"/admin/customers/customer/{talk.customer_id}/change/")


def canary_talk(office: Office) -> Conversation:
    talk = conversation(office.sales, name=CANARY, rating=1, rating_comment=CANARY)
    customer = talk.customer
    customer.email = f"{CANARY}@example.com"
    customer.page = {"url": f"javascript:{CANARY}", "title": CANARY, "referrer": CANARY}
    customer.user_agent = CANARY
    customer.locale = CANARY
    customer.fields = {CANARY: CANARY}
    customer.save()
    attach(say(talk, CANARY), f"{CANARY}.png")
    attach(say(talk, CANARY), f"{CANARY}.pdf", "application/pdf")
    say(
        talk,
        CANARY,
        kind="system",
        author="system",
        event=CANARY[:24],
        data={"name": 1},
    )
    hold(
        talk,
        office.ada,
        because=msgspec.structs.replace(CHOSEN, agent=CANARY, next=CANARY),
    )
    return talk


def test_a_customers_script_is_only_words_on_every_page(
    office: Office, manager: Client
) -> None:
    talk = canary_talk(office)
    for address in (
        TRANSCRIPTS,
        f"{TRANSCRIPTS}?q={CANARY}",
        story_of(talk),
        f"{TRANSCRIPTS}{talk.pk}/history/",
        "/admin/customers/customer/",
        f"/admin/customers/customer/{talk.customer_id}/change/",
    ):
        page = body(manager, address)
        assert "<script>alert" not in page, address
        assert 'href="javascript:' not in page, address


def test_a_customers_script_is_only_words_in_an_export(
    office: Office, manager: Client
) -> None:
    talk = canary_talk(office)
    for form in ("csv", "json", "txt"):
        answer = manager.get(export_of(talk, form))
        assert answer["Content-Disposition"].startswith("attachment;")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert not answer["Content-Type"].startswith("text/html")


def test_a_page_is_linked_when_it_is_on_the_web(
    office: Office, manager: Client
) -> None:
    talk = conversation(office.sales)
    talk.customer.page = {"url": "https://shop.example/cart?a=1&b=2", "title": "Cart"}
    talk.customer.save()
    assert (
        '<a href="https://shop.example/cart?a=1&amp;b=2" target="_blank" '
        'rel="noopener noreferrer nofollow">Cart</a>'
    ) in body(manager, story_of(talk))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil",
        "file:///etc",
        " https:x",
        "",
    ],
)
def test_a_page_is_not_linked_otherwise(
    office: Office, manager: Client, url: str
) -> None:
    talk = conversation(office.sales)
    talk.customer.page = {"url": url, "title": "Cart"}
    talk.customer.save()
    page = body(manager, story_of(talk))
    assert "Cart" in page
    assert "nofollow" not in page


def test_a_story_is_not_kept_by_caches(office: Office, manager: Client) -> None:
    talk = conversation(office.sales)
    for address in (story_of(talk), export_of(talk)):
        assert "no-store" in manager.get(address)["Cache-Control"]


# Exports


@pytest.mark.parametrize("form", ["csv", "json", "txt"])
def test_one_transcript_is_exported(office: Office, manager: Client, form: str) -> None:
    talk = conversation(office.sales)
    say(talk, "Where is my order?")
    answer = manager.get(export_of(talk, form))
    assert "Where is my order?" in answer.content.decode()
    assert f"transcript-{talk.pk}.{form}" in answer["Content-Disposition"]


def test_an_unknown_form_is_not_found(office: Office, manager: Client) -> None:
    talk = conversation(office.sales)
    assert manager.get(export_of(talk, "exe")).status_code == 404


@pytest.mark.parametrize("action", ["export_csv", "export_json", "export_text"])
def test_many_transcripts_are_exported(
    office: Office, manager: Client, action: str
) -> None:
    talks = [conversation(office.sales) for _ in range(3)]
    for number, talk in enumerate(talks):
        say(talk, f"Question {number}")
    answer = manager.post(
        TRANSCRIPTS, {"action": action, "_selected_action": [t.pk for t in talks]}
    )
    text = answer.content.decode()
    assert all(f"Question {number}" in text for number in range(3))


def test_too_many_transcripts_are_refused_kindly(
    office: Office, manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpdesk.admin.transcripts.EXPORT_LIMIT", 1)
    talks = [conversation(office.sales) for _ in range(2)]
    answer = manager.post(
        TRANSCRIPTS,
        {"action": "export_csv", "_selected_action": [t.pk for t in talks]},
        follow=True,
    )
    assert "Choose fewer" in answer.content.decode()


def test_an_agents_membership_alone_opens_no_door(office: Office) -> None:
    """A supervisor of a queue who is not staff is not let into the admin."""
    QueueMembership.objects.filter(agent=office.ada).update(role="supervisor")
    assert signed_in(office.ada.user).get(TRANSCRIPTS, follow=True).status_code == 403


def test_nobody_is_signed_in_after_losing_staff_status(office: Office) -> None:
    user = staff("mona", "Manager", office.acme)
    client = signed_in(user)
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert client.get(TRANSCRIPTS, follow=True).status_code == 403


def test_messages_have_no_page_of_their_own(root: Client) -> None:
    assert Message._meta.app_label == "helpdesk"
    assert root.get("/admin/helpdesk/message/").status_code == 404


# What supervisors did


def test_a_manager_reads_what_supervisors_of_the_own_site_did(
    office: Office, manager: Client
) -> None:
    pairing.audit(office.ada, "watch", conversation(office.sales))
    pairing.audit(office.olaf, "join", conversation(office.billing))
    pairing.audit(office.olaf, "status.set")
    page = body(manager, AUDIT)
    assert "watch" in page
    assert "join" not in page
    assert "status.set" not in page
    assert "Olaf" not in page


def test_nobody_changes_what_was_written_down(office: Office, root: Client) -> None:
    pairing.audit(office.ada, "watch", conversation(office.sales))
    entry = AuditEntry.objects.get()
    for address in (f"{AUDIT}{entry.pk}/change/", f"{AUDIT}{entry.pk}/delete/"):
        assert root.post(address, {"act": "x", "post": "yes"}).status_code == 403
    assert AuditEntry.objects.get().act == "watch"
