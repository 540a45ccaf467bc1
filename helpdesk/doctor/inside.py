"""What an installation stands on: database, channel layer, clock, mail, disk,
settings."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from helpdesk import hub, pulse
from helpdesk.database import db_now
from helpdesk.presence import desk_is_up

from .findings import Finding, ill, poor, well

SKEW_SECONDS = 5  # between this host's clock and the database's
NO_REDIS = "helpdesk.E005"
SECONDS = 10  # for another server to answer
LOOKS = 8  # at the channel layer: with several hosts, each is another one's turn
GIB = 1024**3
LITTLE_BYTES, TOO_LITTLE_BYTES = 2 * GIB, GIB // 4


def examine_inside() -> Iterator[Finding]:
    examinations: tuple[Callable[[], Iterator[Finding]], ...] = (
        weak_settings,
        database,
        channel_layer,
        clock,
        mail,
        disk,
    )
    for examine in examinations:
        try:
            yield from examine()
        except Exception as error:  # noqa: BLE001 (each of them is another's fault)
            yield ill(examine.__name__.replace("_", " "), f"{error!r}"[:300])


def weak_settings() -> Iterator[Finding]:
    found = run_checks(tags=[Tags.security], include_deployment_checks=False)
    if serves_alone():
        found = [message for message in found if message.id != NO_REDIS]
    for message in found:
        say = ill if message.is_serious() else poor
        yield say(f"settings ({message.id})", message.msg, message.hint or "")
    public = settings.HELPDESK_PUBLIC_URL
    if public.startswith("https:") and not settings.SECURE_HSTS_SECONDS:
        why = "A browser may be led to the unencrypted address first."
        mend = "HSTS_SECONDS=31536000, once all of the host is served by https"
        yield poor("settings", why, mend)
    if not found:
        yield well("settings")


def serves_alone() -> bool:
    """A small office's server runs, which brings a channel server of its own and tells
    nobody where it is."""
    if settings.REDIS_URLS:
        return False
    try:
        return desk_is_up(db_now())
    except DatabaseError:
        return False  # which is told below


def database() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 (whatever the reason, it is away)
        why = (str(error).splitlines() or [""])[0]
        yield ill("database", why, "DATABASE_URL, and that its server runs")
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        why = "It is not up to date with this version."
        yield ill("database", why, "python manage.py migrate")
        return
    skew = abs((db_now() - dt.datetime.now(dt.UTC)).total_seconds())
    if skew > SKEW_SECONDS:
        why = f"Its clock and this host's differ by {skew:.0f} s."
        yield poor("database", why, "run chrony or systemd-timesyncd on both hosts")
    yield well("database", connection.vendor)


def channel_layer() -> Iterator[Finding]:
    if not settings.REDIS_URLS:
        yield own_channel_server()
        return

    async def look() -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(LOOKS):
                await hub.look()

    try:
        asyncio.run(look())
    except Exception as error:  # noqa: BLE001 (whatever the reason, it is away)
        mend = "REDIS_URL, and that its server runs and may be reached from here"
        yield ill("channel layer", f"{error!r}"[:300], mend)
    else:
        yield well("channel layer")


def own_channel_server() -> Finding:
    if serves_alone():
        return well("channel layer", "the server's own")
    why = "Server processes would not hear each other."
    return ill("channel layer", why, "REDIS_URL, or start the server: make serve")


def clock() -> Iterator[Finding]:
    if pulse.beats() or (serves_alone() and settings.HELPDESK_CLOCK):
        yield well("clock")
        return
    yield ill(
        "clock",
        "Nobody has run it within the last minute: offers do not lapse, and customers "
        "of a lost agent are not served again. (A server begins with its first "
        "visitor; if it has just been started, ask once more.)",
        "HELPDESK_CLOCK=on for the servers, or a process of its own:"
        " python manage.py clock",
    )


def mail() -> Iterator[Finding]:
    backend = settings.EMAIL_BACKEND
    if backend.endswith((".dummy.EmailBackend", ".console.EmailBackend")):
        why = "None is sent: no follow-ups, no transcripts, no password resets."
        yield poor("mail", why, "EMAIL_URL=smtp+tls://user:password@mail.example:587")
        return
    try:
        sender = get_connection(timeout=SECONDS)
        sender.open()
        sender.close()
    except Exception as error:  # noqa: BLE001 (any fault of any mail server)
        yield ill("mail", f"{error!r}"[:300], "EMAIL_URL, and that its server runs")
    else:
        yield well("mail", f"sent as {settings.DEFAULT_FROM_EMAIL}")


def disk() -> Iterator[Finding]:
    folder = settings.MEDIA_ROOT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        mend = f"let the server's user write to DATA ({settings.DATA})"
        yield ill("disk", f"No file can be kept: {error}", mend)
        return
    free = shutil.disk_usage(folder).free
    why = f"{free / GIB:.1f} GiB free for files"
    if free < LITTLE_BYTES:
        say = ill if free < TOO_LITTLE_BYTES else poor
        yield say("disk", why, "a larger disk for DATA, or fewer files on it")
    else:
        yield well("disk", why)
