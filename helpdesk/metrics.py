"""/metrics: what this process has counted, for Prometheus. docs/operations.md tells
what each number means; each process is asked for its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import desk, protocol, snapshots, writer
from .database import db_now, reading
from .models import Queue

log = logging.getLogger(__name__)

SECONDS = 5  # for the database to tell of the queues


@never_cache
@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """For who has the token. Without one in the settings there is no such page."""
    if not settings.HELPDESK_METRICS_TOKEN:
        raise Http404
    if not has_token(request):
        return HttpResponseForbidden("Send the token: Authorization: Bearer …\n")
    found = await look()
    accepted = request.headers.get("Accept", "")
    text, kind = await asyncio.to_thread(page, found, accepted)
    return HttpResponse(text, content_type=kind)


def has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # In a time that does not tell how much of a guess was right.
    right = compare_digest(
        token.strip().encode(), settings.HELPDESK_METRICS_TOKEN.encode()
    )
    return scheme.lower() == "bearer" and right


@dataclass(frozen=True)
class Found:
    """What is so now, beside what was counted."""

    sockets: Mapping[str, int]
    polls: int
    posts_waiting: int
    queues: list[tuple[str, protocol.StaffQueue]] | None  # with their sites' keys


async def look() -> Found:
    """On the event loop, to which the sockets belong."""
    here = desk.running()
    return Found(
        sockets=Counter(socket.role for socket in here.sockets) if here else {},
        polls=len(here.polls) if here else 0,
        posts_waiting=writer.waiting(),
        queues=await queues_now(),
    )


async def queues_now() -> list[tuple[str, protocol.StaffQueue]] | None:
    """None when the database does not tell: the other numbers count then all the
    more."""
    try:
        return await asyncio.wait_for(reading(all_queues), SECONDS)
    except Exception as error:  # noqa: BLE001 (whatever the reason, it is away)
        log.warning("metrics without queues: %r", error)
        return None


def all_queues() -> list[tuple[str, protocol.StaffQueue]]:
    site_of = dict(Queue.objects.values_list("pk", "site__key"))
    queues = snapshots.queues_for_staff(site_of, db_now())
    return [(site_of[int(queue.id)], queue) for queue in queues]


def page(found: Found, accepted: str) -> tuple[bytes, str]:
    """The text and its type."""
    # Its library takes a tenth of a second to import, and most desks are never asked.
    from .prometheus import exposition

    return exposition(found, accepted)
