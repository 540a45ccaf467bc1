"""The same conversation where WebSockets are blocked: POST /widget/<key>/poll/.

Every answer is worked out from the database and from what happens while one waits,
so any process can answer any poll, and none remembers anything between two.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Annotated, Any, cast

import msgspec
from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Struct

from helpdesk import clock, conversations, desk, limits, presence, protocol, snapshots
from helpdesk.consumers import NOT_SIGNED_IN
from helpdesk.conversations import OPEN
from helpdesk.database import db_now, in_transaction, reading
from helpdesk.errors import BadFrame, Refused
from helpdesk.log import known
from helpdesk.models import Conversation
from helpdesk.tally import tally

from . import identity, voice, welcome
from .doors import door
from .models import Site

COMMANDS = 50  # in one poll
BODY_BYTES = 2 * protocol.FRAME_BYTES
TOGETHER_SECONDS = 0.02  # what happens at once travels in one answer


NOTHING = msgspec.Raw(b"null")


class Body(Struct, frozen=True):
    """What a poll says. `after` is the newest seq that it holds, 0 for none."""

    token: str | None = None
    hello: msgspec.Raw = NOTHING
    frames: list[msgspec.Raw] = []
    conversation: str | None = None
    after: protocol.Count = 0
    version: protocol.Count | None = None
    wait: Annotated[float, Meta(ge=0, le=25)] = 0


class BodyTooBig(Refused):
    code = "too_long"
    detail = f"A poll has at most {BODY_BYTES:,} bytes."
    status = 413


@door("POST")
async def poll(request: HttpRequest, site: Site) -> HttpResponse:
    body = read_body(request)
    hello = read_hello(body)
    visitor = await recognise(site, body, hello, request)
    known(person=visitor.customer_id)
    poller = Poller(site, visitor, body, hello, request)
    try:
        frames = await poller.answer()
    finally:
        poller.leave()
    token = identity.token_for(site, poller.voice.visitor)
    says = b'{"frames":%b,"after":%d,"token":%b}' % (
        b"[" + b",".join(frames) + b"]",
        poller.after,
        protocol.encode(token),
    )
    return HttpResponse(
        says, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def read_body(request: HttpRequest) -> Body:
    """Raises BadFrame, which names the field, and BodyTooBig."""
    if int(request.headers.get("Content-Length") or 0) > BODY_BYTES:
        raise BodyTooBig
    if len(request.body) > BODY_BYTES:
        raise BodyTooBig
    try:
        body = msgspec.json.decode(request.body, type=Body)
    except msgspec.ValidationError as error:
        raise BadFrame(protocol.named(str(error))) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadFrame("The body is not valid JSON.") from None
    if len(body.frames) > COMMANDS:
        raise BadFrame(f"frames: at most {COMMANDS}.")
    return body


def read_hello(body: Body) -> protocol.CustomerHello | None:
    """Raises BadFrame, also where neither hello nor a token says who it is."""
    try:
        said: Any = protocol.decode(body.hello)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadFrame("hello: is not valid JSON.") from None
    if said is None and body.token is None:
        raise BadFrame("hello: is needed where there is no token.")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise BadFrame("hello: is one JSON object.")
    # Here the field says what it is, so that its type may be left out.
    hello = protocol.parse_customer(protocol.encode({**said, "type": "hello"}))
    return cast(protocol.CustomerHello, hello)


async def recognise(
    site: Site,
    body: Body,
    hello: protocol.CustomerHello | None,
    request: HttpRequest,
) -> identity.Visitor:
    """Who polls. Raises RateLimited: by address who is new, by themselves others."""
    hello = hello or protocol.CustomerHello()
    token = hello.token if body.token is None else body.token
    if token is None:
        limits.polls.take(request.META.get("REMOTE_ADDR"))
    visitor = await welcome.recognise(site, hello, token)
    if token is not None:
        limits.polls.take(visitor.customer_id)
    return visitor


class Poller:
    """One poll: a listener for as long as it takes."""

    def __init__(
        self,
        site: Site,
        visitor: identity.Visitor,
        body: Body,
        hello: protocol.CustomerHello | None,
        request: HttpRequest,
    ) -> None:
        self.site = site
        self.body = body
        self.hello = hello
        self.holds = body.conversation
        self.dismissed = 0
        self.after = body.after
        self.version = body.version or 0
        self.desk = desk.current()
        self.happened = asyncio.Event()
        self.typing: list[bytes] = []
        self.posted: set[str] = set()
        self.voice = PollVoice(
            site,
            visitor,
            self,
            address=str(request.META.get("REMOTE_ADDR", "")),
            user_agent=request.headers.get("User-Agent", ""),
            hello=hello,
        )
        self.joined: set[str] = set()
        self.join()

    def join(self) -> None:
        self.desk.polls.add(self)
        self.joined.add(self.voice.audience)
        self.desk.hub.join(self, self.voice.audience)

    def leave(self) -> None:
        self.desk.polls.discard(self)
        self.desk.hub.leave(self, *self.joined)

    def deliver(self, frame: bytes) -> None:
        """Messages and changes are read from the database; typing is nowhere else."""
        if frame.startswith(b'{"type":"typing"'):
            self.typing = [frame]
        self.happened.set()

    def dismiss(self, code: int) -> None:
        self.dismissed = code
        self.happened.set()

    async def answer(self) -> list[bytes]:
        if self.voice.visitor.adopted:
            self.voice.close_others()
        await self.voice.be_present()
        frames = await self._welcome(self.hello) if self.hello else []
        for raw in self.body.frames:
            if (answer := await self._obey(bytes(raw))) is not None:
                frames.append(answer)
        frames += await self._news()
        if not frames and self.body.wait:
            frames = await self._wait()
            await self.voice.stay_present()
        return frames

    async def _welcome(self, hello: protocol.CustomerHello) -> list[bytes]:
        visitor = self.voice.visitor
        shown, conversation = await welcome.welcome(self.site, visitor, hello)
        if conversation:
            # The welcome has shown this already.
            self.version = conversation.version
            self.holds = str(conversation.pk)
            self.after = hello.after or 0
        if shown.messages:
            self.after = shown.messages[-1].seq
        return [protocol.encode(shown)]

    async def _obey(self, raw: bytes) -> bytes | None:
        try:
            command = protocol.parse_customer(raw)
            if isinstance(command, protocol.CustomerHello):
                raise BadFrame("type: hello has a field of its own.")
        except BadFrame as bad:
            tally.refused[bad.code] += 1
            return protocol.refusal(bad, protocol.id_of(raw))
        if isinstance(command, protocol.CustomerPost | protocol.Start):
            self.posted.add(command.id)
        return await self.voice.answer(command)

    async def _wait(self) -> list[bytes]:
        """Until something happens, or nothing has for as long as the poll may wait."""
        try:
            async with asyncio.timeout(self.body.wait):
                while True:
                    await self.happened.wait()
                    await asyncio.sleep(TOGETHER_SECONDS)
                    self.happened.clear()
                    if self.dismissed == NOT_SIGNED_IN:
                        raise identity.TokenInvalid
                    if self.dismissed:
                        return []
                    if frames := self.typing + await self._news():
                        self.typing = []
                        return frames
        except TimeoutError:
            return []

    async def _news(self) -> list[bytes]:
        messages, conversation, turn = await reading(self._read)
        if conversation is None:
            return []
        frames = [
            protocol.encode(protocol.Posted(str(conversation.pk), message))
            for message in messages
            if not self._is_own(message)
        ]
        if messages:
            self.after = messages[-1].seq
        if conversation.version > self.version:
            self.version = conversation.version
            shown = snapshots.for_customer(conversation, turn)
            frames.append(protocol.encode(protocol.Changed(shown)))
        return frames

    def _is_own(self, message: protocol.Message) -> bool:
        """What this very poll posted comes back as its ack."""
        return message.author.kind == "customer" and message.id in self.posted

    def _holds(self, conversation: Conversation) -> bool:
        """Or is this one new to it, which holds another?"""
        if self.holds is not None and self.holds != str(conversation.pk):
            return False
        return self.after <= conversation.seq

    def _read(
        self,
    ) -> tuple[list[protocol.Message], Conversation | None, snapshots.Turn]:
        conversation = conversations.customers_newest(self.voice.person)
        if conversation is None:
            return [], None, snapshots.NO_TURN
        if not self._holds(conversation):
            self.after = self.version = 0
        self.holds = str(conversation.pk)
        messages, _more = snapshots.page(conversation, staff=False, after=self.after)
        return messages, conversation, snapshots.turn(conversation)


class PollVoice(voice.CustomerVoice):
    """A customer's voice that is present for a while past its poll's answer."""

    listener: Poller
    awaited = False  # a conversation is open

    async def be_present(self) -> None:
        self.listener.join()
        await self.desk.ready()
        await in_transaction(self._be_present)

    def _be_present(self) -> None:
        """Who has nothing open is not awaited, and no row is stored."""
        newest = conversations.customers_newest(self.person)
        if newest is None or newest.state not in OPEN:
            return
        self.talking = newest.pk
        self.awaited = True
        # Longer than any poll waits.
        presence.arrive(self.desk.present.process, self.person, self._a_while())
        if newest.customer_gone_at:
            clock.customer_moved(self.person)

    async def stay_present(self) -> None:
        """From the answer on: a poll that waited takes its time."""
        if self.awaited:
            await in_transaction(self._stay_present)

    def _stay_present(self) -> None:
        process = self.desk.present.process
        presence.arrive(process, self.person, self._a_while())

    def _a_while(self) -> dt.datetime:
        return db_now() + dt.timedelta(seconds=presence.POLL_SECONDS)
