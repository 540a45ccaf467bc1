"""What keeps customers out is named, with the line that lets them in again."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from pytest_django import Settings

from helpdesk import database, doctor, mirror, pulse
from helpdesk.doctor import inside
from helpdesk.doctor.findings import State
from helpdesk.models.leases import ServerProcess
from tests import live
from tests.preloaded import managed
from tests.proxies import Faults, Proxy, make_certificate
from tests.services import free_port

KIB, MIB = 1024, 1024**2
Start = Callable[..., live.ServerProcess]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "desk.pem")


@pytest.fixture(scope="module")
def standing(certificate: Path) -> Iterator[Proxy]:
    proxy = Proxy(certificate)
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(
    standing: Proxy,
    certificate: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Proxy:
    """Well set up, as yet, before a server that does not run yet."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    settings.HELPDESK_PUBLIC_URL = standing.url
    settings.HELPDESK_PROXIES = 1
    standing.faults = Faults()
    return standing


@pytest.fixture(scope="module")
def server(
    django_db_setup: None,
    standing: Proxy,
    static_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[live.ServerProcess]:
    log = tmp_path_factory.mktemp("server") / "log"
    told = {"PUBLIC_URL": standing.url, "PROXIES": "1"}
    process = live.ServerProcess(log, STATIC_ROOT=str(static_root), **told)
    yield process
    process.kill()


@pytest.fixture
def behind(proxy: Proxy, server: live.ServerProcess, transactional_db: None) -> None:
    """A server behind it, with a site."""
    apps.get_model("customers", "Site").objects.create(key="shop", name="Shop")
    proxy.upstream = server.port


def examine(proxy: Proxy, site: str | None = "shop", silence: float = 0.3) -> Any:
    return list(doctor.examine_outside(proxy.url, site, silence))


def failures(proxy: Proxy, **how: Any) -> dict[str, str]:
    """What has failed, and all that is said about it."""
    return {
        each.what: " ".join((each.why, *each.mend))
        for each in examine(proxy, **how)
        if each.state == State.ILL
    }


# --- through a proxy


def test_a_good_proxy_is_well(proxy: Proxy, behind: None) -> None:
    found = examine(proxy)
    assert {each.state for each in found} == {State.WELL}
    whats = {each.what for each in found}
    assert {"WebSocket", "long poll", "uploads of 10 MiB", "chat page"} <= whats


def test_one_that_does_not_reach_the_server(proxy: Proxy) -> None:
    proxy.faults.away = True
    (said,) = failures(proxy).values()
    assert "proxy_pass" in said
    assert "reverse_proxy" in said


def test_nobody_listens(proxy: Proxy) -> None:
    found = list(doctor.examine_outside(f"http://127.0.0.1:{free_port()}", None))
    assert [each.state for each in found] == [State.ILL]
    assert "listen 443" in " ".join(found[0].mend)


def test_a_name_that_is_not_known() -> None:
    (found,) = doctor.examine_outside("http://desk.invalid", None)
    assert "DNS" in found.mend[0]


def test_a_certificate_that_browsers_refuse(
    proxy: Proxy, behind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    (said,) = failures(proxy).values()
    assert "certificate is not valid" in said
    assert "ssl_certificate" in said


def test_upgrade_is_stripped(proxy: Proxy, behind: None) -> None:
    proxy.faults.strips_upgrade = True
    found = failures(proxy)
    assert list(found) == ["WebSocket"]
    assert "proxy_set_header Upgrade $http_upgrade" in found["WebSocket"]
    assert "header_up -Upgrade" in found["WebSocket"]


def test_frames_do_not_come_through(
    proxy: Proxy, behind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpdesk.doctor.outside.SECONDS", 1)
    proxy.faults.swallows_frames = True
    found = failures(proxy)
    assert list(found) == ["WebSocket"]
    assert "proxy_buffering off" in found["WebSocket"]


def test_large_bodies_are_refused(proxy: Proxy, behind: None) -> None:
    proxy.faults.most_bytes = MIB  # as nginx does unless told otherwise
    found = failures(proxy)
    assert list(found) == ["uploads of 10 MiB"]
    assert "413" in found["uploads of 10 MiB"]
    assert "client_max_body_size 11m" in found["uploads of 10 MiB"]
    assert "request_body { max_size 11MB }" in found["uploads of 10 MiB"]
    assert "proxy_request_buffering" not in found["uploads of 10 MiB"]


def test_large_bodies_are_cut(proxy: Proxy, behind: None) -> None:
    proxy.faults.cuts_at = 8 * MIB
    found = failures(proxy)
    assert list(found) == ["uploads of 10 MiB"]
    assert f"{8 * MIB:,} arrive" in found["uploads of 10 MiB"]


def test_the_scheme_is_not_told(proxy: Proxy, behind: None) -> None:
    proxy.faults.hides_scheme = True
    found = failures(proxy)
    said = found["X-Forwarded-Proto"]
    assert "proxy_set_header X-Forwarded-Proto $scheme" in said


def test_the_client_is_not_told(proxy: Proxy, behind: None) -> None:
    proxy.faults.hides_client = True
    found = failures(proxy)
    assert list(found) == ["X-Forwarded-For"]
    assert "$proxy_add_x_forwarded_for" in found["X-Forwarded-For"]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "web-1:8000"])
def test_the_host_is_replaced(proxy: Proxy, behind: None, host: str) -> None:
    """By one that the server knows as its own, or by one that it does not know."""
    proxy.faults.host = host
    found = failures(proxy)
    assert "proxy_set_header Host $http_host" in found["Host"]


@pytest.mark.parametrize(("proxies", "line"), [(0, "PROXIES=1"), (2, "PROXIES=1")])
def test_more_or_fewer_proxies_than_said(
    proxy: Proxy,
    settings: Settings,
    server_process: Start,
    static_root: Path,
    proxies: int,
    line: str,
) -> None:
    """With too few all visitors are one; with too many any of them is anybody."""
    server = server_process(PUBLIC_URL=proxy.url, PROXIES=str(proxies))
    settings.HELPDESK_PROXIES = proxies
    proxy.upstream = server.port
    found = failures(proxy, site=None)
    assert line in found["PROXIES"]


def test_silence_is_cut_short(proxy: Proxy, behind: None) -> None:
    proxy.faults.idle_seconds = 1
    found = failures(proxy, silence=4)
    assert set(found) == {"WebSocket", "long poll"}
    for said in found.values():
        assert "fter 1 s" in said
        assert "proxy_read_timeout 120s" in said
        assert "read_timeout" in said


def test_static_files_are_looked_for_elsewhere(proxy: Proxy, behind: None) -> None:
    proxy.faults.missing = "/static/"
    found = failures(proxy)
    assert list(found) == ["static files"]
    assert "collectstatic" in found["static files"]
    assert "location /static/" in found["static files"]


def test_redirects_lead_astray(proxy: Proxy, behind: None) -> None:
    proxy.faults.rewrites_location = "http://127.0.0.1:8000/accounts/login/"
    found = failures(proxy)
    assert list(found) == ["redirects"]
    assert "proxy_redirect off" in found["redirects"]


def test_the_chat_may_not_stand_in_a_frame(proxy: Proxy, behind: None) -> None:
    proxy.faults.adds = (("X-Frame-Options", "SAMEORIGIN"),)
    found = failures(proxy)
    assert list(found) == ["chat page"]
    assert "X-Frame-Options" in found["chat page"]


def test_a_policy_is_lost(proxy: Proxy, behind: None) -> None:
    proxy.faults.hides = ("content-security-policy",)
    assert set(failures(proxy)) == {"page headers", "chat page"}


def test_a_private_page_is_cached(proxy: Proxy, behind: None) -> None:
    proxy.faults.adds = (("Age", "7"),)
    found = failures(proxy)
    assert list(found) == ["page headers"]
    assert "proxy_cache" in found["page headers"]


def test_somebody_else_answers(proxy: Proxy, behind: None) -> None:
    proxy.faults.missing = "/healthz"
    (said,) = failures(proxy).values()
    assert "server_name" in said


def test_without_a_site_it_says_what_it_did_not_try(proxy: Proxy, behind: None) -> None:
    found = {each.what: each.state for each in examine(proxy, site=None)}
    assert found["chat"] == State.POOR
    assert "WebSocket" not in found


def test_a_server_with_another_secret(
    proxy: Proxy, server_process: Start, static_root: Path
) -> None:
    server = server_process(
        PUBLIC_URL=proxy.url, PROXIES="1", SECRET_KEY=token_urlsafe(60)
    )
    proxy.upstream = server.port
    assert "SECRET_KEY" in failures(proxy, site=None)["forwarded headers"]


# --- the command


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(proxy: Proxy, tmp_path: Path) -> Command:
    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "DATABASE_URL": live.url_of_test_database(),
            "DEBUG": "off",
            "PUBLIC_URL": proxy.url,
            "PROXIES": "1",
            **more,
        }
        return managed(tmp_path, environment, "doctor", *words)

    return run


def test_the_command_ends_well_when_all_is_well(command: Command, behind: None) -> None:
    pulse.beat()
    ended = command("--silence", "0.2")
    assert ended.returncode == 0, ended.stdout
    assert "WebSocket" in ended.stdout
    assert "0 failed" in ended.stdout


def test_the_command_fails_when_something_has(
    command: Command, proxy: Proxy, behind: None
) -> None:
    pulse.beat()
    proxy.faults.strips_upgrade = True
    ended = command("--silence", "0.2", "--site", "shop")
    assert ended.returncode == 1
    assert "FAILED" in ended.stdout
    assert "$http_upgrade" in ended.stdout
    assert "1 failed" in ended.stdout


def test_it_may_stay_inside(
    command: Command, proxy: Proxy, transactional_db: None
) -> None:
    pulse.beat()
    proxy.faults.away = True
    ended = command("--inside")
    assert ended.returncode == 0, ended.stdout
    assert "public address" not in ended.stdout


def test_without_a_database_it_says_so_and_goes_on(
    command: Command, proxy: Proxy
) -> None:
    proxy.faults.away = True
    ended = command(DATABASE_URL="sqlite:////nowhere/gone.sqlite3")
    assert ended.returncode == 1
    assert "DATABASE_URL" in ended.stdout
    assert "proxy_pass" in ended.stdout
    assert "Traceback" not in ended.stdout


# --- inside


def states(examination: Callable[[], Any]) -> dict[str, State]:
    return {each.what: each.state for each in examination()}


@pytest.mark.django_db
def test_what_the_servers_stand_on_is_well() -> None:
    pulse.beat()
    assert states(inside.database) == {"database": State.WELL}
    assert states(inside.channel_layer) == {"channel layer": State.WELL}
    assert states(inside.clock) == {"clock": State.WELL}
    assert states(inside.disk) == {"disk": State.WELL}


@pytest.mark.django_db
def test_a_database_of_an_older_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="helpdesk").delete()
    (found,) = inside.database()
    assert "manage.py migrate" in found.mend[0]


def test_a_channel_layer_that_is_away(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"redis://127.0.0.1:{free_port()}/0"]},
        }
    }
    from channels.layers import channel_layers

    channel_layers.backends.clear()
    try:
        (found,) = inside.channel_layer()
    finally:
        channel_layers.backends.clear()
    assert found.state == State.ILL
    assert "REDIS_URL" in found.mend[0]


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [30, -30])
def test_a_small_office_has_a_channel_server_and_a_clock_of_its_own(
    settings: Settings, seconds: int
) -> None:
    """As long as `make serve` runs, which brings both."""
    settings.HELPDESK_PRODUCTION = True
    settings.REDIS_URLS = []
    at = database.db_now() + dt.timedelta(seconds=seconds)
    ServerProcess.objects.create(started_at=at, alive_until=at)
    runs = State.WELL if seconds > 0 else State.ILL
    assert states(inside.channel_layer)["channel layer"] == runs
    assert states(inside.clock)["clock"] == runs
    assert ("settings (helpdesk.E005)" in states(inside.weak_settings)) == (seconds < 0)


def test_a_clock_that_nobody_runs() -> None:
    (found,) = inside.clock()
    assert found.state == State.ILL
    assert "manage.py clock" in found.mend[0]


@pytest.mark.django_db
def test_a_look_at_the_clock_is_its_pulse() -> None:
    from django.core.management import call_command

    assert not pulse.beats()
    call_command("clock", once=True)
    assert pulse.beats()


def test_mail_that_cannot_be_sent(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    (found,) = inside.mail()
    assert found.state == State.ILL
    assert "EMAIL_URL" in found.mend[0]


def test_mail_that_nobody_sends(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    (found,) = inside.mail()
    assert found.state == State.POOR


def test_a_disk_that_takes_no_files(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    settings.MEDIA_ROOT = file / "uploads"
    (found,) = inside.disk()
    assert found.state == State.ILL


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "LITTLE_BYTES", 2**62)
    assert states(inside.disk) == {"disk": State.POOR}
    monkeypatch.setattr(inside, "TOO_LITTLE_BYTES", 2**62)
    assert states(inside.disk) == {"disk": State.ILL}


def test_weak_settings_are_shown(settings: Settings) -> None:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    settings.HELPDESK_DEMO = True
    found = states(inside.weak_settings)
    assert found["settings (helpdesk.E006)"] == State.ILL
    assert found["settings"] == State.POOR  # no HSTS


# --- the mirror


def test_the_mirror_shows_the_doctor_how_it_comes() -> None:
    told = {"Authorization": f"Bearer {mirror.ticket()}"}
    answer = Client().post("/mirror", b"12345", "text/plain", headers=told)
    assert answer.json()["bytes"] == 5
    assert answer.json()["client"] == "127.0.0.1"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("word", ["", "Bearer ", "Bearer doctor:1:x"])
def test_nobody_else_sees_it(word: str) -> None:
    assert Client().get("/mirror", headers={"Authorization": word}).status_code == 404


def test_a_ticket_is_good_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "FRESH_SECONDS", -1)
    told = {"Authorization": f"Bearer {mirror.ticket()}"}
    assert Client().get("/mirror", headers=told).status_code == 404


def test_a_proxy_ends_with_its_test(certificate: Path) -> None:
    standing = Proxy(certificate)
    standing.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", standing.port))
