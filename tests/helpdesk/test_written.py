"""A written query answers as the queryset would, however often and of whatever."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from helpdesk import database, snapshots
from helpdesk.models import Conversation, Queue
from helpdesk.written import Look, Written
from tests.helpdesk.hall import Hall


def test_rows_come_with_what_they_refer_to(
    hall: Hall, django_assert_num_queries: Any
) -> None:
    ask = Written(
        lambda pks: Conversation.objects.select_related(*snapshots.RELATED).filter(
            pk__in=pks
        )
    )
    hall.agent("Ada")
    talks = [hall.waits(name) for name in ("Cora", "Carl", "Cleo")]
    for known in (talks[:1], talks[1:2], talks, talks[::-1]):
        wanted = [each.pk for each in known]
        with django_assert_num_queries(1):
            rows = ask(wanted)
            told = {row.pk: (row.customer.name, row.queue.name) for row in rows}
        assert told == {each.pk: (each.customer.name, "Sales") for each in known}
        assert rows[0].agent is not None


def test_values_come_in_the_querysets_order(hall: Hall) -> None:
    ask = Written(
        lambda queue, state: (
            Conversation.objects.filter(queue=queue, state=state)
            .order_by("-waiting_since", "-pk")
            .values_list("pk", flat=True)
        )
    )
    first, second = hall.waits("Cora"), hall.waits("Carl")
    assert ask(hall.sales.pk, "waiting") == [second.pk, first.pk]
    assert ask(hall.sales.pk, "ended") == []
    assert ask(hall.billing.pk, "waiting") == []


def test_of_nothing_nothing_is_found_and_nothing_asked(
    hall: Hall, django_assert_num_queries: Any
) -> None:
    ask = Written(lambda pks: Conversation.objects.filter(pk__in=pks))
    with django_assert_num_queries(0):
        assert ask([]) == []
        assert ask(set()) == []
    assert ask({uuid.uuid4()}) == []


def test_a_row_that_changed_is_read_anew(hall: Hall) -> None:
    ask = Written(lambda pk: Queue.objects.filter(pk=pk))
    (before,) = ask(hall.sales.pk)
    Queue.objects.filter(pk=hall.sales.pk).update(name="Shop floor")
    (after,) = ask(hall.sales.pk)
    assert (before.name, after.name) == ("Sales", "Shop floor")


def test_what_is_given_is_never_words_of_the_query(hall: Hall) -> None:
    ask = Written(lambda name: Queue.objects.filter(name=name))
    for name in ("Sales", "' OR 1 = 1 --", "%s", "Sales%"):
        assert [row.name for row in ask(name)] == [name] * (name == "Sales")


@pytest.mark.parametrize("seconds", [0, 59, 61, 3600])
def test_a_look_moves_with_the_time(hall: Hall, seconds: int) -> None:
    def old(now: dt.datetime) -> list[Any]:
        since = now - dt.timedelta(seconds=60)
        return [
            Queue.objects.filter(name="None such"),
            Conversation.objects.filter(waiting_since__lte=since),
        ]

    look = Look(old)
    assert not look.finds(database.db_now())
    since = hall.waits().waiting_since
    assert look.finds(since + dt.timedelta(seconds=seconds)) == (seconds >= 60)


def test_a_look_at_nothing_finds_nothing(hall: Hall) -> None:
    look = Look(lambda now: [Conversation.objects.none()])
    assert not look.finds(database.db_now())


@pytest.mark.parametrize("many", [0, 1, 3])
def test_among_finds_as_in_does(hall: Hall, many: int) -> None:
    talks = [hall.waits(name) for name in ("Cora", "Carl", "Cleo")]
    wanted = [each.pk for each in talks[:many]]
    for ids in (wanted, [*wanted, uuid.uuid4()], [str(each) for each in wanted]):
        found = Conversation.objects.filter(pk__among=ids)
        assert {each.pk for each in found} == set(wanted)
    by_customer = Conversation.objects.filter(
        customer_id__among=[each.customer_id for each in talks[:many]], state="waiting"
    )
    assert by_customer.count() == many
    named = Queue.objects.filter(name__among=["Sales", "' OR 1 = 1 --"])
    assert [queue.pk for queue in named] == [hall.sales.pk]


def test_among_takes_more_than_a_query_has_room_for(hall: Hall) -> None:
    strangers = [uuid.uuid4() for _ in range(40_000)]
    talk = hall.waits()
    found = Conversation.objects.filter(pk__among=[*strangers, talk.pk])
    assert [each.pk for each in found] == [talk.pk]
