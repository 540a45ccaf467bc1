"""The telephone that shows the codes of a second step."""

from __future__ import annotations

import time

from allauth.mfa import app_settings
from allauth.mfa.totp.internal import auth as totp


def code_of(secret: str, later: int = 0) -> str:
    """What it shows, so many periods from now. The server takes a neighbour's too, so
    that a period may end before the code has arrived."""
    counter = int(time.time()) // app_settings.TOTP_PERIOD + later
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))
