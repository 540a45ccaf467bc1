"""What a start does before it listens, and does not do again when nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from .management.commands.demo import LOG_INS, PASSWORD


def prepare(how: str, port: int) -> None:
    migrate()
    if not settings.DEBUG:
        collect_static()
    if how == "run":
        call_command("demo", port=port, verbosity=0)


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
