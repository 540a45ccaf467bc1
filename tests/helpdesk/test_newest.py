"""What the table that answers pings learns from the database, where events failed."""

from __future__ import annotations

from uuid import uuid4

from django.db.models import F

from helpdesk.models import Conversation
from helpdesk.newest import Mark, mark_of, read_marks
from tests.helpdesk.hall import Hall, fresh


def known(*conversations: Conversation) -> dict[str, Mark]:
    return {str(each.pk): mark_of(fresh(each)) for each in conversations}


def test_what_is_as_known_is_not_read_again(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing)
    talks = [hall.talks(ada), hall.talks(ada)]
    assert read_marks(known(*talks), [str(ada.pk)], []) == []


def test_what_is_further_is_read_as_it_is_now(hall: Hall) -> None:
    ada = hall.agent("Ada", hall.billing)
    spoken, noted, changed, same = [hall.talks(ada) for _ in range(4)]
    before = known(spoken, noted, changed, same)
    for what, counter in ((spoken, "seq"), (noted, "notes"), (changed, "version")):
        row = Conversation.objects.filter(pk=what.pk)
        row.update(**{counter: F(counter) + 1})
    found = {mark.conversation: mark for mark in read_marks(before, [], [])}
    assert found == known(spoken, noted, changed)


def test_an_assignment_that_nobody_told_of_is_found_by_its_agent(hall: Hall) -> None:
    shop = hall.billing
    ada, ben = hall.agent("Ada", shop), hall.agent("Ben", shop)
    unheard, ended, bens = hall.talks(ada), hall.talks(ada), hall.talks(ben)
    assert ended != bens
    hall.ends(ada, ended)
    found = read_marks({}, [str(ada.pk), str(uuid4())], [])
    assert found == list(known(unheard).values())


def test_a_start_in_another_tab_that_nobody_told_of_is_found_by_its_customer(
    hall: Hall,
) -> None:
    cora, others = hall.waits("Cora", hall.billing), hall.waits("Ben", hall.billing)
    assert others != cora
    found = read_marks({}, [], [str(cora.customer_id), str(uuid4())])
    assert found == list(known(cora).values())
    assert read_marks(known(cora), [], [str(cora.customer_id)]) == []
    hall.leaves(cora)
    assert read_marks({}, [], [str(cora.customer_id)]) == []


def test_a_conversation_that_is_gone_is_no_news(hall: Hall) -> None:
    gone = Mark(str(uuid4()), 3, 3, 1, str(uuid4()), None, "active")
    assert read_marks({gone.conversation: gone}, [], []) == []
