"""The secret of an installation that was not given one: kept in DATA."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def kept_secret(data: Path, *, create: bool) -> str:
    """The secret kept in `data`, made there if there is none and `create` says so;
    otherwise empty, which helpdesk.checks refuses."""
    path = data / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return _new_secret(path) if create else ""


def _new_secret(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(50)
    # Written apart and linked: of two first starts at once, both read the same one,
    # and nobody else on the machine reads it at all.
    draft = path.with_name(f".secret_key.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
    ) as f:
        f.write(secret)
    try:
        os.link(draft, path)
    except FileExistsError:
        secret = path.read_text().strip()
    finally:
        draft.unlink()
    return secret
