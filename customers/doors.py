"""What every public door of a site without a socket has in common: which site it
is, and who may stand before it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from helpdesk.errors import Forbidden, Refused
from helpdesk.origins import may_enter, own_origin_of
from helpdesk.refusals import as_response
from helpdesk.together import together
from helpdesk.written import Written

from .identity import TokenInvalid
from .models import Site

SITE_KEY = re.compile(r"[a-z0-9-]{1,40}")
PREFLIGHT_SECONDS = 600  # how long a browser may remember our answer to its question

Answer = Coroutine[Any, Any, HttpResponse]
View = Callable[[HttpRequest, Site], Answer]
Door = Callable[..., Answer]  # of a request and a site's key


class SiteUnknown(Refused):
    code = "site_unknown"
    detail = "There is no such site."
    status = 404


class MethodUnknown(Refused):
    code = "method_unknown"
    detail = "This address does not take that method."
    status = 405


def door(method: str, *, origin_needed: bool = True) -> Callable[[View], Door]:
    """Make an asynchronous view of a site: `view(request, site)` is called when the
    site exists, the method fits and the Origin may enter; what it raises as Refused
    is answered. Preflights and CORS headers are seen to. No cookie counts here (who
    somebody is, a token says), so there is nothing to forge across sites.

    `origin_needed=False` lets in who does not say where they come from, as browsers
    do not when a page reads from its own server.
    """

    def decorated(view: View) -> Door:
        @csrf_exempt
        @functools.wraps(view)
        async def answer(request: HttpRequest, key: str) -> HttpResponse:
            try:
                site = await site_of(key)
            except Refused as refused:
                return as_response(refused)
            try:
                check_origin(request, site, needed=origin_needed)
                if request.method == "OPTIONS":
                    response = preflight(method)
                elif request.method == method:
                    response = await view(request, site)
                else:
                    raise MethodUnknown
            except Refused as refused:
                response = as_response(refused)
            return with_cors(response, request, site)

        return answer

    return decorated


async def site_of(key: str) -> Site:
    if not SITE_KEY.fullmatch(key):  # an address may hold what a database cannot
        raise SiteUnknown
    site: Site = await together(_sites_of, key)
    return site


def _sites_of(keys: Sequence[str]) -> list[Site | SiteUnknown]:
    found = {site.key: site for site in _by_key(keys)}
    return [found.get(key) or SiteUnknown() for key in keys]


_by_key = Written(lambda keys: Site.objects.filter(key__in=keys))


def check_origin(request: HttpRequest, site: Site, *, needed: bool = True) -> None:
    """Raises Forbidden for a page that may not use this site's doors."""
    origin = request.headers.get("Origin")
    if origin is None and not needed:
        return
    if not may_enter(origin, site, own_origin_of(request)):
        raise Forbidden("Pages of this origin may not use this site's chat.")


def bearer(request: HttpRequest) -> str:
    """The token, which comes in a header and never in an address."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    return token.strip()


def with_cors(response: HttpResponse, request: HttpRequest, site: Site) -> HttpResponse:
    """Let pages of this server and of the site read the answer, and no others."""
    origin = request.headers.get("Origin")
    if origin and may_enter(origin, site, own_origin_of(request)):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
    patch_vary_headers(response, ["Origin"])
    return response


def preflight(method: str) -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Access-Control-Allow-Methods": method,
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        },
    )
