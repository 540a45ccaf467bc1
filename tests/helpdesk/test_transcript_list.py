"""The list of transcripts: what it costs, how it counts, and its periods."""

from __future__ import annotations

import datetime as dt
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from customers.models import Customer
from helpdesk.admin import pages
from helpdesk.admin.pages import Pages
from helpdesk.admin.period import Period, usual
from helpdesk.models import Conversation, Transcript
from tests.back_office import NOON, Office, agent, conversation, say

pytestmark = pytest.mark.django_db

LIST = "/admin/helpdesk/transcript/"
DAY = dt.timedelta(days=1)


def many(office: Office, count: int, **facts: Any) -> None:
    """They are of different customers, and some minutes apart."""
    customers = Customer.objects.bulk_create(
        Customer(site=office.acme, name=f"Customer {number}") for number in range(count)
    )
    Conversation.objects.bulk_create(
        Conversation(
            site=office.acme,
            queue=office.sales,
            customer=customer,
            agent=office.ada,
            created_at=NOON - dt.timedelta(minutes=number),
            waiting_since=NOON,
            ended_at=NOON,
            **({"state": "ended", "outcome": "resolved"} | facts),
        )
        for number, customer in enumerate(customers)
    )


def body(client: Client, query: str = "") -> str:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200, (query, answer.status_code)
    return unescape(answer.content.decode())


def asked(client: Client, query: str = "") -> list[str]:
    with CaptureQueriesContext(connection) as context:
        body(client, query)
    return [each["sql"] for each in context.captured_queries]


# What it costs


@pytest.mark.parametrize(
    "query", ["", "p=2", "outcome__exact=resolved", f"since={NOON.date()}"]
)
def test_the_list_asks_as_much_for_many_as_for_few(
    office: Office, manager: Client, query: str
) -> None:
    many(office, 60)
    few = asked(manager, query)
    many(office, 200)
    assert len(asked(manager, query)) == len(few)


def test_more_colleagues_cost_no_more_either(office: Office, manager: Client) -> None:
    conversation(office.sales)
    few = asked(manager)
    for number in range(5):
        agent(f"colleague{number}", office.sales)
    assert len(asked(manager)) == len(few)


def test_nothing_looks_for_the_days_there_are(office: Office, manager: Client) -> None:
    many(office, 60)
    for sql in asked(manager):
        assert "MIN(" not in sql
        assert "DISTINCT" not in sql


def test_what_nobody_has_is_looked_for_once(office: Office, manager: Client) -> None:
    many(office, 60)
    looks = [
        sql
        for sql in asked(manager, "outcome__exact=expired")
        if 'FROM "helpdesk_conversation"' in sql
    ]
    assert len(looks) == 1


def test_what_is_skipped_is_not_read(office: Office, manager: Client) -> None:
    """The opening words of a thousand rows that are not on the page, say."""
    many(office, 120)
    for sql in asked(manager, "p=2"):
        assert not ("OFFSET" in sql and "helpdesk_message" in sql)


def test_a_deep_page_shows_its_opening_words(office: Office, manager: Client) -> None:
    many(office, 60)
    oldest = conversation(office.sales, name="Olga", created_at=NOON - 40 * DAY)
    say(oldest, "It began here")
    assert "It began here" in body(manager, "p=2")
    assert "It began here" not in body(manager)


# How it counts


@pytest.fixture
def two_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "AHEAD", 2)


def pages_at(number: int) -> Pages:
    return Pages(Transcript.objects.order_by("-created_at"), 2, number)


def test_few_are_counted(office: Office, two_ahead: None) -> None:
    many(office, 4)
    assert (pages_at(1).count, pages_at(1).more) == (4, False)


def test_of_many_it_says_that_there_are_more(office: Office, two_ahead: None) -> None:
    many(office, 9)
    assert (pages_at(1).count, pages_at(1).more) == (4, True)


def test_whoever_turns_pages_comes_to_the_last_one(
    office: Office, two_ahead: None
) -> None:
    many(office, 9)
    seen, number = [], 1
    while number:
        here = pages_at(number)
        page = here.page(number)
        seen += [row.pk for row in page]
        number = number + 1 if page.has_next() else 0
    assert len(set(seen)) == len(seen) == 9
    assert (here.count, here.more) == (9, False)


def test_a_number_that_is_not_the_whole_is_never_shown_as_such(
    office: Office, manager: Client, two_ahead: None
) -> None:
    many(office, 120)
    page = body(manager)
    assert "more than 100 transcripts" in page
    assert "100 results" not in page
    assert "Select all 100" not in page
    assert "All 100 selected" not in page


def test_from_too_many_that_were_found_a_link_leads_back(
    office: Office, manager: Client, two_ahead: None
) -> None:
    many(office, 120)
    page = body(manager, "q=customer")
    assert "more than 100 transcripts" in page
    assert '(<a href="?">Show all</a>)' in page


def test_a_whole_number_is_shown(
    office: Office, manager: Client, two_ahead: None
) -> None:
    many(office, 70)
    page = body(manager)
    assert "70 transcripts" in page
    assert "more than" not in page
    assert "Select all 70 transcripts" in page


def test_whoever_asks_for_counts_is_told_all(
    office: Office, manager: Client, two_ahead: None
) -> None:
    many(office, 120)
    page = body(manager, "_facets=True")
    assert "120 transcripts" in page
    assert "Resolved (120)" in page
    assert "Any date (120)" in page


@pytest.mark.parametrize("number", ["0", "-1", "9", "1" + "0" * 30, "1" + "0" * 5000])
def test_there_is_no_such_page(office: Office, manager: Client, number: str) -> None:
    many(office, 60)
    answer = manager.get(f"{LIST}?p={number}", follow=True)
    assert answer.status_code == 200


# From one day to another


def test_the_usual_periods() -> None:
    told = {str(name): period for name, period in usual(dt.date(2026, 1, 31))}
    day = dt.date
    assert told == {
        "Any date": Period(),
        "Today": Period(day(2026, 1, 31), day(2026, 1, 31)),
        "Last 7 days": Period(day(2026, 1, 25), day(2026, 1, 31)),
        "This month": Period(day(2026, 1, 1), day(2026, 1, 31)),
        "Last month": Period(day(2025, 12, 1), day(2025, 12, 31)),
        "This year": Period(day(2026, 1, 1), day(2026, 12, 31)),
    }


@pytest.fixture
def four_days(office: Office) -> None:
    for number in range(4):
        began = dt.datetime(2026, 5, 4 + number, 0, tzinfo=dt.UTC)
        conversation(office.sales, name=f"Early {number}", created_at=began)
        late = began + DAY - dt.timedelta(microseconds=1)
        conversation(office.sales, name=f"Late {number}", created_at=late)
    conversation(office.billing, name="Olga Other", created_at=NOON)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("since=2026-05-05&until=2026-05-06", [1, 2]),
        ("since=2026-05-05&until=2026-05-05", [1]),
        ("since=2026-05-06", [2, 3]),
        ("since=&until=2026-05-04", [0]),
        ("since=2026-05-06&until=2026-05-05", []),
        ("", [0, 1, 2, 3]),
    ],
)
def test_both_days_belong_to_a_period(
    manager: Client, four_days: None, query: str, days: list[int]
) -> None:
    page = body(manager, query)
    for number in range(4):
        assert (f"Early {number}" in page) is (number in days)
        assert (f"Late {number}" in page) is (number in days)
    assert "Olga Other" not in page


def test_today_is_one_click(office: Office, manager: Client) -> None:
    today = localdate()
    start = dt.datetime.combine(today, dt.time(), tzinfo=dt.UTC)
    conversation(office.sales, name="Tom Today", created_at=start)
    conversation(
        office.sales, name="Yves Yesterday", created_at=start - dt.timedelta(seconds=1)
    )
    address = f"since={today}&until={today}"
    assert f'href="?{address}"' in body(manager)
    page = body(manager, address)
    assert "Tom Today" in page
    assert "Yves Yesterday" not in page


def test_a_period_is_of_those_who_are_filtered(office: Office, manager: Client) -> None:
    """The form carries along what else was chosen."""
    page = body(manager, "rating=5&q=cora&p=1&until=2026-05-04")
    assert '<input type="hidden" name="rating" value="5">' in page
    assert '<input type="hidden" name="q" value="cora">' in page
    form = page[page.index('<form class="period"') :]
    form = form[: form.index("</form>")]
    assert form.count('type="hidden"') == 2
    assert 'name="until" value="2026-05-04"' in form


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-02-30",
        "until=9999-12-31",
        "since=%00",
        "since=2026-05-04T12:00",
    ],
)
def test_what_is_no_day_is_left_out(
    office: Office, manager: Client, query: str
) -> None:
    conversation(office.sales)
    answer = manager.get(f"{LIST}?{query}")
    assert answer.status_code == 302
    assert answer["Location"] == f"{LIST}?e=1"


def test_the_first_day_of_all_is_a_day(office: Office, manager: Client) -> None:
    conversation(office.sales, name="Cora Lee")
    assert "Cora Lee" in body(manager, "since=0001-01-01")


def test_an_address_of_former_days_still_answers(
    manager: Client, four_days: None
) -> None:
    kept = "created_at__year=2026&created_at__month=5&created_at__day=5"
    page = body(manager, kept)
    assert "Early 1" in page
    assert "Early 2" not in page
