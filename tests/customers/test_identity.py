"""Who a customer is: their token, and their host's word for them."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import time_machine
from django.core import signing
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from customers import identity
from customers.identity import (
    TOKEN_DAYS,
    Proven,
    Token,
    TokenInvalid,
    Visitor,
    enrol,
    make_token,
    prove,
    read_token,
    resolve,
    signature,
    token_for,
)
from customers.models import Customer, Site
from helpdesk.errors import BadFrame, IdentityInvalid
from helpdesk.protocol import Identity

CORA = uuid.UUID("c0" * 16)
MALLORY = uuid.UUID("66" * 16)
PROVEN = Proven("42", "Cora Lee", "cora@example.com")
SHOP = Site(pk=1, key="demo", secret="secret")
BANK = Site(pk=2, key="bank", secret="secret")
AT = 1_700_000_000
NOW = dt.datetime.fromtimestamp(AT, dt.UTC)

# The contract's own example.
SIGNED = Identity(
    id="42",
    name="Cora Lee",
    email="cora@example.com",
    at=AT,
    signature="51c891a7d88199241bb6c6e65fe20132f6cc5ccac7a48bb7f100dd14c75694f4",
)


def signed(**other: Any) -> Identity:
    """Another identity, rightly signed."""
    claim = msgspec.structs.replace(SIGNED, **other)
    fits = signature(
        SHOP.secret, SHOP.key, claim.id, claim.name or "", claim.email or "", claim.at
    )
    return msgspec.structs.replace(claim, signature=fits)


# --- tokens ----------------------------------------------------------------------


def test_a_token_tells_whose_it_is() -> None:
    assert read_token(SHOP, make_token(SHOP, CORA)) == Token(CORA)


def test_a_proven_ones_token_carries_the_proof() -> None:
    assert read_token(SHOP, make_token(SHOP, CORA, PROVEN)) == Token(CORA, PROVEN)


def test_the_longest_proof_fits_into_a_token() -> None:
    longest = Proven("客" * 200, "名" * 80, "a" * 64 + "@" + "b" * 189)
    assert read_token(SHOP, make_token(SHOP, CORA, longest)).proven == longest


def test_another_sites_token_is_none() -> None:
    with pytest.raises(TokenInvalid):
        read_token(SHOP, make_token(BANK, CORA))


def test_something_else_that_we_signed_is_none() -> None:
    with pytest.raises(TokenInvalid):
        read_token(SHOP, signing.dumps([CORA.hex]))


@pytest.mark.parametrize(
    "token",
    ["", " ", "x", ":::", "a:b:c", "令牌", "\ud800", "\0", "x" * 5_000, CORA.hex],
)
def test_what_we_did_not_sign_is_none(token: str) -> None:
    with pytest.raises(TokenInvalid):
        read_token(SHOP, token)


def test_a_longer_one_is_not_even_looked_at() -> None:
    with pytest.raises(TokenInvalid):
        read_token(SHOP, make_token(SHOP, CORA) + " " * 5_000)


@given(st.integers(0, 200), st.characters())
def test_no_character_of_a_token_can_be_changed(place: int, char: str) -> None:
    token = make_token(SHOP, CORA, PROVEN)
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    if changed == token:
        return
    try:
        # The last letter of a base 64 text has bits that count for nothing.
        assert read_token(SHOP, changed) == Token(CORA, PROVEN)
        assert place == len(token) - 1
    except TokenInvalid:
        pass


def test_a_token_that_nobody_used_for_a_year_is_none() -> None:
    token = make_token(SHOP, CORA)
    days = 24 * 3600
    with time_machine.travel(time.time() + (TOKEN_DAYS - 1) * days):
        assert read_token(SHOP, token)
    with (
        time_machine.travel(time.time() + (TOKEN_DAYS + 1) * days),
        pytest.raises(TokenInvalid),
    ):
        read_token(SHOP, token)


# --- proofs ----------------------------------------------------------------------


def test_the_contracts_example_is_proven() -> None:
    assert prove(SHOP, SIGNED, NOW) == PROVEN


def test_name_and_address_may_be_missing() -> None:
    assert prove(SHOP, signed(name=None, email=None), NOW) == Proven("42")


@pytest.mark.parametrize(
    "other",
    [
        {"id": "43"},
        {"name": "Mallory"},
        {"name": None},
        {"email": "mallory@example.com"},
        {"email": ""},
        {"at": AT + 1},
        {"signature": ""},
        {"signature": SIGNED.signature.upper()},
        {"signature": SIGNED.signature + " "},
        {"signature": SIGNED.signature[:-1] + "é"},
        {"signature": "\ud800" * 64},
        {"signature": "0" * 64},
        {"id": "\ud800"},
    ],
    ids=str,
)
def test_nothing_of_it_may_be_changed(other: dict[str, Any]) -> None:
    with pytest.raises(IdentityInvalid):
        prove(SHOP, msgspec.structs.replace(SIGNED, **other), NOW)


def test_another_sites_proof_is_none_even_with_the_same_secret() -> None:
    with pytest.raises(IdentityInvalid):
        prove(BANK, SIGNED, NOW)


def test_a_proof_under_another_secret_is_none() -> None:
    with pytest.raises(IdentityInvalid):
        prove(Site(key="demo", secret="other"), SIGNED, NOW)


def test_a_site_without_a_secret_proves_nobody() -> None:
    """An empty one would be known to everybody."""
    claim = msgspec.structs.replace(
        SIGNED,
        signature=signature("", "demo", "42", "Cora Lee", "cora@example.com", AT),
    )
    with pytest.raises(IdentityInvalid):
        prove(Site(key="demo", secret=""), claim, NOW)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "42\nCora Lee", "name": None},
        {"name": "Cora\nLee"},
        {"email": "cora@example.com\n"},
    ],
    ids=str,
)
def test_a_line_feed_cannot_move_the_border_between_fields(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(IdentityInvalid):
        prove(SHOP, signed(**fields), NOW)


def test_an_id_is_needed() -> None:
    with pytest.raises(IdentityInvalid):
        prove(SHOP, signed(id=""), NOW)


def test_an_id_that_the_row_cannot_hold_is_refused_not_cut() -> None:
    assert prove(SHOP, signed(id="x" * 200), NOW).external_id == "x" * 200
    with pytest.raises(IdentityInvalid):
        prove(SHOP, signed(id="x" * 201), NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 3_600])
def test_it_is_fresh_from_five_minutes_before_to_an_hour_after(seconds: int) -> None:
    assert prove(SHOP, SIGNED, NOW + dt.timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 3_601, 10**8])
def test_it_is_not_at_other_times(seconds: int) -> None:
    with pytest.raises(IdentityInvalid):
        prove(SHOP, SIGNED, NOW + dt.timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "at", [-(10**400), -(2**60), 0, 2**60, 10**400], ids=["--", "-", "0", "+", "++"]
)
def test_no_time_is_too_strange(at: int) -> None:
    with pytest.raises(IdentityInvalid):
        prove(SHOP, signed(at=at), NOW)


def test_an_address_that_is_none_is_left_out() -> None:
    assert prove(SHOP, signed(email="not an address"), NOW).email == ""


# --- who is it, then -------------------------------------------------------------


@pytest.fixture
def shop(db: None) -> Site:
    return Site.objects.create(key="shop", name="Shop", secret="secret")


@pytest.fixture
def bank(db: None) -> Site:
    return Site.objects.create(key="bank", name="Bank", secret="secret")


def unproven(site: Site, **values: Any) -> Customer:
    return Customer.objects.create(site=site, **{"name": "Somebody"} | values)


def proven(site: Site, external_id: str = "42") -> Customer:
    return Customer.objects.create(
        site=site, external_id=external_id, name="Cora Lee", email="cora@example.com"
    )


def test_whoever_comes_without_a_token_is_new_and_stores_nothing(shop: Site) -> None:
    first, second = resolve(shop, None, None), resolve(shop, None, None)
    assert first.customer_id != second.customer_id
    assert first.customer is None
    assert not Customer.objects.exists()


def test_a_token_brings_back_its_customer(shop: Site) -> None:
    somebody = unproven(shop)
    assert resolve(shop, Token(somebody.pk), None) == Visitor(somebody.pk, somebody)


def test_a_token_from_before_the_first_conversation_keeps_its_id(shop: Site) -> None:
    assert resolve(shop, Token(CORA), None) == Visitor(CORA)


def test_a_token_does_not_bring_another_sites_customer(shop: Site, bank: Site) -> None:
    """Such a token cannot be made; should one be, it opens nothing."""
    assert resolve(shop, Token(unproven(bank).pk), None).customer is None


def test_a_proof_brings_its_customer_whatever_the_token_says(shop: Site) -> None:
    cora, somebody = proven(shop), unproven(shop)
    visitor = resolve(shop, Token(somebody.pk), PROVEN)
    assert visitor == Visitor(cora.pk, cora, PROVEN)
    somebody.refresh_from_db()
    assert not somebody.verified


def test_a_proof_on_one_site_says_nothing_on_another(shop: Site, bank: Site) -> None:
    assert resolve(shop, None, PROVEN).customer_id != proven(bank).pk


def test_a_proof_brings_the_newest_name(shop: Site) -> None:
    cora = proven(shop)
    visitor = resolve(shop, None, Proven("42", "Cora Smith", ""))
    cora.refresh_from_db()
    assert (cora.name, cora.email) == ("Cora Smith", "cora@example.com")
    assert visitor.name == "Cora Smith"


def test_two_proven_tabs_without_a_row_are_one_customer(shop: Site) -> None:
    first, second = resolve(shop, None, PROVEN), resolve(shop, None, PROVEN)
    assert first == second
    assert not Customer.objects.exists()
    assert first.customer_id != resolve(shop, None, Proven("43")).customer_id


def test_a_token_carries_the_proof_to_the_next_hello(shop: Site) -> None:
    visitor = resolve(shop, None, PROVEN)
    token = read_token(shop, token_for(shop, visitor))
    assert resolve(shop, token, None) == visitor
    assert visitor.verified


def test_signing_in_keeps_the_conversation_that_was_open(shop: Site) -> None:
    somebody = unproven(shop)
    visitor = resolve(shop, Token(somebody.pk), PROVEN)
    somebody.refresh_from_db()
    assert somebody.external_id == "42"
    assert (visitor.customer_id, visitor.adopted) == (somebody.pk, True)
    assert (visitor.name, visitor.email) == ("Cora Lee", "cora@example.com")


def test_who_planted_the_token_does_not_see_what_follows(shop: Site) -> None:
    """Mallory chats, leaves the token in a shared browser and keeps a copy; Cora
    signs in there."""
    planted = Token(unproven(shop).pk)
    cora = resolve(shop, planted, PROVEN)
    mallory = resolve(shop, planted, None)
    assert mallory.customer_id != cora.customer_id
    assert mallory.customer is None


def test_a_token_proven_as_somebody_else_is_not_adopted(shop: Site) -> None:
    cora = proven(shop)
    visitor = resolve(shop, Token(cora.pk, PROVEN), Proven("ben"))
    cora.refresh_from_db()
    assert cora.external_id == "42"
    assert visitor.customer is None
    assert visitor.customer_id != cora.pk


def test_nor_is_a_proven_customer_through_an_old_token(shop: Site) -> None:
    cora = proven(shop)
    visitor = resolve(shop, Token(cora.pk), Proven("ben"))
    cora.refresh_from_db()
    assert cora.external_id == "42"
    assert (visitor.customer, visitor.adopted) == (None, False)


# --- the first conversation ------------------------------------------------------


def test_the_first_conversation_makes_the_row(shop: Site) -> None:
    customer = enrol(shop, Visitor(CORA), name="Cora", email="", fields=None)
    assert Customer.objects.get() == customer
    assert (customer.pk, customer.name, customer.verified) == (CORA, "Cora", False)


def test_the_next_one_uses_it(shop: Site) -> None:
    enrol(shop, Visitor(CORA), name="Cora", email="cora@example.com")
    customer = enrol(shop, Visitor(CORA), name="", email=None, locale="zh-hans")
    assert Customer.objects.get() == customer
    assert (customer.name, customer.locale) == ("Cora", "zh-hans")
    assert customer.email == "cora@example.com"


def test_a_typed_name_does_not_cover_a_proven_one(shop: Site) -> None:
    visitor = resolve(shop, None, PROVEN)
    customer = enrol(shop, visitor, name="The Boss", email="boss@example.com")
    assert (customer.name, customer.email) == ("Cora Lee", "cora@example.com")
    assert (customer.pk, customer.external_id) == (visitor.customer_id, "42")


def test_a_typed_address_is_not_an_identity(shop: Site) -> None:
    cora = proven(shop)
    customer = enrol(shop, Visitor(MALLORY), name="Cora Lee", email=cora.email)
    assert customer != cora
    assert not customer.verified


def test_a_typed_address_must_be_one(shop: Site) -> None:
    with pytest.raises(BadFrame, match="email"):
        enrol(shop, Visitor(CORA), email="nonsense")
    assert not Customer.objects.exists()


def test_what_a_browser_says_is_cut_to_what_the_row_holds(shop: Site) -> None:
    customer = enrol(shop, Visitor(CORA), name="x" * 500, user_agent="y" * 5_000)
    customer.refresh_from_db()
    assert (len(customer.name), len(customer.user_agent)) == (80, 300)


def test_another_device_may_have_been_adopted_meanwhile(shop: Site) -> None:
    on_the_phone = resolve(shop, None, PROVEN)
    at_the_desk = resolve(shop, Token(unproven(shop).pk), PROVEN)
    assert enrol(shop, on_the_phone).pk == at_the_desk.customer_id


# --- races -----------------------------------------------------------------------


def at_once(count: int, act: Any) -> list[Any]:
    def one(number: int) -> Any:
        try:
            with transaction.atomic():
                return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.django_db(transaction=True)
def test_twenty_first_conversations_at_once_make_one_row() -> None:
    shop = Site.objects.create(key="shop", name="Shop")
    visitor = resolve(shop, None, PROVEN)
    rows = at_once(20, lambda _: enrol(shop, visitor).pk)
    assert set(rows) == {visitor.customer_id}
    assert Customer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_tokens_one_is_adopted() -> None:
    shop = Site.objects.create(key="shop", name="Shop")
    rows = [unproven(shop).pk for _ in range(20)]
    visitors = at_once(20, lambda i: resolve(shop, Token(rows[i]), PROVEN))
    assert len({visitor.customer_id for visitor in visitors}) == 1
    assert sum(visitor.adopted for visitor in visitors) == 1
    assert Customer.objects.filter(external_id="42").count() == 1


def test_an_id_is_not_to_be_guessed() -> None:
    assert identity.new_customer_id().version == 4
