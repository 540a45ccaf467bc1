"""Sessions of people who sign in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.sessions.backends import db
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import sync_and_async_middleware

KEY = re.compile(r"[a-z0-9]{8,40}")  # as Django makes them


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie may hold a U+0000, for which PostgreSQL raises.
        return key is not None and bool(KEY.fullmatch(key))


@sync_and_async_middleware
def private(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """What was made for the owner of a session is nobody else's: not the next one's at
    the same machine, who presses Back, nor a proxy's."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponse:
            awaited: Awaitable[HttpResponse] = get_response(request)
            return kept_private(request, await awaited)

        return answer
    return lambda request: kept_private(request, get_response(request))


def kept_private(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if request.session.accessed and "Cache-Control" not in response:
        add_never_cache_headers(response)
    return response
