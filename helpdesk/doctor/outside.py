"""The public address, as a stranger's browser comes to it."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings

from helpdesk import mirror

from . import mends
from .findings import Finding, ill, poor, well
from .web import SECONDS, Refused, Reply, Unreachable, WebSocket, ask

# A server says something on every socket each 20 s, and a poll waits as long.
SILENCE_SECONDS = 25
FORM_BYTES = 4 * 1024  # what a form puts around its file
FORWARDED = "X-Forwarded-For"
STRANGER = "192.0.2.1"  # nobody's address (RFC 5737)
STYLESHEET = re.compile(r'href="(/static/[^"]+\.css)"')
GATEWAYS = (502, 503, 504)


@dataclass(frozen=True)
class Visit:
    """Where to go, as whom, and for how long."""

    public: SplitResult
    site: str | None  # the key of one, whose chat can be opened
    silence: float = SILENCE_SECONDS

    @property
    def origin(self) -> str:
        return f"{self.public.scheme}://{self.public.netloc}"

    @property
    def poll(self) -> str:
        return f"/widget/{self.site}/poll/"


Examination = Callable[[Visit], Iterator[Finding]]


def examine_outside(
    public_url: str, site: str | None, silence: float = SILENCE_SECONDS
) -> Iterator[Finding]:
    """Stops at what makes all the rest fail."""
    visit = Visit(urlsplit(public_url), site, silence)
    if trouble := reach(visit):
        yield trouble
        return
    yield well("public address", public_url)
    for examine in (forwarding, redirects, pages, uploads):
        yield from found(examine, visit)
    if site is None:
        why = "There is no site yet, so that no chat can be opened."
        yield poor("chat", why, "make a site in the admin, and ask again")
        return
    yield from found(chat, visit)
    with ThreadPoolExecutor(2) as both:  # each keeps silent for a while
        for findings in both.map(lambda examine: found(examine, visit), (live, poll)):
            yield from findings


def found(examine: Examination, visit: Visit) -> list[Finding]:
    try:
        return list(examine(visit))
    except Unreachable as error:
        return [unreachable(examine.__name__, error)]


def unreachable(what: str, error: Unreachable) -> Finding:
    match error.reason:
        case ssl.SSLCertVerificationError() as wrong:
            why = f"Its certificate is not valid: {wrong.verify_message}"
            return ill(what, why, *mends.CERTIFICATE)
        case socket.gaierror():
            why = "Its name is not known."
            return ill(
                what, why, "the domain's DNS: an A or AAAA record; or PUBLIC_URL"
            )
        case ConnectionRefusedError():
            return ill(what, "Nobody listens there.", *mends.LISTENING)
    return ill(what, f"No answer ({error}).", *mends.LISTENING, *mends.UPSTREAM)


# --- is it there, and is it ours


def reach(visit: Visit) -> Finding | None:
    what = "public address"
    try:
        reply = ask(visit.public, "/healthz")
    except Unreachable as error:
        return unreachable(what, error)
    if reply.status in GATEWAYS:
        why = f"A proxy answers {reply.status}: it does not reach the server."
        return ill(what, why, *mends.UPSTREAM)
    if reply.status in (301, 302, 307, 308):
        where = reply.header("Location")
        why = f"It sends its visitors elsewhere, to {where}"
        return ill(what, why, "PUBLIC_URL: the address at which visitors end")
    if reply.status != 200 or reply.text.strip() != "ok":
        why = f"Somebody else answers there (status {reply.status})."
        return ill(what, why, *mends.LISTENING)
    return None


# --- what proxies say about the visitor


def forwarding(visit: Visit) -> Iterator[Finding]:
    what = "forwarded headers"
    reply = ask(visit.public, "/mirror", None, with_ticket() | {FORWARDED: STRANGER})
    if reply.status == 400:
        why = "The server does not know the host by which the proxy asks."
        yield ill("Host", why, *mends.HOST, "PUBLIC_URL: the host that visitors type")
        return
    if reply.status != 200:
        why = "The server there has another secret than this command."
        yield ill(what, why, "SECRET_KEY: the same here and for every server process")
        return
    seen = json.loads(reply.text)
    trouble = [*scheme(visit, seen), *host(visit, seen), *hops(seen)]
    yield from trouble or [well(what, f"you come as {seen['client']}")]


def with_ticket() -> dict[str, str]:
    return {"Authorization": f"Bearer {mirror.ticket()}"}


def scheme(visit: Visit, seen: dict[str, object]) -> Iterator[Finding]:
    if seen["scheme"] == visit.public.scheme:
        return
    why = f"The server takes a {visit.public.scheme} request for {seen['scheme']}"
    if seen["forwarded_proto"] and not settings.HELPDESK_PROXIES:
        why += ", since it believes no proxy."
        yield ill("X-Forwarded-Proto", why, "PROXIES=1")
    else:
        yield ill("X-Forwarded-Proto", f"{why}.", *mends.FORWARDED_PROTO)


def host(visit: Visit, seen: dict[str, object]) -> Iterator[Finding]:
    if seen["host"] != visit.public.netloc:
        why = f"The server is asked for {seen['host']}, not {visit.public.netloc}."
        yield ill("Host", why, *mends.HOST)


def hops(seen: dict[str, object]) -> Iterator[Finding]:
    """Whether PROXIES fits what they add. We claimed to be a stranger."""
    told = seen["forwarded_for"]
    entries = list(told) if isinstance(told, list) else []
    added = entries[1:] if entries[:1] == [STRANGER] else entries
    believed = settings.HELPDESK_PROXIES
    if len(added) == believed:
        return
    if not added and believed:
        why = "The proxy does not tell who comes: all visitors share one address."
        yield ill("X-Forwarded-For", why, *mends.FORWARDED_FOR)
    elif seen["client"] == STRANGER:
        why = "Everybody may claim any address and escape every limit."
        yield ill("PROXIES", why, f"PROXIES={len(added)}")
    else:
        why = (
            f"{len(added)} stand in front, and PROXIES is {believed}: "
            "all visitors share a proxy's address, and its limits."
        )
        yield ill("PROXIES", why, f"PROXIES={len(added)}")


# --- where one is sent


def redirects(visit: Visit) -> Iterator[Finding]:
    reply = ask(visit.public, "/agents/")
    where = urljoin(visit.origin, reply.header("Location"))
    if reply.status != 302 or not where.startswith(f"{visit.origin}/accounts/"):
        why = f"/agents/ leads to {where or 'nowhere'} ({reply.status})."
        yield ill("redirects", why, *mends.REDIRECTS)
    else:
        yield well("redirects")
    if visit.public.scheme == "https" and visit.public.port is None:
        yield from unencrypted(visit)


def unencrypted(visit: Visit) -> Iterator[Finding]:
    """Who types the bare name comes by http first."""
    plain = visit.public._replace(scheme="http")
    try:
        reply = ask(plain, "/healthz", seconds=5)
    except Unreachable:
        return
    if not reply.header("Location").startswith("https:"):
        why = f"{plain.geturl()} is answered unencrypted ({reply.status})."
        yield poor("http", why, *mends.TO_HTTPS)


# --- pages and files


def pages(visit: Visit) -> Iterator[Finding]:
    reply = ask(visit.public, "/accounts/login/")
    if reply.status != 200:
        yield ill("page", f"/accounts/login/ answers {reply.status}.", *mends.UPSTREAM)
        return
    trouble = [*headers(visit, reply), *stylesheet(visit, reply), *script(visit)]
    yield from trouble or [well("pages and static files")]


def headers(visit: Visit, reply: Reply) -> Iterator[Finding]:
    policies = reply.headers.get_all("Content-Security-Policy") or []
    if len(policies) != 1:
        why = f"{len(policies)} Content-Security-Policy headers arrive, not one."
        yield ill("page headers", why, *mends.HEADERS)
    if "Age" in reply.headers or "no-" not in reply.header("Cache-Control"):
        why = "The log-in page comes from a cache, or may be put into one."
        yield ill("page headers", why, *mends.CACHED)
    cookies = reply.headers.get_all("Set-Cookie") or []
    bare = [each for each in cookies if "secure" not in each.lower()]
    if visit.public.scheme == "https" and bare:
        why = "A cookie may travel unencrypted."
        yield ill("page headers", why, *mends.HEADERS, "PUBLIC_URL with https")


def stylesheet(visit: Visit, reply: Reply) -> Iterator[Finding]:
    paths = STYLESHEET.findall(reply.text)
    if not paths:
        yield ill("static files", "The log-in page names none.", *mends.STATIC)
        return
    sheet = ask(visit.public, paths[0])
    if sheet.status != 200 or not sheet.header("Content-Type").startswith("text/css"):
        kind = sheet.header("Content-Type") or "nothing"
        why = f"{paths[0]} answers {sheet.status} with {kind}."
        yield ill("static files", why, *mends.STATIC)


def script(visit: Visit) -> Iterator[Finding]:
    loader = ask(visit.public, "/widget.js")
    if loader.status != 200 or "javascript" not in loader.header("Content-Type"):
        why = f"/widget.js answers {loader.status}."
        yield ill("widget.js", why, *mends.UPSTREAM)


def chat(visit: Visit) -> Iterator[Finding]:
    """The page that stands in a frame of the site's own pages."""
    reply = ask(visit.public, f"/widget/{visit.site}/")
    policies = reply.headers.get_all("Content-Security-Policy") or []
    if reply.status != 200:
        why = f"/widget/{visit.site}/ answers {reply.status}."
        yield ill("chat page", why, *mends.UPSTREAM)
    elif "X-Frame-Options" in reply.headers:
        why = (
            "X-Frame-Options keeps browsers from showing the chat in the site's pages."
        )
        yield ill("chat page", why, *mends.HEADERS)
    elif len(policies) != 1 or "frame-ancestors" not in policies[0]:
        why = f"{len(policies)} Content-Security-Policy headers arrive, not its own."
        yield ill("chat page", why, *mends.HEADERS)
    else:
        yield well("chat page")


# --- large bodies


def uploads(visit: Visit) -> Iterator[Finding]:
    """A body as large as the largest file, which the mirror reads and forgets."""
    size = settings.HELPDESK_UPLOAD_BYTES + FORM_BYTES
    what = f"uploads of {settings.HELPDESK_UPLOAD_BYTES // 1024**2} MiB"
    headers = with_ticket() | {"Content-Type": "application/octet-stream"}
    try:
        reply = ask(visit.public, "/mirror", bytes(size), headers, seconds=60)
    except Unreachable as error:
        why = f"The connection breaks while a file is sent ({error})."
        yield ill(what, why, *mends.BODY, *mends.WHOLE_BODY)
        return
    if reply.status == 413:
        yield ill(what, "The proxy takes no body of that size (413).", *mends.BODY)
        return
    try:
        arrived = int(json.loads(reply.text)["bytes"])
    except (ValueError, KeyError, TypeError):
        why = f"They are answered with {reply.status}."
        yield ill(what, why, *mends.BODY, *mends.WHOLE_BODY)
        return
    if arrived != size:
        why = f"Of {size:,} bytes {arrived:,} arrive."
        yield ill(what, why, *mends.WHOLE_BODY)
    else:
        yield well(what)


# --- the conversation itself


def live(visit: Visit) -> Iterator[Finding]:
    what = "WebSocket"
    try:
        chat = WebSocket(visit.public, f"/ws/customer/{visit.site}/", visit.origin)
    except Refused as refused:
        yield not_upgraded(what, refused)
        return
    except Unreachable as error:
        why = f"The handshake is not answered ({error})."
        yield ill(what, why, *mends.UPGRADE, *mends.UNBUFFERED)
        return
    try:
        yield from welcomed(what, chat) or silent(what, chat, visit.silence)
    finally:
        chat.close()


def not_upgraded(what: str, refused: Refused) -> Finding:
    if refused.status == 403:
        why = "The server takes this page for a stranger's (403)."
        return ill(what, why, *mends.ORIGIN, "the site's key, if it was just removed")
    if refused.status in GATEWAYS:
        why = f"The proxy fails at it ({refused.status})."
        return ill(what, why, *mends.UPGRADE, *mends.UPSTREAM)
    why = f"The wish to upgrade does not reach the server ({refused.status})."
    return ill(what, why, *mends.UPGRADE)


def welcomed(what: str, chat: WebSocket) -> list[Finding]:
    """What keeps it from being welcomed."""
    try:
        chat.say(json.dumps({"type": "hello"}))
        welcome = json.loads(chat.hear(SECONDS))
    except TimeoutError:
        why = "It is open, but no frame comes through."
        return [ill(what, why, *mends.UNBUFFERED, *mends.UPGRADE)]
    except (OSError, ValueError) as error:
        why = f"It ends before the welcome ({error})."
        return [ill(what, why, *mends.UPGRADE)]
    if welcome.get("type") != "welcome":
        return [ill(what, f"It is answered with {welcome.get('type')}.")]
    return []


def silent(what: str, chat: WebSocket, seconds: float) -> Iterator[Finding]:
    """A customer who reads what the agent wrote says nothing for a while."""
    began = time.monotonic()
    try:
        while (left := began + seconds - time.monotonic()) > 0:
            chat.hear(left)
    except TimeoutError:
        pass
    except OSError as error:
        lasted = time.monotonic() - began
        why = f"It ends after {lasted:.0f} s in which nobody says anything ({error})."
        yield ill(what, why, *mends.SILENCE)
        return
    yield well(what, f"welcomed, and open after {seconds:.0f} s of silence")


def poll(visit: Visit) -> Iterator[Finding]:
    """Where WebSockets are blocked. An answer waits until there is something to say."""
    what = "long poll"
    headers = {"Origin": visit.origin, "Content-Type": "application/json"}
    try:
        first = ask(visit.public, visit.poll, b'{"hello":{}}', headers)
        token = json.loads(first.text)["token"]
    except (Unreachable, ValueError, KeyError, TypeError) as error:
        yield ill(what, f"It is not answered ({error!r})."[:200], *mends.UPSTREAM)
        return
    body = json.dumps({"token": token, "wait": min(visit.silence, SILENCE_SECONDS)})
    began = time.monotonic()
    try:
        patience = visit.silence + SECONDS
        reply = ask(visit.public, visit.poll, body.encode(), headers, seconds=patience)
    except Unreachable as error:
        lasted = time.monotonic() - began
        why = f"It is cut off after {lasted:.0f} s of waiting ({error})."
        yield ill(what, why, *mends.SILENCE)
        return
    if reply.status != 200:
        lasted = time.monotonic() - began
        why = f"After {lasted:.0f} s of waiting it is answered with {reply.status}."
        yield ill(what, why, *mends.SILENCE)
    else:
        yield well(what, f"answered after {visit.silence:.0f} s of waiting")
