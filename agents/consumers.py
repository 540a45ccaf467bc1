"""The agent's socket: /ws/agent/."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.http import HttpRequest, parse_cookie
from django.utils import timezone

from helpdesk import clock, conversations, protocol
from helpdesk.consumers import (
    FORBIDDEN,
    NOT_SIGNED_IN,
    SOCKETS_PER_PERSON,
    Close,
    DeskConsumer,
)
from helpdesk.database import in_transaction, reading
from helpdesk.desk import FLICKER_SECONDS, Desk
from helpdesk.models import Conversation, QueueMembership
from helpdesk.origins import own_origin_of_scope
from helpdesk.written import Written

from . import voice
from .models import Agent


class AgentConsumer(DeskConsumer):
    role = "agent"
    hello = protocol.AgentHello
    voice: voice.AgentVoice
    credentials: tuple[Any, ...] = ()  # as they were at the last look

    @staticmethod
    def parse(text: str) -> protocol.Command:
        return protocol.parse_agent(text)

    async def admit(self) -> None:
        """Signed in, an agent, and from a page of this very server: another site's
        script must not use the session."""
        origins = [value for key, value in self.scope["headers"] if key == b"origin"]
        own = own_origin_of_scope(self.scope)
        if own is None or [own.encode()] != origins:
            raise Close(FORBIDDEN)
        self.session_key = session_key(self.scope["headers"])
        agent = await reading(agent_of, self.session_key)
        if agent is None:
            raise Close(FORBIDDEN)
        self.agent = agent

    async def greet(self, frame: protocol.AgentHello) -> bytes:
        agent = self.agent
        self.count(("agent", str(agent.pk)), SOCKETS_PER_PERSON)
        self.voice = voice.AgentVoice(agent, self)
        self.staffs = await reading(staffed_by, agent)
        queues = [queue for queue, _role in self.staffs]
        self.join(f"agent.{agent.pk}", *(f"queue.{queue}" for queue in queues))
        if await self.arrive(agent.pk):
            await in_transaction(moved, agent)
            self.desk.nudge(queues)
        welcome, marks = await reading(voice.welcome, agent, frame)
        for mark in marks:
            self.desk.newest.learn(mark)
        return protocol.encode(welcome)

    async def left(self, person: UUID) -> None:
        agent = self.agent
        if await self.desk.leave(person):
            await in_transaction(clock.agent_moved, person)
            self.desk.later(FLICKER_SECONDS, lambda: in_transaction(moved, agent))

    @classmethod
    async def revoked(cls, here: Desk) -> dict[Any, int]:
        """Signed out, deactivated, password changed, no agent any more."""
        return dict.fromkeys(await reading(revoked, cls.all_of(here)), NOT_SIGNED_IN)

    @classmethod
    async def outdated(cls, here: Desk) -> list[Any]:
        """Whose agent has come to a queue, left one, or has another role in it: what a
        supervisor watches is theirs for as long as the socket lives."""
        return await reading(outdated, cls.all_of(here))


def moved(agent: Agent) -> None:
    """The agent came or went: note since when, and tell colleagues."""
    clock.agent_moved(agent.pk)
    conversations.tell_agent(agent)


def session_key(headers: list[tuple[bytes, bytes]]) -> str:
    cookies = [value.decode("latin1") for name, value in headers if name == b"cookie"]
    return parse_cookie("; ".join(cookies)).get(settings.SESSION_COOKIE_NAME, "")


def revoked(sockets: list[AgentConsumer]) -> list[AgentConsumer]:
    """Which of them no longer belong to whom they did. Two queries for all whose
    credentials are word for word as at the last look, three more for each other."""
    found = credentials(sockets)
    changed = [s for s in sockets if s.credentials != found[s] or None in found[s]]
    for socket in changed:
        # Read before the check: what changes meanwhile differs at the next look.
        socket.credentials = found[socket]
    return [s for s in changed if agent_of(s.session_key) != s.agent]


def outdated(sockets: list[AgentConsumer]) -> list[AgentConsumer]:
    """Also who watches what has gone to a queue that they do not supervise. Who is no
    agent any more is for `revoked` to find."""
    agents = Agent.objects.filter(pk__among=[socket.agent.pk for socket in sockets])
    staffed: dict[UUID, set[tuple[int, str]]] = {}
    for agent_id, *standing in agents.values_list("pk", *STANDING):
        # An agent without a queue comes as one row of nothing.
        staffed.setdefault(agent_id, set()).update([tuple(standing)])
    strayed = _strayed(sockets)
    return [
        socket
        for socket in sockets
        if socket in strayed
        or staffed.get(socket.agent.pk, socket.staffs) - {(None, None)} != socket.staffs
    ]


def _strayed(sockets: list[AgentConsumer]) -> set[AgentConsumer]:
    watching = {s: s.voice.watched for s in sockets if s.said_hello and s.voice.watched}
    if not watching:
        return set()
    wanted = set().union(*watching.values())
    found = Conversation.objects.filter(pk__in=wanted).order_by()
    where = {str(pk): queue for pk, queue in found.values_list("pk", "queue_id")}
    return {
        socket
        for socket, watched in watching.items()
        if any((where.get(w), "supervisor") not in socket.staffs for w in watched)
    }


STANDING = ("memberships__queue_id", "memberships__role")


def staffed_by(agent: Agent) -> frozenset[tuple[int, str]]:
    """In which queues, and as what."""
    return frozenset(_staffed(agent.pk))


_staffed = Written(
    lambda agent: (
        QueueMembership.objects.filter(agent=agent)
        .order_by()
        .values_list("queue_id", "role")
    )
)


def credentials(sockets: list[AgentConsumer]) -> dict[AgentConsumer, tuple[Any, ...]]:
    """All that `agent_of` would look at, None for what is not there any more."""
    live = Session.objects.filter(
        session_key__among=[socket.session_key for socket in sockets],
        expire_date__gt=timezone.now(),
    )
    sessions = dict(live.values_list("session_key", "session_data"))
    agents = Agent.objects.filter(pk__among=[socket.agent.pk for socket in sockets])
    rows = agents.values_list("pk", "user_id", "user__password", "user__is_active")
    people = {pk: tuple(rest) for pk, *rest in rows}
    return {s: (sessions.get(s.session_key), people.get(s.agent.pk)) for s in sockets}


def agent_of(key: str) -> Agent | None:
    """Whose session it is, as it is stored now. Django checks the user's backend,
    whether they are active, and the hash of their password, which ends the sessions
    of before a change."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    if not user.is_authenticated or not user.is_active:
        return None
    return Agent.objects.filter(user_id=user.pk).first()
