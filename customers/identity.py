"""Who a customer is: the token that every customer holds, and the proof of a
signed-in one.

A token is a customer's only credential. It says which customer its holder is on
which site, and whether a host's server vouched for them; it is signed, so nothing
has to be stored before the first conversation. A proof (protocol: Identity) is an
HMAC under the site's secret, made by the host's server for somebody it signed in.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from helpdesk.database import db_now
from helpdesk.errors import BadFrame, Forbidden, IdentityInvalid
from helpdesk.protocol import Identity
from helpdesk.written import Written

from .models import Customer, Site

TOKEN_CHARS = 4_096  # the longest proven one has some 3,000
TOKEN_DAYS = 400  # unused for so long it opens nothing; each welcome renews it
EARLY_SECONDS = 5 * 60  # the host's clock may be ahead
LATE_SECONDS = 60 * 60
EXTERNAL_ID_CHARS = 200
NAME_CHARS = 80


class TokenInvalid(Forbidden):
    status = 401  # at a door without a socket
    detail = "This token is not valid here. Ask for a new one."


@dataclass(frozen=True)
class Proven:
    """Whom the host's server vouched for."""

    external_id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Token:
    """What a token says."""

    customer_id: uuid.UUID
    proven: Proven | None = None


@dataclass(frozen=True)
class Visitor:
    """Who is at the door. `customer` is None until their first conversation."""

    customer_id: uuid.UUID
    customer: Customer | None = None
    proven: Proven | None = None
    adopted: bool = False  # this very hello made an unproven customer proven

    @property
    def name(self) -> str:
        return (self.customer or self.proven or NOBODY).name

    @property
    def email(self) -> str:
        return (self.customer or self.proven or NOBODY).email

    @property
    def verified(self) -> bool:
        return self.proven is not None


NOBODY = Proven(external_id="")


# --- tokens --------------------------------------------------------------------


def new_customer_id() -> uuid.UUID:
    return uuid.uuid4()


def make_token(site: Site, customer_id: uuid.UUID, proven: Proven | None = None) -> str:
    """A proven visitor's token must carry the proof: without it the token no longer
    opens what a proven customer wrote (see `resolve`)."""
    says: list[str] = [customer_id.hex]
    if proven:
        says += [proven.external_id, proven.name, proven.email]
    return signing.dumps(says, salt=_salt(site))


def read_token(site: Site, token: str) -> Token:
    """Raises TokenInvalid, whatever is wrong with it; also for another site's."""
    if not token or len(token) > TOKEN_CHARS or not token.isascii():
        raise TokenInvalid
    try:
        says: Any = signing.loads(
            token, salt=_salt(site), max_age=dt.timedelta(days=TOKEN_DAYS)
        )
    except signing.BadSignature:
        raise TokenInvalid from None
    customer_id, *proof = says
    return Token(uuid.UUID(customer_id), Proven(*proof) if proof else None)


def token_for(site: Site, visitor: Visitor) -> str:
    return make_token(site, visitor.customer_id, visitor.proven)


def _salt(site: Site) -> str:
    return f"customers.identity.token.{site.pk}"


# --- proofs --------------------------------------------------------------------


def prove(site: Site, identity: Identity, now: dt.datetime) -> Proven:
    """Raises IdentityInvalid. A proof may be shown again while it is fresh."""
    signed = (site.key, identity.id, identity.name or "", identity.email or "")
    # A line feed would let one field's end pass for the next one's beginning.
    if any("\n" in field for field in signed):
        raise IdentityInvalid("No field of an identity may hold a line feed.")
    if not identity.id or len(identity.id) > EXTERNAL_ID_CHARS:
        raise IdentityInvalid("An identity needs an id of at most 200 characters.")
    # An empty secret would be one that everybody knows.
    if not site.secret or not _same(
        identity.signature, signature(site.secret, *signed, identity.at)
    ):
        raise IdentityInvalid("The identity's signature does not fit.")
    at = identity.at
    if not at - EARLY_SECONDS <= now.timestamp() <= at + LATE_SECONDS:
        raise IdentityInvalid("The identity was signed too long ago, or in the future.")
    return Proven(
        identity.id, (identity.name or "")[:NAME_CHARS], _address(identity.email)
    )


def signature(secret: str, key: str, id: str, name: str, email: str, at: int) -> str:
    """What the host's server computes; lower-case hex."""
    lines = "\n".join((key, id, name, email, str(at)))
    # Lone surrogates come out as what no honest signer has signed.
    message = lines.encode(errors="surrogatepass")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    """In constant time; of text that may be anything."""
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())


def _address(email: str | None) -> str:
    """A proof's address that is none is left out: it would break mails later."""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email or ""


# --- who is it, then -----------------------------------------------------------


def resolve(site: Site, token: Token | None, proven: Proven | None) -> Visitor:
    """Who a hello with this token and this fresh proof speaks for. With a proof it
    may write, so run it in a transaction; without one it only reads.

    One proven id is one customer, on every device and whatever token comes along:

    - Its customer exists: it is that one. The token's customer is left alone.
    - It does not, and the token's customer wrote before without proof: that one is
      theirs from now on (`adopted`), so that signing in does not lose the chat.
    - Neither wrote yet: an id that any process derives anew from the proven id. No
      row; the token carries the proof until the first conversation needs one.

    Without a fresh proof a token speaks for whom it says, and the proof it carries
    counts. A token made before its customer was adopted carries none and opens
    nothing any more: whoever left it in a shared browser, or kept a copy, must not
    read what the signed-in customer writes. For the same reason the caller closes
    the customer's other sockets after an adoption.
    """
    if proven:
        return _vouched_for(site, proven, token)
    if token is None:
        return Visitor(new_customer_id())
    return recognise([(site, token)])[0]


def recognise(held: Sequence[tuple[Site, Token]]) -> list[Visitor]:
    """As `resolve`, of the holders of many tokens who show no proof. Only reads."""
    ids = [token.customer_id for _, token in held if not token.proven]
    unproven = {(each.site_id, each.pk): each for each in _by_id(ids)}
    vouched = [(site, token.proven) for site, token in held if token.proven]
    visitors = iter(_visitors_of(vouched))
    return [
        next(visitors)
        if token.proven
        else _unproven(token, unproven.get((site.pk, token.customer_id)))
        for site, token in held
    ]


_by_id = Written(lambda pks: Customer.objects.filter(pk__in=pks))


def _unproven(token: Token, customer: Customer | None) -> Visitor:
    if customer and customer.verified:
        return Visitor(new_customer_id())
    return Visitor(token.customer_id, customer)


def enrol(site: Site, visitor: Visitor, **written: Any) -> Customer:
    """The visitor's row, made now if this is their first conversation; run it in the
    conversation's own transaction. `written` are values for the row (name, email,
    locale, page, fields, address, user_agent); empty ones change nothing, and none
    overrides what was proven.

    The row's id can differ from the visitor's: since their hello, a proven one's
    other device or an adoption may have been first.
    """
    written = _fitting(written)
    if visitor.proven:
        written |= _vouched(visitor.proven)
    now = resolve(site, Token(visitor.customer_id, visitor.proven), None)
    customer = now.customer or _first_row(site, now, written)
    return _write(customer, written)


def _vouched_for(site: Site, proven: Proven, token: Token | None) -> Visitor:
    visitor = _visitor_of(site, proven)
    if visitor.customer:
        _write(visitor.customer, _vouched(proven))
        return visitor
    if token and not token.proven:
        adopted = _adopt(site, token.customer_id, proven)
        return replace(_visitor_of(site, proven), adopted=adopted)
    return visitor


def _visitor_of(site: Site, proven: Proven) -> Visitor:
    return _visitors_of([(site, proven)])[0]


def _visitors_of(vouched: Sequence[tuple[Site, Proven]]) -> list[Visitor]:
    found = _by_proof(
        {site.pk for site, _ in vouched}, {proven.external_id for _, proven in vouched}
    )
    known = {(each.site_id, each.external_id): each for each in found}
    visitors = []
    for site, proven in vouched:
        customer = known.get((site.pk, proven.external_id))
        id = customer.pk if customer else _derived(site, proven)
        visitors.append(Visitor(id, customer, proven))
    return visitors


_by_proof = Written(
    lambda sites, external_ids: Customer.objects.filter(
        site_id__in=sites, external_id__in=external_ids
    )
)


def _derived(site: Site, proven: Proven) -> uuid.UUID:
    """Two tabs without a row must be one customer; nobody else can tell the id."""
    salt = "customers.identity.derived"
    mac = salted_hmac(salt, f"{site.pk}\n{proven.external_id}", algorithm="sha256")
    return uuid.UUID(bytes=mac.digest()[:16], version=4)


def _adopt(site: Site, customer_id: uuid.UUID, proven: Proven) -> bool:
    """Whether the unproven customer has a row and is the proven one's from now on."""
    unproven = Customer.objects.filter(
        site=site, pk=customer_id, external_id__isnull=True
    )
    try:
        with transaction.atomic():
            return bool(
                unproven.update(
                    external_id=proven.external_id,
                    proven_at=db_now(),
                    **_vouched(proven),
                )
            )
    except IntegrityError:
        return False  # another hello was first: one customer per proven id


def _first_row(site: Site, visitor: Visitor, written: dict[str, Any]) -> Customer:
    """Two first conversations at once find the same row."""
    if visitor.proven is None:
        known: dict[str, Any] = {"site": site, "pk": visitor.customer_id}
        rest = written
    else:
        known = {"site": site, "external_id": visitor.proven.external_id}
        rest = {"pk": visitor.customer_id, **written}
    customer, _ = Customer.objects.get_or_create(**known, defaults=rest)
    return customer


def _write(customer: Customer, values: dict[str, Any]) -> Customer:
    changed = [
        field for field, value in values.items() if getattr(customer, field) != value
    ]
    for field in changed:
        setattr(customer, field, values[field])
    if changed:
        customer.save(update_fields=changed)
    return customer


def _vouched(proven: Proven) -> dict[str, Any]:
    values = {"name": proven.name, "email": proven.email}
    return {field: value for field, value in values.items() if value}


def _fitting(written: dict[str, Any]) -> dict[str, Any]:
    """The values that say something, cut to what the columns hold. An address is
    never cut to another one: BadFrame."""
    fitting = {}
    for field, value in written.items():
        if not value:
            continue
        if field == "email" and not _address(value):
            raise BadFrame("email: This is not an e-mail address.")
        chars = getattr(Customer._meta.get_field(field), "max_length", None)
        fitting[field] = value[:chars] if isinstance(value, str) else value
    return fitting
