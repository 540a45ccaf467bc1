"""When an agent's reply goes unseen and an e-mail address is known: one mail that
groups what was missed, with a link that resumes the conversation on any device.

Two steps, so that nothing is mailed twice and nothing forgotten: `queue_due` notes in
the database what is to be sent, `send_due` sends it. Seen meanwhile, it is cancelled.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from . import conversations, snapshots
from .models import Conversation, Message, OutgoingMail

log = logging.getLogger(__name__)

UNSEEN_SECONDS = 120  # a tab in the background may still be looked at
ENDED_SECONDS = 3600  # how long after the end a reply is still followed up
CLAIM_SECONDS = 300  # a process that claimed a mail and died is given up on
TRIES = 8  # the last some hours after the first
LINK_DAYS = 14
SALT = "helpdesk.followups.resume"


# --- what is due


def queue_due(now: dt.datetime) -> None:
    """Note the mails that are due. Safe to run in several processes at once."""
    if not settings.HELPDESK_PUBLIC_URL:
        return  # no address under which a link could be opened
    for pk in unseen(now).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            conversation = conversations.locked(pk)
            missed = missed_by(conversation)
            if missed and missed[0].at <= now - dt.timedelta(seconds=UNSEEN_SECONDS):
                _queue(conversation, missed[-1].seq, now)


def unseen(now: dt.datetime) -> QuerySet[Conversation]:
    """Those whose customer has an address and has not seen the end. Two indexes, of
    what is held and of what has ended lately, keep this small."""
    ended = Q(state="ended", ended_at__gt=now - dt.timedelta(seconds=ENDED_SECONDS))
    return Conversation.objects.filter(
        Q(state="active") | ended,
        seq__gt=F("read_by_customer"),
        mailed_seq__lt=F("seq"),
        said_at__isnull=False,
    ).exclude(customer__email="")


def missed_by(conversation: Conversation) -> list[Message]:
    """What agents said that the customer has neither seen nor been mailed."""
    told = max(conversation.read_by_customer, conversation.mailed_seq)
    said = Message.objects.filter(
        conversation=conversation, kind=Message.Kind.TEXT, seq__gt=told
    )
    return list(said.exclude(author="customer").order_by("seq"))


def _queue(conversation: Conversation, seq: int, now: dt.datetime) -> None:
    conversations.note_mailed(conversation, seq)
    OutgoingMail.objects.update_or_create(
        conversation=conversation, defaults={"seq": seq, "try_at": now, "tries": 0}
    )


# --- sending


def send_due(now: dt.datetime) -> None:
    """Send what is due. A mail server may be slow: never inside a transaction."""
    due = OutgoingMail.objects.filter(try_at__lte=now).order_by("try_at")
    for mail in due.select_related("conversation__customer", "conversation__site"):
        if _claim(mail, now):
            _send(mail, now)


def _claim(mail: OutgoingMail, now: dt.datetime) -> bool:
    """Of several processes one gets it."""
    free = OutgoingMail.objects.filter(pk=mail.pk, try_at=mail.try_at)
    claimed_until = now + dt.timedelta(seconds=CLAIM_SECONDS)
    return bool(free.update(try_at=claimed_until, tries=F("tries") + 1))


def _send(mail: OutgoingMail, now: dt.datetime) -> None:
    conversation = mail.conversation
    unseen = conversation.read_by_customer < mail.seq
    if unseen and conversation.customer.email:
        try:
            compose(conversation, mail.seq).send()
        except OSError as error:  # of sockets and SMTP alike
            _try_again(mail, now, error)
            return
    OutgoingMail.objects.filter(pk=mail.pk).delete()


def _try_again(mail: OutgoingMail, now: dt.datetime, error: OSError) -> None:
    tries = mail.tries + 1
    if tries >= TRIES:
        log.error("a follow-up mail is given up: %r", error)
        OutgoingMail.objects.filter(pk=mail.pk).delete()
        return
    log.warning("a follow-up mail could not be sent, try %d: %r", tries, error)
    later = now + dt.timedelta(seconds=60 * 2**tries)
    OutgoingMail.objects.filter(pk=mail.pk).update(try_at=later)


def compose(conversation: Conversation, seq: int) -> EmailMessage:
    """In the customer's language; plain text, so that nothing in it can act."""
    missed = Message.objects.filter(
        conversation=conversation,
        kind=Message.Kind.TEXT,
        seq__gt=conversation.read_by_customer,
        seq__lte=seq,
    ).exclude(author="customer")
    rows = list(missed.order_by("seq").prefetch_related("attachments"))
    names = snapshots.agent_names({row.sender for row in rows if row.sender})
    with translation.override(language_of(conversation)):
        site = conversation.site.name
        body = render_to_string(
            "emails/followup.txt",
            {
                "name": greeted(conversation.customer.name),
                "site": site,
                "said": [(names[row.sender], row) for row in rows if row.sender],
                "link": resume_link(conversation),
                "days": LINK_DAYS,
            },
        )
        subject = _("%(site)s has answered you") % {"site": site}
    return EmailMessage(
        subject=" ".join(subject.split()),  # a site's name with a line break in it
        body=body,
        to=[conversation.customer.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office
    )


LINK = re.compile(r"://|\w\.\w\w")


def greeted(name: str) -> str:
    """A typed name goes to a typed address: somebody may want us to tell a stranger
    something. One short line then, and no link that a mail program would find."""
    flat = " ".join(name.split())
    return "" if LINK.search(flat) else flat


def language_of(conversation: Conversation) -> str:
    """The customer's, where there is a catalogue for it, else the site's."""
    wanted = conversation.customer.locale.lower() or conversation.site.locale
    return "zh-hans" if wanted.startswith("zh") else wanted.partition("-")[0]


# --- the link


class Resume(NamedTuple):
    conversation: UUID
    customer: UUID


def resume_link(conversation: Conversation) -> str:
    """What it says stands behind the #, which no server log and no referrer sees."""
    says = [conversation.pk.hex, conversation.customer_id.hex]
    signed = signing.dumps(says, salt=SALT)
    key = conversation.site.key
    return f"{settings.HELPDESK_PUBLIC_URL}/widget/{key}/resume/#{signed}"


def read_link(signed: str) -> Resume | None:
    """None for a forged or an expired one."""
    try:
        conversation, customer = signing.loads(
            signed, salt=SALT, max_age=dt.timedelta(days=LINK_DAYS)
        )
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Resume(UUID(conversation), UUID(customer))
