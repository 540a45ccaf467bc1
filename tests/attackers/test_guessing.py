"""Whoever guesses learns nothing, and soon not even that."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from pytest_django.fixtures import Settings

from helpdesk import limits
from tests.attackers.wire import ORIGIN, posted, status_of
from tests.back_office import PASSWORD, Office
from tests.second_step import code_of
from tests.shop import Shop, forget_limits

pytestmark = pytest.mark.django_db
WRONG = "wrong"
LOGIN = "/accounts/login/"
SECOND = "/accounts/2fa/authenticate/"


class Counting(MD5PasswordHasher):
    """What takes an honest server its time."""

    times: ClassVar[int] = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.times += 1
        return super().encode(password, salt)


def sign_in(login: str, password: str = WRONG, **more: Any) -> Any:
    client = more.pop("client", None) or Client()
    return client.post(LOGIN, {"login": login, "password": password}, **more)


@pytest.mark.parametrize("login", ["nobody", "nobody@example.com"])
def test_a_wrong_name_takes_as_long_as_a_wrong_password(
    office: Office, settings: Settings, login: str
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]

    def hashed(login: str) -> int:
        before = Counting.times
        sign_in(login)
        return Counting.times - before

    right = "ada@example.com" if "@" in login else "ada"
    assert hashed(login) == hashed(right) > 0


def test_a_second_step_is_not_to_be_guessed(office: Office) -> None:
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(office.ada.user, secret)
    client = Client()
    sign_in("ada", PASSWORD, client=client)
    for guess in range(6):
        client.post(SECOND, {"code": f"{guess:06}"})
    client.post(SECOND, {"code": code_of(secret)})
    assert "_auth_user_id" not in client.session


def test_a_second_step_opens_once(office: Office) -> None:
    """Who looks over a shoulder has the rest of half a minute."""
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(office.ada.user, secret)
    ada, mallory = Client(), Client()
    for client in (ada, mallory):
        sign_in("ada", PASSWORD, client=client)
    once = code_of(secret)
    ada.post(SECOND, {"code": once})
    mallory.post(SECOND, {"code": once})
    assert "_auth_user_id" in ada.session
    assert "_auth_user_id" not in mallory.session


@pytest.mark.parametrize("target", ["//mallory.example", "https://mallory.example/"])
def test_the_second_step_leads_nowhere_else(office: Office, target: str) -> None:
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(office.ada.user, secret)
    client = Client()
    form = {"login": "ada", "password": PASSWORD, "next": target}
    client.post(f"{LOGIN}?next={target}", form)
    form = {"code": code_of(secret), "next": target}
    answer = client.post(f"{SECOND}?next={target}", form)
    assert "mallory" not in answer["Location"]


@pytest.mark.parametrize("target", ["//mallory.example", "https://mallory.example/"])
def test_nor_does_the_password_that_is_asked_for_again(
    office: Office, target: str
) -> None:
    client = Client()
    sign_in("ada", PASSWORD, client=client)
    form = {"password": PASSWORD, "next": target}
    answer = client.post(f"/accounts/reauthenticate/?next={target}", form)
    assert "mallory" not in answer["Location"]


def test_a_session_that_was_planted_opens_nothing(office: Office) -> None:
    """Also the key of somebody who signs in afterwards is another one."""
    for key in ("a" * 32, "../../etc", '"\\000aaaaaaaa"', "x" * 5_000):
        client = Client()
        client.cookies["sessionid"] = key
        assert client.get("/agents/").status_code == 302
        sign_in("ada", PASSWORD, client=client)
        assert client.cookies["sessionid"].value != key


FORGED = (
    b"X-Forwarded-For: 203.0.113.%d",
    b"X-Real-IP: 203.0.113.%d",
    b"Forwarded: for=203.0.113.%d",
    b"X-Client-IP: 203.0.113.%d",
)


@pytest.mark.django_db(transaction=True)
async def test_a_forged_address_is_not_whom_a_limit_counts(shop: Shop) -> None:
    forget_limits()
    for guess, header in enumerate(FORGED):
        raw = posted(b"/widget/shop/poll/", b'{"hello":{}}', ORIGIN, header % guess)
        assert (await status_of(shop.server.port, raw))[0] == 200
    assert {*limits.polls._buckets} == {"127.0.0.1"}
