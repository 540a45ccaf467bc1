"""Two words for whoever watches the process."""

from __future__ import annotations

import asyncio
import logging

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import database, hub

SECONDS = 5  # a part that takes longer is not ready

logger = logging.getLogger(__name__)


@never_cache
@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Says nothing of what stands behind it, so that a database
    that is away does not get every process restarted."""
    return word("ok")


@never_cache
@require_safe
async def readyz(request: HttpRequest) -> HttpResponse:
    """The database and the channel layer answer too."""
    for part, look in (
        ("database", look_at_database),
        ("channel layer", hub.look),
    ):
        try:
            await asyncio.wait_for(look(), SECONDS)
        except Exception as error:  # noqa: BLE001 (whatever the reason, it is away)
            logger.warning("not ready: %s: %r", part, error)
            return word("unready", status=503)
    return word("ready")


async def look_at_database() -> None:
    await database.reading(select_one)


def select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def word(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)
