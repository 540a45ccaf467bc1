"""Where a customer's files come in."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest, HttpResponse

from helpdesk import limits, protocol, uploads

from .doors import bearer, door
from .models import Site
from .welcome import recognise


@door("POST")
async def upload(request: HttpRequest, site: Site) -> HttpResponse:
    """201 with the Attachment. A token is enough: the customer may add a file before
    their first conversation, when there is no row of theirs yet."""
    visitor = await recognise(site, protocol.CustomerHello(), bearer(request))
    # Tokens are to be had for nothing, so the address counts too.
    limits.uploads.take(visitor.customer_id)
    limits.address_uploads.take(request.META.get("REMOTE_ADDR"))
    file = await asyncio.to_thread(uploads.sent_file, request)
    attachment = await uploads.receive(
        file, uploader=visitor.customer_id, site_id=site.pk
    )
    frame = uploads.attachment_frame(attachment, f"customer.{visitor.customer_id}")
    return HttpResponse(
        protocol.encode(frame),
        status=201,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
