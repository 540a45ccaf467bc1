"""Sessions of people who sign in."""

from __future__ import annotations

import re

from django.contrib.sessions.backends import db

KEY = re.compile(r"[a-z0-9]{8,40}")  # as Django makes them


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie may hold a U+0000, for which PostgreSQL raises.
        return key is not None and bool(KEY.fullmatch(key))
