"""The writer's rules, tried by the hundred: no database, only what a batch decides."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.errors import (
    AttachmentUnknown,
    ConversationUnknown,
    Ended,
    Forbidden,
    NotStarted,
    NotYours,
    Refused,
)
from helpdesk.writer.plan import (
    Answer,
    Answered,
    File,
    Found,
    Later,
    Post,
    Said,
    Standing,
    Stored,
    Upload,
    into_newest,
    plan,
)

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
CORA, CARL, CLEO = (UUID(int=0xC0 + n) for n in range(3))
ADA, BEN = (UUID(int=0xA0 + n) for n in range(2))
HERS, HIS, HERS_ENDED, WAITING = (UUID(int=0x10 + n) for n in range(4))
NOWHERE = UUID(int=0x66)
PHOTO, BENS_FILE = (UUID(int=0xF0 + n) for n in range(2))


def standing(
    id: UUID, customer: UUID, agent: UUID | None, state: str, **counts: int
) -> Standing:
    counts = {"version": 1, "seq": 0, "notes": 0} | counts
    return Standing(
        id=id, customer=customer, agent=agent, queue_id=1, state=state, **counts
    )


def upload(id: UUID, uploader: UUID, *, used: bool = False) -> Upload:
    return Upload(File(id, "a.png", "image/png", 7, 1, 1, None), uploader, used)


def found(**changes: Any) -> Found:
    standings = [
        standing(HERS, CORA, ADA, "active", seq=5, notes=2),
        standing(HIS, CARL, BEN, "active"),
        standing(HERS_ENDED, CORA, ADA, "ended", seq=9),
        standing(WAITING, CLEO, None, "waiting", seq=1),
    ]
    usual: dict[str, Any] = {
        "standings": {each.id: each for each in standings},
        "elsewhere": (),
        "known": {},
        "uploads": {},
        "now": NOW,
    }
    return Found(**usual | changes)


def customers(sender: UUID, conversation: UUID | None, **changes: Any) -> Post:
    return Post(
        **{
            "sender": sender,
            "author": "customer",
            "conversation": conversation,
            "client_id": "c-0000001",
            "text": "Hello?",
        }
        | changes
    )


def agents(sender: UUID, conversation: UUID, **changes: Any) -> Post:
    return customers(
        sender, conversation, **{"author": "agent", "client_id": "a-0000001"} | changes
    )


def decide(*posts: Post, **changes: Any) -> list[Answer]:
    return plan(posts, found(**changes)).answers


def stored(answer: Answer) -> Stored:
    assert isinstance(answer, Stored)
    return answer


# --- counting


def test_a_message_takes_the_next_seq_and_place() -> None:
    answer = stored(*decide(customers(CORA, HERS)))
    assert (answer.seq, answer.notes, answer.place) == (6, 2, 8)


def test_a_note_takes_a_place_but_no_seq() -> None:
    answer = stored(*decide(agents(ADA, HERS, note=True)))
    assert (answer.seq, answer.notes, answer.place) == (5, 3, 8)


def test_posts_of_one_batch_count_on() -> None:
    answers = decide(
        customers(CORA, HERS),
        agents(ADA, HERS, note=True),
        agents(ADA, HERS, client_id="a-0000002"),
    )
    assert [stored(answer).seq for answer in answers] == [6, 6, 7]


def test_an_answer_says_who_is_to_hear_of_it() -> None:
    answer = stored(*decide(customers(CORA, HERS)))
    assert (answer.customer, answer.agent, answer.at) == (CORA, ADA, NOW)


def test_nobody_holds_a_conversation_that_has_ended() -> None:
    said = Said(3, 0, NOW, found().standings[HERS_ENDED])
    known = {(ADA, "a-0000001"): said}
    assert stored(*decide(agents(ADA, HERS_ENDED), known=known)).agent is None


# --- who may


@pytest.mark.parametrize(
    ("post", "refusal"),
    [
        pytest.param(customers(CARL, HERS), Forbidden, id="another's conversation"),
        pytest.param(customers(CORA, NOWHERE), Forbidden, id="no such conversation"),
        pytest.param(customers(CORA, HERS, note=True), Forbidden, id="a note by her"),
        pytest.param(customers(CORA, HERS_ENDED), Ended, id="her ended one"),
        pytest.param(customers(CORA, None), NotStarted, id="none was started"),
        pytest.param(agents(BEN, HERS), NotYours, id="a colleague's"),
        pytest.param(agents(BEN, HERS, note=True), NotYours, id="a colleague's, note"),
        pytest.param(agents(ADA, WAITING), NotYours, id="one that waits"),
        pytest.param(agents(ADA, NOWHERE), ConversationUnknown, id="unknown to staff"),
        pytest.param(agents(ADA, HERS_ENDED), Ended, id="one she held"),
        pytest.param(agents(BEN, HERS_ENDED), NotYours, id="one a colleague held"),
    ],
)
def test_who_may_not_speak(post: Post, refusal: type[Refused]) -> None:
    decided = plan([post], found())
    assert type(decided.answers[0]) is refusal
    assert not decided.rows
    assert not decided.counters


@pytest.mark.parametrize(
    "post",
    [
        pytest.param(customers(CORA, HERS), id="she herself"),
        pytest.param(customers(CLEO, WAITING), id="she while she waits"),
        pytest.param(agents(ADA, HERS), id="the holder"),
        pytest.param(agents(ADA, HERS, note=True), id="the holder, aside"),
    ],
)
def test_who_may_speak(post: Post) -> None:
    assert not stored(*decide(post)).repeated


def test_anothers_conversation_looks_like_none() -> None:
    foreign, unknown = decide(customers(CARL, HERS), customers(CARL, NOWHERE))
    assert isinstance(foreign, Refused)
    assert isinstance(unknown, Refused)
    assert (foreign.code, foreign.detail) == (unknown.code, unknown.detail)


def test_a_customer_need_not_say_where() -> None:
    post = into_newest(customers(CORA, None), {CORA: HERS})
    assert post.conversation == HERS


def test_an_agent_has_to_say_where() -> None:
    post = Post(ADA, "agent", None, "a-0000001", "Hello?")
    assert into_newest(post, {ADA: HERS}).conversation is None


# --- repeating


def test_a_repeated_id_is_answered_as_the_first_time() -> None:
    earlier = Said(3, 1, NOW - dt.timedelta(hours=1), found().standings[HERS])
    (answer,) = decide(customers(CORA, HERS), known={(CORA, "c-0000001"): earlier})
    again = stored(answer)
    assert (again.seq, again.notes, again.at) == (3, 1, earlier.at)
    assert again.repeated


@pytest.mark.parametrize(
    "post",
    [
        pytest.param(customers(CORA, HERS_ENDED), id="after the end"),
        pytest.param(customers(CORA, NOWHERE), id="into nowhere"),
        pytest.param(customers(CORA, None), id="without saying where"),
        pytest.param(customers(CORA, HERS, text="Bye"), id="saying something else"),
        pytest.param(customers(CORA, HERS, attachments=(PHOTO,)), id="with a file"),
    ],
)
def test_a_repeated_id_passes_every_other_check(post: Post) -> None:
    known = {(CORA, "c-0000001"): Said(3, 1, NOW, found().standings[HERS])}
    decided = plan([post], found(known=known))
    assert stored(*decided.answers).repeated
    assert not decided.rows


def test_a_repeated_id_does_not_wait_for_a_lock() -> None:
    known = {(CORA, "c-0000001"): Said(3, 1, NOW, found().standings[HERS])}
    (answer,) = decide(customers(CORA, HERS), known=known, elsewhere={HERS})
    assert stored(answer).repeated


def test_the_id_of_another_command_gets_that_commands_ack() -> None:
    first = Answered({"type": "ack", "id": "c-0000001"})
    assert decide(customers(CORA, HERS), known={(CORA, "c-0000001"): first}) == [first]


def test_the_same_id_twice_in_one_batch_is_stored_once() -> None:
    post = customers(CORA, HERS)
    decided = plan([post, post], found())
    first, second = map(stored, decided.answers)
    assert (first.repeated, second.repeated) == (False, True)
    assert first.seq == second.seq
    assert len(decided.rows) == 1


def test_two_senders_may_use_one_id() -> None:
    posts = customers(CORA, HERS), agents(ADA, HERS, client_id="c-0000001")
    assert [stored(answer).seq for answer in decide(*posts)] == [6, 7]


def test_a_refusal_is_not_remembered() -> None:
    refused, answer = decide(customers(CORA, HERS_ENDED), customers(CORA, HERS))
    assert isinstance(refused, Ended)
    assert not stored(answer).repeated


# --- locked elsewhere


def test_a_conversation_that_is_locked_elsewhere_waits() -> None:
    decided = plan([customers(CORA, HERS)], found(standings={}, elsewhere={HERS}))
    assert decided.answers == [Later()]
    assert not decided.rows


def test_other_conversations_do_not_wait_for_it() -> None:
    standings = {HIS: found().standings[HIS]}
    posts = customers(CORA, HERS), customers(CARL, HIS)
    answers = decide(*posts, standings=standings, elsewhere={HERS})
    assert isinstance(answers[0], Later)
    assert stored(answers[1]).seq == 1


# --- files


def test_a_message_carries_its_senders_file() -> None:
    uploads = {PHOTO: upload(PHOTO, CORA)}
    decided = plan(
        [customers(CORA, HERS, attachments=(PHOTO,))], found(uploads=uploads)
    )
    assert stored(*decided.answers).attachments == (uploads[PHOTO].file,)
    assert decided.rows[0].attachments == (PHOTO,)


@pytest.mark.parametrize(
    ("files", "uploads"),
    [
        pytest.param((PHOTO,), {}, id="there is none"),
        pytest.param((PHOTO,), {PHOTO: upload(PHOTO, CARL)}, id="another's"),
        pytest.param(
            (PHOTO,), {PHOTO: upload(PHOTO, CORA, used=True)}, id="sent before"
        ),
        pytest.param((PHOTO, PHOTO), {PHOTO: upload(PHOTO, CORA)}, id="twice"),
        pytest.param((PHOTO, BENS_FILE), {PHOTO: upload(PHOTO, CORA)}, id="one of two"),
    ],
)
def test_a_file_that_is_not_the_senders_to_send(
    files: tuple[UUID, ...], uploads: dict[UUID, Upload]
) -> None:
    post = customers(CORA, HERS, attachments=files)
    decided = plan([post], found(uploads=uploads))
    assert isinstance(decided.answers[0], AttachmentUnknown)
    assert not decided.rows


def test_one_file_goes_with_one_message() -> None:
    first = customers(CORA, HERS, attachments=(PHOTO,))
    second = customers(CORA, HERS, attachments=(PHOTO,), client_id="c-0000002")
    answers = decide(first, second, uploads={PHOTO: upload(PHOTO, CORA)})
    assert isinstance(answers[0], Stored)
    assert isinstance(answers[1], AttachmentUnknown)


# --- whatever is posted, in whatever batches


class Shelf:
    """What a database would hold, kept in lists."""

    def __init__(self, standings: list[Standing]) -> None:
        self.standings = {each.id: each for each in standings}
        self.said: list[tuple[Post, Stored]] = []  # each once, in the order of storing
        self.used: set[UUID] = set()

    def commit(self, posts: list[Post], elsewhere: set[UUID], at: int) -> list[Answer]:
        decided = plan(posts, self.look(elsewhere, at))
        for post, answer in zip(posts, decided.answers, strict=True):
            if isinstance(answer, Stored) and not answer.repeated:
                self.said.append((post, answer))
                self.used.update(post.attachments)
        for new in decided.counters:
            old = self.standings[new.id]
            self.standings[new.id] = standing(
                old.id, old.customer, old.agent, old.state, seq=new.seq, notes=new.notes
            )
        return decided.answers

    def look(self, elsewhere: set[UUID], at: int) -> Found:
        free = {id: it for id, it in self.standings.items() if id not in elsewhere}
        return Found(
            standings=free,
            elsewhere=elsewhere,
            known={
                post.key: Said(it.seq, it.notes, it.at, self.standings[it.conversation])
                for post, it in self.said
            },
            uploads={
                id: upload(id, owner, used=id in self.used)
                for id, owner in ((PHOTO, CORA), (BENS_FILE, BEN))
            },
            now=NOW + dt.timedelta(seconds=at),
        )


people = st.sampled_from(
    [(CORA, "customer"), (CARL, "customer"), (ADA, "agent"), (BEN, "agent")]
)
places = st.sampled_from([HERS, HIS, HERS_ENDED, WAITING, NOWHERE])


@st.composite
def posts(draw: st.DrawFn) -> Post:
    sender, author = draw(people)
    return Post(
        sender,
        author,
        draw(places),
        f"id-{draw(st.integers(0, 9)):06}",
        draw(st.sampled_from(["yes", "no"])),
        draw(st.booleans()),
        tuple(draw(st.lists(st.sampled_from([PHOTO, BENS_FILE]), max_size=2))),
    )


batches = st.lists(
    st.tuples(st.lists(posts(), max_size=8), st.sets(places, max_size=1)), max_size=8
)
open_desks = st.just(
    [
        standing(HERS, CORA, ADA, "active"),
        standing(HIS, CARL, BEN, "active"),
        standing(HERS_ENDED, CORA, ADA, "ended"),
        standing(WAITING, CLEO, None, "waiting"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(open_desks, batches)
def test_whatever_is_posted_the_story_has_no_hole_and_no_double(
    standings: list[Standing], work: list[tuple[list[Post], set[UUID]]]
) -> None:
    shelf = Shelf(standings)
    for at, (batch, elsewhere) in enumerate(work):
        answers = shelf.commit(batch, elsewhere - {NOWHERE}, at)
        assert len(answers) == len(batch)
        check_answers(batch, answers, shelf)
    check_numbers(shelf)
    check_doubles(shelf)


def check_answers(batch: list[Post], answers: list[Answer], shelf: Shelf) -> None:
    """Everybody hears of what was stored under their own id, the first time."""
    first = {post.key: it for post, it in shelf.said}
    for post, answer in zip(batch, answers, strict=True):
        if isinstance(answer, Stored):
            it = first[post.key]
            assert (answer.conversation, answer.seq, answer.notes, answer.at) == (
                it.conversation,
                it.seq,
                it.notes,
                it.at,
            )


def check_numbers(shelf: Shelf) -> None:
    for id, now in shelf.standings.items():
        story = [(post, it) for post, it in shelf.said if it.conversation == id]
        public = [it for post, it in story if not post.note]
        assert [it.seq for it in public] == list(range(1, now.seq + 1))
        assert [it.place for _, it in story] == list(range(1, now.seq + now.notes + 1))
        for post, it in story:
            before = [one for one in public if one.place <= it.place]
            assert it.seq == len(before), "a note counts the messages before it"
            assert it.place == it.seq + it.notes
            assert post.sender in (now.customer, now.agent)


def check_doubles(shelf: Shelf) -> None:
    keys = Counter(post.key for post, _ in shelf.said)
    assert all(count == 1 for count in keys.values())
    files = Counter(id for post, _ in shelf.said for id in post.attachments)
    assert all(count == 1 for count in files.values())
