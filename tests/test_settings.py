"""What production refuses, by name, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from helpdesk import checks
from helpdesk.secrets import kept_secret

STRONG = "k7Qv-x2Lw9_mZr4Ts8Bn1Hd6Gf3Jc5Pa0Ye-UiOqWbVnMlKjHg"


@pytest.fixture
def production(settings: Settings) -> Settings:
    """As an operator would have it."""
    settings.HELPDESK_PRODUCTION = True
    settings.DEBUG = False
    settings.HELPDESK_DEMO = False
    settings.HELPDESK_LIMITS = True
    settings.HELPDESK_PROXIES = 1
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    settings.SECRET_KEY = STRONG
    settings.REDIS_URLS = ["redis://redis:6379/0"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    return settings


def found() -> list[str]:
    return [str(message.id) for message in checks.settings_are_safe(None)]


def test_production_with_everything_set_is_fine(production: Settings) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("SECRET_KEY", "", "helpdesk.E001"),
        ("SECRET_KEY", "short", "helpdesk.E002"),
        ("SECRET_KEY", "ab" * 40, "helpdesk.E002"),
        ("SECRET_KEY", "django-insecure-" + STRONG, "helpdesk.E002"),
        ("HELPDESK_PUBLIC_URL", "", "helpdesk.E003"),
        ("HELPDESK_PUBLIC_URL", "chat.example", "helpdesk.E004"),
        ("HELPDESK_PUBLIC_URL", "https://chat.example/desk", "helpdesk.E004"),
        ("REDIS_URLS", [], "helpdesk.E005"),
        ("HELPDESK_DEMO", True, "helpdesk.E006"),
        ("HELPDESK_LIMITS", False, "helpdesk.E007"),
        ("DEBUG", True, "helpdesk.E008"),
        ("HELPDESK_PROXIES", -1, "helpdesk.E009"),
        ("HELPDESK_METRICS_TOKEN", "guess-me", "helpdesk.E010"),
        ("HELPDESK_LOG", "xml", "helpdesk.E011"),
        ("HELPDESK_PUBLIC_URL", "http://chat.example", "helpdesk.W001"),
        (
            "EMAIL_BACKEND",
            "django.core.mail.backends.dummy.EmailBackend",
            "helpdesk.W002",
        ),
    ],
)
def test_what_is_wrong_has_a_name_of_its_own(
    production: Settings, name: str, value: object, id: str
) -> None:
    setattr(production, name, value)
    assert found() == [id]


def test_every_message_says_what_to_do(production: Settings) -> None:
    production.SECRET_KEY = production.HELPDESK_PUBLIC_URL = ""
    assert all(message.hint for message in checks.settings_are_safe(None))


@pytest.mark.parametrize("name", ["HELPDESK_DEMO", "DEBUG"])
def test_a_demo_on_this_machine_is_fine(production: Settings, name: str) -> None:
    production.HELPDESK_PUBLIC_URL = "http://127.0.0.1:8000"
    setattr(production, name, True)
    assert found() == []


def test_a_bench_on_this_machine_may_go_without_limits(production: Settings) -> None:
    production.HELPDESK_PUBLIC_URL = "http://localhost:8000"
    production.HELPDESK_LIMITS = False
    assert found() == []


def test_the_server_refuses_to_start_by_name(production: Settings) -> None:
    production.HELPDESK_PUBLIC_URL = ""
    with pytest.raises(ImproperlyConfigured, match="PUBLIC_URL is not set"):
        checks.refuse_unsafe()


def test_warnings_do_not_keep_it_from_starting(production: Settings) -> None:
    production.HELPDESK_PUBLIC_URL = "http://chat.example"
    checks.refuse_unsafe()


def start(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`start` with nothing but what is said here."""
    known = {"PATH": os.environ["PATH"], "DATA": str(tmp_path), "PORT": "0"}
    return subprocess.run(
        [sys.executable, "-m", "helpdesk", "start"],
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_without_a_secret_does_not_start(tmp_path: Path) -> None:
    answer = start(tmp_path, PUBLIC_URL="https://chat.example")
    assert answer.returncode != 0
    assert "SECRET_KEY" in answer.stderr


def test_production_makes_no_secret_of_its_own(tmp_path: Path) -> None:
    start(tmp_path, PUBLIC_URL="https://chat.example")
    assert not (tmp_path / "secret_key").exists()


def test_a_weak_secret_does_not_start(tmp_path: Path) -> None:
    answer = start(tmp_path, SECRET_KEY="secret", PUBLIC_URL="https://chat.example")
    assert answer.returncode != 0
    assert "SECRET_KEY is weak" in answer.stderr


def test_a_kept_secret_stays_the_same(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "data", create=True)
    assert kept_secret(tmp_path / "data", create=False) == first


def test_a_kept_secret_is_strong(tmp_path: Path) -> None:
    assert list(checks.secret(kept_secret(tmp_path, create=True))) == []


def test_nobody_else_may_read_a_kept_secret(tmp_path: Path) -> None:
    kept_secret(tmp_path, create=True)
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
