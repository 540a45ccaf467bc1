"""A desk as an operator runs it: behind a proxy that has the certificate."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from tests.live import ServerProcess
from tests.preloaded import managed

PASSWORD = "correct horse 7"
BEHIND_A_PROXY = {"Host": "chat.example", "X-Forwarded-Proto": "https"}
Start = Callable[..., ServerProcess]


def ask(
    there: ServerProcess, method: str, path: str, body: str = "", **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", there.port, timeout=30)
    told = BEHIND_A_PROXY | {name.replace("_", "-"): v for name, v in headers.items()}
    if body:
        told["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body, told)
    response = connection.getresponse()
    response.text = response.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return response


def cookies(response: http.client.HTTPResponse) -> dict[str, Morsel[str]]:
    found: SimpleCookie = SimpleCookie()
    for line in response.headers.get_all("Set-Cookie", []):
        found.load(line)
    return dict(found)


def test_cookies_travel_encrypted_and_no_script_reads_them(
    server_process: Start, static_root: Path
) -> None:
    hashed = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1_000)
    User.objects.create(username="ada", password=hashed)
    there = server_process(PUBLIC_URL="https://chat.example", PROXIES="1")
    page = ask(there, "GET", "/accounts/login/")
    form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)  # type: ignore[attr-defined]
    assert form
    planted = cookies(page)["csrftoken"].value
    sent = urlencode(
        {"login": "ada", "password": PASSWORD, "csrfmiddlewaretoken": form[1]}
    )
    inside = ask(
        there,
        "POST",
        "/accounts/login/",
        sent,
        Cookie=f"csrftoken={planted}",
        Referer="https://chat.example/accounts/login/",
        Origin="https://chat.example",
    )
    assert inside.status == 302
    given = cookies(page) | cookies(inside)
    assert {"csrftoken", "sessionid"} <= {*given}
    for name, cookie in given.items():
        assert cookie["secure"], name
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name
        assert not cookie["domain"], name


def test_a_form_of_another_origin_is_refused(
    server_process: Start, static_root: Path
) -> None:
    there = server_process(PUBLIC_URL="https://chat.example", PROXIES="1")
    page = ask(there, "GET", "/accounts/login/")
    form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)  # type: ignore[attr-defined]
    assert form
    sent = urlencode({"login": "ada", "csrfmiddlewaretoken": form[1]})
    cookie = f"csrftoken={cookies(page)['csrftoken'].value}"
    for origin in ("https://mallory.example", "http://chat.example", "null"):
        answer = ask(
            there, "POST", "/accounts/login/", sent, Cookie=cookie, Origin=origin
        )
        assert answer.status == 403, origin


def deploy_check(
    tmp_path: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    known = {
        "PATH": os.environ["PATH"],
        "DATA": str(tmp_path),
        "SECRET_KEY": "a-long-secret-of-an-installation-0123456789-abcdefghij",
        "PUBLIC_URL": "https://chat.example",
        "DATABASE_URL": "postgresql://desk@127.0.0.1:1/desk",  # nobody asks it
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
        "HSTS_SECONDS": "31536000",
    }
    words = ("check", "--deploy", "--fail-level", "WARNING")
    return managed(tmp_path, known | environment, *words)


def test_the_deployment_check_has_nothing_to_say(tmp_path: Path) -> None:
    answer = deploy_check(tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert "no issues" in answer.stdout


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEBUG", "on", "security.W018"),
        ("PUBLIC_URL", "http://chat.example", "helpdesk.W001"),
        ("SECRET_KEY", "short", "helpdesk.E002"),
        ("HSTS_SECONDS", "0", "security.W004"),
    ],
)
def test_but_it_has_where_something_is_wrong(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    answer = deploy_check(tmp_path, **{name: value})
    assert answer.returncode != 0
    assert said in answer.stdout
