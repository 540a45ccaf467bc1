"""Signing in, staying out, and getting a password back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import User
from django.core import mail
from django.template.loader import render_to_string
from django.test import Client

from tests.back_office import (
    PASSWORD,
    Office,
    signed_in,
    staff,
    superuser,
)
from tests.second_step import code_of

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"


def sign_in(
    login: str, password: str = PASSWORD, client: Client | None = None, **more: Any
) -> Any:
    client = client or Client()
    return client.post(LOGIN, {"login": login, "password": password, **more})


# Where people arrive


def test_an_agent_arrives_at_the_desk(office: Office) -> None:
    assert sign_in("ada")["Location"] == "/agents/"


def test_an_e_mail_address_serves_as_well(office: Office) -> None:
    assert sign_in("ada@example.com")["Location"] == "/agents/"


def test_other_staff_arrive_in_the_back_office(office: Office) -> None:
    staff("mona", "Manager", office.acme)
    assert sign_in("mona")["Location"] == "/admin/"


def test_staff_who_answer_customers_arrive_at_the_desk(office: Office) -> None:
    User.objects.filter(username="ada").update(is_staff=True)
    assert sign_in("ada")["Location"] == "/agents/"


def test_whoever_is_neither_is_told_so_kindly(office: Office) -> None:
    User.objects.create_user("eve", password=PASSWORD)
    client = Client()
    answer = client.get(sign_in("eve", client=client)["Location"])
    assert answer.status_code == 403
    assert "not an agent yet" in answer.content.decode()


def test_people_return_to_where_they_were_going(office: Office) -> None:
    assert sign_in("ada", next="/agents/?c=1")["Location"] == "/agents/?c=1"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "http://testserver.evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "\t//evil.example",
        "http://localhost/",
    ],
)
def test_but_never_elsewhere(office: Office, target: str) -> None:
    assert sign_in("ada", next=target)["Location"] == "/agents/"
    address = f"{LOGIN}?next={target}"
    answer = Client().post(address, {"login": "ada", "password": PASSWORD})
    assert answer["Location"] == "/agents/"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/"])
def test_signing_out_leads_back_here_alone(office: Office, target: str) -> None:
    client = signed_in(office.ada.user)
    answer = client.post("/accounts/logout/", {"next": target})
    assert answer["Location"] == LOGIN
    assert "_auth_user_id" not in client.session


def test_a_link_signs_nobody_out(office: Office) -> None:
    client = signed_in(office.ada.user)
    assert client.get("/accounts/logout/").status_code == 200
    assert "_auth_user_id" in client.session


# Who is refused


@pytest.mark.parametrize(
    ("login", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("ada", "")]
)
def test_a_wrong_pair_is_refused(office: Office, login: str, password: str) -> None:
    client = Client()
    assert sign_in(login, password, client).status_code == 200
    assert "_auth_user_id" not in client.session


def test_the_refusal_does_not_tell_who_has_an_account(office: Office) -> None:
    def words(login: str) -> str:
        page = sign_in(login, "wrong").content.decode()
        return re.sub(r'value="[^"]*"', "", page)

    assert words("ada") == words("eve")


def test_somebody_inactive_is_refused(office: Office) -> None:
    User.objects.filter(username="ada").update(is_active=False)
    client = Client()
    sign_in("ada", client=client)
    assert "_auth_user_id" not in client.session


def test_five_failures_lock_the_account_even_for_the_right_password(
    office: Office,
) -> None:
    for _ in range(5):
        sign_in("ada", "wrong")
    client = Client()
    assert "Too many failed" in sign_in("ada", client=client).content.decode()
    assert "_auth_user_id" not in client.session


def test_another_account_is_not_locked_with_it(office: Office) -> None:
    for _ in range(5):
        sign_in("ada", "wrong")
    assert sign_in("olaf").status_code == 302


def test_a_forged_address_does_not_lift_the_limit(office: Office) -> None:
    """Each guess is about another account, so that only the address counts."""
    answers = [
        Client().post(
            LOGIN,
            {"login": f"user{guess}", "password": "wrong"},
            headers={"x-forwarded-for": f"203.0.113.{guess}"},
        )
        for guess in range(60)
    ]
    assert answers[-1].status_code == 429 or b"Too many" in answers[-1].content


def test_a_form_from_elsewhere_is_refused(office: Office) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_in("ada", client=client).status_code == 403


def test_a_session_from_before_is_given_another_key(office: Office) -> None:
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    sign_in("ada", client=client)
    assert client.session.session_key != before


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_makes_an_account(office: Office, method: str) -> None:
    answer = getattr(Client(), method)(
        "/accounts/signup/",
        {"username": "eve", "email": "eve@example.com", "password1": PASSWORD},
    )
    assert "No sign-up here" in answer.content.decode()
    assert not User.objects.filter(username="eve").exists()


def test_the_admin_has_no_log_in_of_its_own(office: Office) -> None:
    superuser()
    client = Client()
    answer = client.post(
        "/admin/login/", {"username": "root", "password": PASSWORD, "next": "/admin/"}
    )
    assert answer["Location"].startswith(LOGIN)
    assert "_auth_user_id" not in client.session


# A forgotten password


def reset_link(address: str = "ada@example.com", **headers: str) -> str:
    Client().post(RESET, {"email": address}, headers=headers)
    (link,) = re.findall(r"https?://\S+", str(mail.outbox[-1].body))
    return str(link)


def test_a_link_by_mail_gives_a_new_password(office: Office) -> None:
    client = Client()
    page = client.get(reset_link(), follow=True)
    form = {"password1": "another-good-one", "password2": "another-good-one"}
    client.post(page.request["PATH_INFO"], form)
    assert sign_in("ada", "another-good-one").status_code == 302


def test_the_link_works_once(office: Office) -> None:
    link = reset_link()
    client = Client()
    page = client.get(link, follow=True)
    form = {"password1": "another-good-one", "password2": "another-good-one"}
    client.post(page.request["PATH_INFO"], form)
    assert "new password reset" in Client().get(link, follow=True).content.decode()


def test_the_link_leaves_the_address_bar(office: Office) -> None:
    """What stands there would go out in a Referer header."""
    link = reset_link()
    answer = Client().get(link)
    assert answer.status_code == 302
    assert link.rsplit("-", 1)[1] not in answer["Location"]


def test_the_link_leads_to_the_public_address(office: Office, settings: Any) -> None:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    settings.ALLOWED_HOSTS = ["chat.example", "localhost"]
    for host in ("localhost", "localhost:1234", "chat.example"):
        assert reset_link(host=host).startswith("https://chat.example/accounts/")


def test_a_forged_host_gets_no_mail_sent(office: Office, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["chat.example"]
    form = {"email": "ada@example.com"}
    answer = Client().post(RESET, form, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert not mail.outbox


def test_an_unknown_address_gets_no_mail_and_the_same_answer(office: Office) -> None:
    known = Client().post(RESET, {"email": "ada@example.com"})
    unknown = Client().post(RESET, {"email": "nobody@example.com"})
    assert known["Location"] == unknown["Location"]
    assert [sent.to for sent in mail.outbox] == [["ada@example.com"]]


def test_mail_speaks_the_readers_language(office: Office) -> None:
    Client().post(
        RESET, {"email": "ada@example.com"}, headers={"accept-language": "zh-hans"}
    )
    assert re.search("[一-鿿]", str(mail.outbox[-1].body))


# Two steps


def test_a_second_step_is_asked_for_where_it_was_set_up(office: Office) -> None:
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(office.ada.user, secret)
    client = Client()
    answer = sign_in("ada", client=client)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert client.session["_auth_user_id"] == str(office.ada.user.pk)


def test_a_wrong_second_step_is_refused(office: Office) -> None:
    totp.TOTP.activate(office.ada.user, totp.generate_totp_secret())
    client = Client()
    sign_in("ada", client=client)
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "_auth_user_id" not in client.session


def test_a_second_step_is_set_up_after_the_password_was_given_again(
    office: Office,
) -> None:
    client = Client()
    sign_in("ada", client=client)
    activate = "/accounts/2fa/totp/activate/"
    asked = client.get(activate, follow=True).request["PATH_INFO"]
    assert asked == "/accounts/reauthenticate/"
    form = {"password": PASSWORD, "next": activate}
    page = client.post(asked, form, follow=True).content.decode()
    assert "data:image/svg+xml" in page
    assert not Authenticator.objects.exists()


def test_nor_with_a_wrong_one(office: Office) -> None:
    client = Client()
    sign_in("ada", client=client)
    form = {"password": "wrong", "next": "/accounts/2fa/totp/activate/"}
    page = client.post("/accounts/reauthenticate/", form, follow=True)
    assert "data:image/svg+xml" not in page.content.decode()


# Pages


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "address",
    [
        LOGIN,
        RESET,
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/done/",
        "/accounts/password/reset/key/1-bad/",
        "/accounts/signup/",
        "/accounts/inactive/",
    ],
)
def test_every_page_is_in_our_own_look(
    office: Office, address: str, language: str
) -> None:
    answer = Client().get(address, headers={"accept-language": language})
    page = answer.content.decode()
    assert "account/account.css" in page
    assert f'lang="{language}"' in page
    assert "style=" not in page


@pytest.mark.parametrize(
    "address",
    [
        "/accounts/logout/",
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/email/",
    ],
)
def test_so_are_those_for_who_is_signed_in(office: Office, address: str) -> None:
    client = Client()
    sign_in("ada", client=client)
    page = client.get(address, follow=True).content.decode()
    assert "account/account.css" in page
    assert "style=" not in page


def test_template_words_in_a_name_stay_words(office: Office) -> None:
    User.objects.create_user("{{7|add:7}}", password=PASSWORD)
    client = Client()
    answer = client.get(sign_in("{{7|add:7}}", client=client)["Location"])
    assert "{{7|add:7}}" in answer.content.decode()


# Refusals


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_refusal_is_kind_and_in_our_own_look(office: Office, language: str) -> None:
    client = signed_in(office.ada.user)
    answer = client.get("/admin/", headers={"accept-language": language}, follow=True)
    assert answer.status_code == 403
    assert "account/account.css" in answer.content.decode()
    assert ("您没有权限进入" in answer.content.decode()) is (language == "zh-hans")


@pytest.mark.parametrize(
    "name",
    ["400.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html"],
)
def test_every_refusal_is_rendered_without_help(name: str) -> None:
    """A broken server may have neither a database nor a request at hand."""
    page = render_to_string(name)
    assert "<h1>" in page
    assert "style=" not in page
