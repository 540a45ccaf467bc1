"""The pages that customers' browsers fetch: the loader, the chat's frame, the demo."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import parse_etags
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from helpdesk.origins import own_origin_of
from helpdesk.words import best, words

from .doors import SiteUnknown, door, site_of
from .look import readable
from .models import Site

LOADER_SECONDS = 600  # a host page learns of a new loader within ten minutes


@require_safe
async def loader(request: HttpRequest) -> HttpResponse:
    """/widget.js, the one script of a host page. The same for every site, so that
    anybody may keep a copy; nothing in it is worth stealing."""
    script, etag = loader_script()
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["ETag"] = etag
    response["Cache-Control"] = f"public, max-age={LOADER_SECONDS}"
    # Pages that isolate themselves (COEP) load only what allows it.
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def loader_script() -> tuple[bytes, str]:
    path = Path(str(find("packed/loader.js")))
    return _loader_script(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _loader_script(path: Path, _changed: int) -> tuple[bytes, str]:
    script = path.read_bytes()
    return script, f'"{hashlib.sha256(script).hexdigest()[:24]}"'


@require_safe
@xframe_options_exempt
async def chat(request: HttpRequest, key: str) -> HttpResponse:
    """The chat itself, framed by the site's pages and by no others."""
    try:
        site = await site_of(key)
    except SiteUnknown:
        raise Http404 from None
    language = language_for(request, site)
    words_of = words("customers", language)
    own = own_origin_of(request) or ""
    origins = list(dict.fromkeys([own, *site.allowed_origins.split()]))
    context = {
        "site": site,
        "place": reverse("chat", args=[key]),
        "origins": " ".join(origins),
        "words": words_of,
        "day": readable(site.accent, night=False),
        "night": readable(site.accent, night=True),
        "sources": settings.DEBUG and "sources" in request.GET,
        "dir": "rtl" if translation.get_language_info(language)["bidi"] else "ltr",
    }
    response = render(request, "customers/chat.html", context)
    response["Content-Language"] = words_of["locale"]
    response["Cache-Control"] = "no-cache"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response._csp_update = {  # type: ignore[attr-defined]
        "connect-src": ["'self'", *socket_origins(request)]
    }
    response._csp_replace = {  # type: ignore[attr-defined]
        "frame-ancestors": ["'self'", *origins]
    }
    return response


@require_safe
async def resume(request: HttpRequest, key: str) -> HttpResponse:
    """Where a follow-up mail's link leads; what it says never reaches this view."""
    try:
        site = await site_of(key)
    except SiteUnknown:
        raise Http404 from None
    language = language_for(request, site)
    bidi = translation.get_language_info(language)["bidi"]
    context = {"site": site, "dir": "rtl" if bidi else "ltr", "LANGUAGE_CODE": language}
    with translation.override(language):
        response = render(request, "customers/resume.html", context)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def socket_origins(request: HttpRequest) -> list[str]:
    """Older Safari does not count sockets among 'self'."""
    return [f"ws{'s' if request.is_secure() else ''}://{request.get_host()}"]


def language_for(request: HttpRequest, site: Site) -> str:
    """The host page's language, else the browser's, else the site's."""
    accepted = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    browser = [language for language, _ in accepted]
    return best(request.GET.get("locale"), *browser, site.locale)


@door("GET", origin_needed=False)
async def status(request: HttpRequest, site: Site) -> HttpResponse:
    """Tells a client whose handshakes fail whether it may come in at all."""
    return HttpResponse(
        "ok", content_type="text/plain", headers={"Cache-Control": "no-store"}
    )


@require_safe
async def demo(request: HttpRequest) -> HttpResponse:
    """A small shop whose pages embed the widget from this server's other name, so
    that browsers take the two for different sites."""
    if not settings.HELPDESK_DEMO:
        raise Http404
    desk = other_name(request)
    language = best(request.GET.get("lang"), getattr(request, "LANGUAGE_CODE", None))
    with translation.override(language):
        response = render(request, "customers/demo.html", {"desk": desk})
    response._csp_update = {  # type: ignore[attr-defined]
        "script-src": ["'self'", desk],
        "frame-src": [desk],
    }
    return response


def other_name(request: HttpRequest) -> str:
    host, _, port = request.get_host().partition(":")
    other = "127.0.0.1" if host == "localhost" else "localhost"
    return f"{request.scheme}://{other}{':' if port else ''}{port}"
