"""A follow-up mail's link is opened: the conversation goes on, on this device."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest, HttpResponse
from msgspec import Struct

from helpdesk import followups, limits, protocol
from helpdesk.database import reading
from helpdesk.errors import BadFrame

from . import identity
from .doors import door
from .models import Customer, Site


class Body(Struct, frozen=True):
    link: str


@door("POST")
async def resume(request: HttpRequest, site: Site) -> HttpResponse:
    """The link's signed words for a token. 401 for a forged or expired one, and for
    another site's."""
    limits.resumes.take(request.META.get("REMOTE_ADDR"))
    try:
        body = msgspec.json.decode(request.body, type=Body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadFrame("link: is missing.") from None
    token = await reading(token_for, site, body.link)
    return HttpResponse(
        protocol.encode({"token": token}),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def token_for(site: Site, link: str) -> str:
    """Raises TokenInvalid."""
    opened = followups.read_link(link)
    if opened is None:
        raise identity.TokenInvalid
    customer = Customer.objects.filter(site=site, pk=opened.customer).first()
    if customer is None:
        raise identity.TokenInvalid
    proven = None
    if customer.external_id is not None:
        # The host vouched for the address that the link was sent to.
        proven = identity.Proven(customer.external_id, customer.name, customer.email)
    return identity.make_token(site, customer.pk, proven)
