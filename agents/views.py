"""The dashboard's page, and what it fetches beside its socket."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from helpdesk import limits, protocol, uploads
from helpdesk.database import reading
from helpdesk.errors import Forbidden, Refused
from helpdesk.models import Queue
from helpdesk.refusals import as_response
from helpdesk.words import words

from .models import Agent, CannedReply


class NotSignedIn(Refused):
    code = "not_signed_in"
    detail = "Sign in first."
    status = 401


class NotAnAgent(Forbidden):
    detail = "Only agents may do this."


@never_cache
@ensure_csrf_cookie
@login_required
@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """The one screen. Signing in is not enough: somebody must have been made an
    agent, and is told so kindly otherwise."""
    agent = agent_of(request)
    if agent is None:
        return render(request, "agents/not_an_agent.html", status=403)
    context = {
        "agent": agent,
        "words": words("agents", get_language() or "en"),
        "sources": settings.DEBUG and "sources" in request.GET,
    }
    return render(request, "agents/dashboard.html", context)


@never_cache
@require_GET
def canned(request: HttpRequest) -> HttpResponse:
    """The replies that every queue offers, and those of the queues the agent staffs."""
    try:
        agent = calling(request)
    except Refused as refused:
        return as_response(refused)
    replies = (
        CannedReply.objects.filter(Q(queues=None) | Q(queues__agents=agent))
        .order_by("shortcut", "pk")
        .distinct()
        .prefetch_related(
            Prefetch("queues", Queue.objects.filter(agents=agent), to_attr="own_queues")
        )
    )
    return JsonResponse({"replies": [as_json(reply) for reply in replies]})


def as_json(reply: Any) -> dict[str, Any]:
    """`queues`: those of the agent's that offer it; none means all."""
    queues = [str(queue.pk) for queue in reply.own_queues]
    return {"shortcut": reply.shortcut, "text": reply.text, "queues": queues}


@require_POST
async def upload(request: HttpRequest) -> HttpResponse:
    """201 with the Attachment. The session says who, the CSRF header that it was this
    page which asked."""
    try:
        agent = await reading(calling, request)
        limits.uploads.take(agent.pk)
        file = await asyncio.to_thread(uploads.sent_file, request)
        stored = await uploads.receive(file, uploader=agent.pk, site_id=None)
    except Refused as refused:
        return as_response(refused)
    return HttpResponse(
        protocol.encode(uploads.attachment_frame(stored, uploads.STAFF)),
        status=201,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def agent_of(request: HttpRequest) -> Agent | None:
    if not request.user.is_authenticated:
        return None
    return Agent.objects.filter(user=request.user).first()


def calling(request: HttpRequest) -> Agent:
    """Whose program asks; it gets a status, not a redirect to a log-in page. Raises
    NotSignedIn, NotAnAgent."""
    if not request.user.is_authenticated:
        raise NotSignedIn
    agent = agent_of(request)
    if agent is None:
        raise NotAnAgent
    return agent
