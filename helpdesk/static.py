"""Static files: named by their content, and served before Django is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, cast

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    Scope,
)
from whitenoise.base import WhiteNoise
from whitenoise.storage import CompressedManifestStaticFilesStorage

log = logging.getLogger(__name__)

HASHED = r"\.[0-9a-f]{12}\."  # as in app.0123456789ab.js: may be kept for ever


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Pages name the others by their content; compressing them too takes twice as long.
    keep_only_hashed_files = True


class StaticFiles:
    """Answers for collected static files and passes everything else on.

    WhiteNoise's middleware is synchronous and would hold a thread for as long as a
    long poll waits; so its lookup is used here, and not its middleware.
    """

    def __init__(self, application: ASGI3Application, root: Path, url: str) -> None:
        self.application = application
        files = WhiteNoise(None, immutable_file_test=HASHED)
        if root.is_dir():
            files.add_files(str(root), prefix=url)
        else:
            log.warning("no static files in %s: run manage.py collectstatic", root)
        self.files: dict[str, Any] = files.files

    def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> Awaitable[None]:
        """No coroutine of its own, which would live as long as a socket."""
        if scope["type"] == "http" and (file := self.files.get(scope["path"])):
            return respond(file, scope, send)
        return self.application(scope, receive, send)


async def respond(file: Any, scope: HTTPScope, send: ASGISendCallable) -> None:
    environ = {
        "HTTP_" + name.decode("latin1").upper().replace("-", "_"): value.decode(
            "latin1"
        )
        for name, value in scope["headers"]
    }
    response = await asyncio.to_thread(file.get_response, scope["method"], environ)
    headers = [
        (name.lower().encode("latin1"), value.encode("latin1"))
        for name, value in response.headers
    ]
    await send(
        cast(
            HTTPResponseStartEvent,
            {
                "type": "http.response.start",
                "status": int(response.status),
                "headers": headers,
            },
        )
    )
    body = await asyncio.to_thread(_read, response.file)
    await send(
        cast(HTTPResponseBodyEvent, {"type": "http.response.body", "body": body})
    )


def _read(file: Any) -> bytes:
    if file is None:
        return b""
    with file:
        return bytes(file.read())
