"""What must hold of every history, one pure function each, which returns what does not
as sentences. Nothing here knows how the desk works, only what it has promised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from .history import (
    Acked,
    Claimed,
    Cleared,
    Ended,
    Failed,
    Failure,
    Heard,
    History,
    Leaked,
    Lease,
    Resumed,
    Row,
    Sent,
    Talk,
    Tried,
    Usage,
)

# Of two who came so close together, the one whose COMMIT was later may be served later.
TOGETHER_SECONDS = 2
BACKUP_SECONDS = 3  # that a backup takes, at most
GROWN = 1.3  # what a process may use more after a fault than before it
GROWN_BY = {"memory MiB": 25, "descriptors": 25, "connections": 30, "cores": 0.15}

Found = Iterator[str]


# --- messages


def acked_is_stored(history: History) -> Found:
    """I1."""
    rows = {(row.sender, row.id): row for row in history.rows}
    texts = {each.id: each.text for each in history.all(Sent)}
    for ack in history.all(Acked):
        row = rows.get((ack.sender, ack.id))
        if row is None and _undone(history, ack.at):
            continue
        if row is None:
            yield f"{ack.id} was acked and is not stored"
        elif (row.conversation, row.seq) != (ack.conversation, ack.seq):
            yield f"{ack.id} was acked as {ack.seq} and is stored as {row.seq}"
        elif row.text != texts.get(ack.id, row.text):
            yield f"{ack.id} is stored with another text"


def _undone(history: History, at: float) -> bool:
    """Whether it was after the backup that was restored later: gone, as announced."""
    backup, restored = history.marked("backup"), history.marked("restored")
    if backup is None or restored is None:
        return False
    return backup - BACKUP_SECONDS <= at <= restored


def stored_once(history: History) -> Found:
    """I2, and: what was shown as failed was not silently sent."""
    said = [row for row in history.rows if row.author in ("customer", "agent")]
    sent = {(each.sender, each.id) for each in history.all(Sent)}
    for key, times in Counter((row.sender, row.id) for row in said).items():
        if times > 1:
            yield f"{key[1]} is stored {times} times"
        if key not in sent:
            yield f"{key[1]} is stored and was never sent"
    for text, times in Counter(row.text for row in said).items():
        if times > 1:
            yield f"{text!r} is stored {times} times"
    stored = {(row.sender, row.id) for row in said}
    acked = {(each.sender, each.id) for each in history.all(Acked)}
    for failed in history.all(Failed):
        key = (failed.sender, failed.id)
        if key in stored - acked:
            yield f"{failed.id} was shown as failed ({failed.code}) and is stored"


def in_order(history: History) -> Found:
    """I3."""
    for conversation, rows in _by_conversation(history.rows).items():
        public = [row.seq for row in rows if row.kind != "note"]
        if public != list(range(1, len(public) + 1)):
            yield f"{conversation}: seq is {public}"
        places = [row.place for row in rows]
        if places != list(range(1, len(places) + 1)):
            yield f"{conversation}: places are {places}"
    yield from _senders_order(history)


def _senders_order(history: History) -> Found:
    """Of what one tab alone has sent into one conversation."""
    place = {row.id: row.place for row in history.rows}
    tabs: dict[str, set[str]] = defaultdict(set)
    lanes: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for sent in history.all(Sent):
        tabs[sent.id].add(sent.tab)
        if sent.conversation:
            lanes[sent.tab, sent.conversation].append(sent.id)
    for (tab, conversation), ids in lanes.items():
        own = [id for id in ids if len(tabs[id]) == 1 and id in place]
        places = [place[id] for id in own]
        if places != sorted(places):
            yield f"{tab} in {conversation}: what it sent in order stands at {places}"


def screens_agree(history: History) -> Found:
    """I4."""
    shown = screens(history)
    rows = _by_conversation(history.rows)
    for page in history.pages:
        for conversation in _entitled(page.role, page.person, history.talks):
            expected = {
                (row.seq if page.role == "customer" else row.place): row.id
                for row in rows.get(conversation, ())
                if page.role == "agent" or row.kind != "note"
            }
            found = shown.get((page.tab, conversation), {})
            if found != expected:
                yield (
                    f"{page.tab} shows {_differs(found, expected)} of {conversation}, "
                    f"which has {len(expected)}"
                )


def _differs(found: dict[int, str], expected: dict[int, str]) -> str:
    lacks = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    other = sorted(k for k in found.keys() & expected.keys() if found[k] != expected[k])
    return f"{len(found)} (lacks {lacks}, has besides {extra}, otherwise {other})"


def _entitled(role: str, person: str, talks: Iterable[Talk]) -> list[str]:
    """What a page shows at the end: a customer's newest, an agent's held ones."""
    if role == "agent":
        return [t.id for t in talks if t.agent == person and t.state == "active"]
    own = [talk for talk in talks if talk.customer == person]
    newest = max(own, key=lambda t: (t.state != "ended", t.created_at), default=None)
    return [newest.id] if newest else []


def screens(history: History) -> dict[tuple[str, str], dict[int, str]]:
    """What each tab shows of each conversation at the end. A client drops what it
    holds already, by place alone."""
    shown: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for event in history.events:
        if isinstance(event, Heard):
            shown[event.tab, event.conversation].setdefault(event.place, event.id)
        elif isinstance(event, Cleared):
            shown.pop((event.tab, event.conversation), None)
    return dict(shown)


def never_backwards(history: History) -> Found:
    """I5."""
    shown: dict[tuple[str, str, int], str] = {}
    restored = history.marked("restored")
    for event in history.events:
        if isinstance(event, Heard):
            key = (event.tab, event.conversation, event.place)
            if shown.setdefault(key, event.id) != event.id:
                yield f"{event.tab}: place {event.place} came again as another message"
        elif isinstance(event, Resumed):
            yield from _continues(event)
        elif isinstance(event, Cleared):
            if event.instead == event.conversation and restored is None:
                yield f"{event.tab}: its screen was cleared"
            shown = {key: id for key, id in shown.items() if key[0] != event.tab}


def _continues(resumed: Resumed) -> Found:
    first = resumed.after + 1
    if resumed.brought != list(range(first, first + len(resumed.brought))):
        yield f"{resumed.tab} held {resumed.after} and was brought {resumed.brought}"
    elif first + len(resumed.brought) <= resumed.newest:
        yield (
            f"{resumed.tab} held {resumed.after} of {resumed.newest} and was brought "
            f"{resumed.brought}, as if that were all"
        )


def readable_at_once(history: History) -> Found:
    """I6."""
    for ack in history.all(Acked):
        if ack.stored is False:
            yield f"{ack.id} was acked before anybody could read it"


def answered(history: History) -> Found:
    """The promise: nothing is shown as sending for ever."""
    done = {each.id for each in history.all(Acked)}
    done |= {each.id for each in history.all(Failed)}
    for id in {each.id: None for each in history.all(Sent)}:
        if id not in done:
            yield f"{id} is still shown as sending"


# --- who holds what


def one_owner(history: History) -> Found:
    """A1."""
    holds = defaultdict(list)
    for lease in history.leases:
        if lease.kind == "hold":
            holds[lease.conversation].append(lease)
    for conversation, leases in holds.items():
        leases.sort(key=lambda each: (each.began, each.id))
        for one, next_ in zip(leases, leases[1:], strict=False):
            if one.ended is None or one.ended > next_.began:
                yield f"{conversation} is held by {one.agent} and {next_.agent}"
    held = {(each.conversation, each.agent) for each in history.leases}
    for claim in history.all(Claimed):
        if _undone(history, claim.at):
            continue
        if not claim.code and (claim.conversation, claim.agent) not in held:
            yield f"{claim.agent} was told to have {claim.conversation} and never had"
        if claim.code == "already_taken" and not claim.detail:
            yield f"{claim.agent} was not told by whom {claim.conversation} was taken"


def within_capacity(history: History) -> Found:
    """A2."""
    for given in history.given:
        if given.load > given.capacity:
            yield f"{given.agent} had {given.load} of {given.capacity} leases"


def nobody_forgotten(history: History) -> Found:
    """A3, and: nobody is punished for an outage. (Nobody in the workload goes away.)"""
    meant = {each.conversation for each in history.all(Ended)}
    for talk in history.talks:
        if talk.state == "active" and talk.agent not in history.live:
            yield f"{talk.id} is held by {talk.agent}, who is not there"
        if talk.state == "waiting" and not (talk.in_line or talk.left):
            yield f"{talk.id} waits in no line"
        if talk.waiting_since != talk.created_at:
            yield f"{talk.id} has lost the time it had waited"
        if talk.state == "ended" and talk.id not in meant:
            yield f"{talk.id} was ended ({talk.outcome}) by nobody"


def first_come(history: History) -> Found:
    """A4, of those whom the desk hands out: when each was first given to anybody."""
    first: dict[str, Lease] = {}
    for lease in sorted(history.leases, key=lambda each: (each.began, each.id)):
        first.setdefault(lease.conversation, lease)
    lines = defaultdict(list)
    for talk in history.talks:
        if talk.automatic and not talk.left:
            lines[talk.queue, talk.priority].append(talk)
    for line in lines.values():
        line.sort(key=lambda each: each.waiting_since)
        for ahead, talk in zip(line, line[1:], strict=False):
            if _overtook(ahead, talk, first):
                yield f"{talk.id} was given out before {ahead.id}"


def _overtook(ahead: Talk, talk: Talk, first: dict[str, Lease]) -> bool:
    mine, theirs = first.get(talk.id), first.get(ahead.id)
    if mine is None or mine.rule != "chosen" or ahead.state == "ended":
        return False
    apart = talk.waiting_since - ahead.waiting_since > TOGETHER_SECONDS
    return apart and (theirs is None or theirs.began > mine.began)


def only_to_the_present(history: History) -> Found:
    """A5."""
    chosen = {lease.id for lease in history.leases if lease.rule == "chosen"}
    for given in history.given:
        if given.lease in chosen and not given.connected:
            yield f"lease {given.lease} was given to {given.agent}, who was not there"


# --- strangers and traces


def nothing_leaks(history: History) -> Found:
    """S1."""
    for leak in history.all(Leaked):
        yield f"{leak.tab} was told {leak.word!r}"


def only_with_credentials(history: History) -> Found:
    """S2."""
    for tried in history.all(Tried):
        if tried.succeeded:
            yield f"without a credential: {tried.what}"


def leaves_no_trace(history: History) -> Found:
    """M1."""
    before = {u.what: u.amount for u in history.all(Usage) if u.when == "before"}
    after = {u.what: u.amount for u in history.all(Usage) if u.when == "after"}
    for what, amount in after.items():
        spare = next(v for name, v in GROWN_BY.items() if what.endswith(name))
        if what in before and amount > before[what] * GROWN + spare:
            yield f"{what}: {before[what]:.3g} before, {amount:.3g} after"


def nothing_else(history: History) -> Found:
    """What the fault itself has seen go wrong."""
    for failure in history.all(Failure):
        yield failure.what


INVARIANTS: dict[str, Callable[[History], Found]] = {
    "I1": acked_is_stored,
    "I2": stored_once,
    "I3": in_order,
    "I4": screens_agree,
    "I5": never_backwards,
    "I6": readable_at_once,
    "P": answered,
    "A1": one_owner,
    "A2": within_capacity,
    "A3": nobody_forgotten,
    "A4": first_come,
    "A5": only_to_the_present,
    "S1": nothing_leaks,
    "S2": only_with_credentials,
    "M1": leaves_no_trace,
    "F": nothing_else,
}


def check(history: History) -> dict[str, list[str]]:
    """What does not hold, by invariant."""
    found = {name: list(judge(history)) for name, judge in INVARIANTS.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def recovery_seconds(history: History) -> float | None:
    """How long after the healing the last message that had been sent before it was
    shown as sent, and on each of its customer's tabs. None when there was none."""
    healed = history.marked("healed")
    if healed is None:
        return None
    early = {each.id for each in history.all(Sent) if each.at <= healed}
    seen: dict[tuple[str, str], float] = {}
    customers = {page.tab for page in history.pages if page.role == "customer"}
    for event in history.events:
        if isinstance(event, Acked) and event.id in early:
            seen.setdefault(("", event.id), event.at)
        elif isinstance(event, Heard) and event.id in early and event.tab in customers:
            seen.setdefault((event.tab, event.id), event.at)
    late = [at - healed for at in seen.values() if at > healed]
    return max(late, default=0.0)


def _by_conversation(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in sorted(rows, key=lambda each: (each.conversation, each.place)):
        found[row.conversation].append(row)
    return dict(found)
