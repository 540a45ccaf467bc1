"""Who says hello, and what they see first. After a cut all come back at once, so both
are found out for many together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from helpdesk import conversations, protocol, snapshots
from helpdesk.database import db_now, in_transaction
from helpdesk.errors import Blocked
from helpdesk.models import Conversation, Queue
from helpdesk.together import together
from helpdesk.written import Written

from . import identity
from .models import Customer, Site

# --- who is it


async def recognise(
    site: Site, hello: protocol.CustomerHello, token: str | None
) -> identity.Visitor:
    """Who says hello. Raises TokenInvalid, IdentityInvalid, Blocked."""
    known = identity.read_token(site, token) if token is not None else None
    if hello.identity:
        return await in_transaction(_prove, site, known, hello.identity)
    if known is None:
        return identity.Visitor(identity.new_customer_id())
    return await together(_recognise, (site, known))


def _prove(
    site: Site, known: identity.Token | None, proof: protocol.Identity
) -> identity.Visitor:
    visitor = identity.resolve(site, known, identity.prove(site, proof, db_now()))
    if _is_turned_away(visitor):
        raise Blocked
    return visitor


def _recognise(
    held: Sequence[tuple[Site, identity.Token]],
) -> list[identity.Visitor | Exception]:
    """Without a proof nothing is written."""
    visitors = identity.recognise(held)
    return [Blocked() if _is_turned_away(each) else each for each in visitors]


def _is_turned_away(visitor: identity.Visitor) -> bool:
    return visitor.customer is not None and is_blocked(visitor.customer)


def is_blocked(customer: Customer) -> bool:
    return customer.blocked_until is not None and customer.blocked_until > db_now()


# --- what they see


class Asked(NamedTuple):
    site: Site
    visitor: identity.Visitor
    hello: protocol.CustomerHello


class Shown(NamedTuple):
    """A customer's conversation and what they lack of it. `reset`: what the client
    holds is of no conversation of theirs, and this is a new beginning."""

    conversation: Conversation | None
    frame: protocol.Conversation | None
    messages: list[protocol.Message]
    more: bool
    reset: bool


class Offered(NamedTuple):
    """What a site shows to everybody."""

    queues: list[protocol.Queue]
    availability: str


async def welcome(
    site: Site, visitor: identity.Visitor, hello: protocol.CustomerHello
) -> tuple[protocol.CustomerWelcome, Conversation | None]:
    """What a customer sees first, and their conversation. Only reads."""
    asked = Asked(site, visitor, hello)
    offered, shown = await together(_read, asked)
    return _welcome(asked, offered, shown), shown.conversation


def _read(asked: Sequence[Asked]) -> list[tuple[Offered, Shown]]:
    offered = _offered({each.site.pk for each in asked})
    shown = _shown(asked)
    return [
        (offered[each.site.pk], own) for each, own in zip(asked, shown, strict=True)
    ]


def _offered(sites: Iterable[int]) -> dict[int, Offered]:
    queues = _queues(sites)
    opened = snapshots.open_queues(queues, db_now())
    offered = {}
    for site in sites:
        own = [queue for queue in queues if queue.site_id == site]
        frames = [protocol.Queue(str(q.pk), q.name, q.pk in opened) for q in own]
        availability = snapshots.availability([q.pk for q in own], opened)
        offered[site] = Offered(frames, availability)
    return offered


_queues = Written(lambda sites: Queue.objects.filter(site_id__in=sites))


def _shown(asked: Sequence[Asked]) -> list[Shown]:
    wrote = [each.visitor.customer_id for each in asked if each.visitor.customer]
    newest = conversations.newest_of(wrote)
    talks = [newest.get(each.visitor.customer_id) for each in asked]
    lines = snapshots.turns_of(newest.values())
    wanted = [
        (talk, _known(talk, each.hello))
        for talk, each in zip(talks, asked, strict=True)
        if talk
    ]
    pages = iter(snapshots.pages(wanted, staff=False))
    return [
        _lacks(talk, next(pages), lines, each.hello) if talk else _nothing(each.hello)
        for talk, each in zip(talks, asked, strict=True)
    ]


def _nothing(hello: protocol.CustomerHello) -> Shown:
    return Shown(None, None, [], False, bool(hello.after))


def _lacks(
    conversation: Conversation,
    page: snapshots.Page,
    lines: dict[UUID, snapshots.Turn],
    hello: protocol.CustomerHello,
) -> Shown:
    frame = snapshots.for_customer(
        conversation, lines.get(conversation.pk, snapshots.NO_TURN)
    )
    strange = hello.after is not None and not _is_of(conversation, hello)
    return Shown(conversation, frame, page.messages, page.more, page.reset or strange)


def _known(
    conversation: Conversation, hello: protocol.CustomerHello
) -> snapshots.Known | None:
    if hello.after is None or not _is_of(conversation, hello):
        return None
    return snapshots.Known(hello.after, hello.last)


def _is_of(conversation: Conversation, hello: protocol.CustomerHello) -> bool:
    return not hello.conversation or hello.conversation == str(conversation.pk)


def _welcome(asked: Asked, offered: Offered, shown: Shown) -> protocol.CustomerWelcome:
    site, visitor, hello = asked
    return protocol.CustomerWelcome(
        protocol=protocol.VERSION,
        token=identity.token_for(site, visitor),
        customer=protocol.Customer(
            id=str(visitor.customer_id),
            name=visitor.name,
            email=visitor.email,
            verified=visitor.verified,
        ),
        site=look(site, hello.locale),
        queues=offered.queues,
        availability=offered.availability,
        conversation=shown.frame,
        messages=shown.messages,
        more=shown.more,
        reset=shown.reset or None,
        heartbeat=protocol.HEARTBEAT_SECONDS,
        limits=snapshots.limits(conversations.text_limit("customer")),
    )


def look(site: Site, locale: str | None) -> protocol.Site:
    """The site as its widget shows it, greeting in the customer's language."""
    return protocol.Site(
        name=site.name,
        locale=site.locale,
        accent=site.accent,
        greeting=greeting(site, locale),
        consent=site.consent,
        ask_name=site.ask_name,
        ask_email=site.ask_email,
        typing_preview=site.typing_preview,
    )


def greeting(site: Site, locale: str | None) -> str:
    texts = site.greeting if isinstance(site.greeting, dict) else {}
    lowered = {str(key).lower(): str(text) for key, text in texts.items()}
    for wanted in _fallbacks(locale or site.locale, site.locale):
        if wanted in lowered:
            return lowered[wanted]
    return next(iter(lowered.values()), "")


def _fallbacks(locale: str, default: str) -> list[str]:
    """zh-CN is written as zh-hans is; en-GB falls back to en."""
    wanted = locale.lower().replace("_", "-")
    chinese = ["zh-hans"] if wanted.startswith("zh") else []
    return [wanted, *chinese, wanted.partition("-")[0], default.lower()]
