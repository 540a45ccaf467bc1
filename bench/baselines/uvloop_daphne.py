"""Daphne as the product runs it, on uvloop, with another application."""

from __future__ import annotations

import os
from importlib import import_module

from django.conf import settings

from helpdesk import serving

settings.configure(HELPDESK_UPLOAD_BYTES=0, HELPDESK_LIMITS=False)  # serving asks


async def nothing() -> None:
    """There is nobody to say goodbye to."""


if __name__ == "__main__":
    serving.run_until_told_to_leave(
        import_module(os.environ["APPLICATION"]).application,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        drain=nothing,
        on_ready=lambda port: None,
    )
