"""What a start does before it listens, and does not do again when nothing changed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from .checks import on_loopback
from .door import LOOPBACK_NAMES
from .management.commands.demo import LOG_INS, PASSWORD, USERNAMES


def prepare(how: str, host: str, port: int) -> None:
    migrate()
    alone = host in LOOPBACK_NAMES and on_loopback(settings.HELPDESK_PUBLIC_URL)
    if how == "serve" and not alone:
        refuse_demo_accounts()
    if not settings.DEBUG:
        collect_static()
    if how == "run":
        call_command("demo", port=port, verbosity=0)


def refuse_demo_accounts() -> None:
    """A demo's folder must not become an office's: its passwords are printed in the
    manual."""
    users = get_user_model().objects.filter(username__in=USERNAMES, is_active=True)
    # The demo gives all of them one hash, and to check one takes long.
    opens = {h: check_password(PASSWORD, h) for h in {u.password for u in users}}
    names = [user.get_username() for user in users if opens[user.password]]
    if names:
        sys.exit(
            f"Not started: {', '.join(names)} still have the demo's password. Change "
            f"it (manage.py changepassword {names[0]}), or use another DATA."
        )


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Compressing takes seconds, so a stamp remembers what was collected."""
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".collected"
    now = static_state()
    if stamp.exists() and stamp.read_text() == now:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(now)


def static_state() -> str:
    """Changes whenever a file does."""
    state = hashlib.sha256()
    for path in sorted(static_files()):
        status = path.stat()
        state.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return state.hexdigest()


def static_files() -> Iterator[Path]:
    for finder in get_finders():
        for name, storage in finder.list(None):
            yield Path(storage.path(name))


def log_ins(how: str) -> list[str]:
    if how == "run":
        return [f"Log in as {LOG_INS}; the password is {PASSWORD}.", ""]
    if not get_user_model().objects.filter(is_superuser=True).exists():
        data = settings.DATA
        return [
            "Nobody can log in yet. Make the first account:",
            f"  DATA={data} .venv/bin/python manage.py createsuperuser",
            "",
        ]
    return []
