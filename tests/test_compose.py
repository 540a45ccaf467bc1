"""What compose.yaml promises, as far as it can be read without Docker, and what becomes
of `make docker-check` where buildah is missing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CADDYFILE: str = COMPOSE["configs"]["caddyfile"]["content"]
OURS = ("web-1", "web-2", "clock", "migrate")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_only_the_proxy_may_be_reached_from_elsewhere() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["proxy"]


@pytest.mark.parametrize("name", OURS)
def test_all_of_ours_are_one_installation(name: str) -> None:
    """The same image, secret, database, channel server and files."""
    for word in ("image", "environment", "volumes"):
        assert SERVICES[name][word] == SERVICES["web-1"][word]
    assert SERVICES[name]["volumes"] == ["files:/data"]
    assert "DATA=/data" in DOCKERFILE


def test_the_clock_runs_once_and_not_in_the_servers() -> None:
    assert SERVICES["web-1"]["environment"]["HELPDESK_CLOCK"] == "off"
    assert SERVICES["clock"]["command"] == ["python", "manage.py", "clock"]
    assert all("command" not in SERVICES[name] for name in ("web-1", "web-2"))


def test_nothing_starts_before_the_database_is_up_to_date() -> None:
    for name in ("web-1", "web-2", "clock"):
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["command"][:3] == ["python", "manage.py", "migrate"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_every_service_tells_how_it_is(name: str) -> None:
    told = SERVICES[name].get("healthcheck", {})
    assert "test" in told or (name in OURS and "HEALTHCHECK" in DOCKERFILE)


def test_a_server_may_take_its_time_to_say_goodbye() -> None:
    seconds = int(SERVICES["web-1"]["stop_grace_period"].removesuffix("s"))
    assert seconds >= 20


def test_no_secret_is_written_down() -> None:
    environment = SERVICES["web-1"]["environment"]
    for name in ("SECRET_KEY", "HELPDESK_METRICS_TOKEN"):
        assert environment[name].startswith("${")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]


def test_every_word_that_is_set_is_read() -> None:
    settings = (ROOT / "helpdesk" / "settings.py").read_text()
    for name in SERVICES["web-1"]["environment"]:
        assert f'"{name}"' in settings


def test_the_proxy_stands_before_both_servers_and_is_counted() -> None:
    assert "reverse_proxy web-1:8000 web-2:8000" in CADDYFILE
    assert SERVICES["web-1"]["environment"]["PROXIES"] == 1
    assert "health_uri /readyz" in CADDYFILE


def test_the_proxy_takes_what_the_server_takes() -> None:
    (megabytes,) = re.findall(r"max_size (\d+)MB", CADDYFILE)
    assert int(megabytes) * 1000**2 > 10 * 1024**2 + 16 * 1024
    timeouts = re.findall(r"_timeout (\d+)s", CADDYFILE)
    assert len(timeouts) == 2
    assert all(int(seconds) > 60 for seconds in timeouts)


def test_strangers_do_not_reach_the_metrics() -> None:
    assert "respond /metrics 404" in CADDYFILE


def test_without_buildah_the_check_fails_with_a_word(tmp_path: Path) -> None:
    """A skip would prove nothing."""
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    ended = subprocess.run(
        ["/bin/sh", ROOT / ".ci" / "docker-check"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "buildah is missing" in ended.stderr
    assert "apt install buildah" in ended.stderr
