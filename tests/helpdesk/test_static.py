"""Static files as production serves them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from helpdesk.static import StaticFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "static" / "app.0123456789ab.js").write_text("plain" * 9)
    (tmp_path / "static" / "app.0123456789ab.js.br").write_text("small")
    (tmp_path / "static" / "app.js").write_text("plain")
    return tmp_path / "static"


class Answer:
    def __init__(
        self, root: Path, path: str, method: str = "GET", **headers: str
    ) -> None:
        self.passed_on = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
        }
        files: Any = StaticFiles(self.application, root, "/static/")
        asyncio.run(files(scope, None, self.send))

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.passed_on = True

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            self.body += message["body"]


def test_a_file_is_served(root: Path) -> None:
    answer = Answer(root, "/static/app.js")
    assert (answer.status, answer.body) == (200, b"plain")


def test_a_file_named_by_its_content_is_kept_for_ever(root: Path) -> None:
    answer = Answer(root, "/static/app.0123456789ab.js")
    assert "immutable" in answer.headers["cache-control"]


def test_another_one_is_not(root: Path) -> None:
    answer = Answer(root, "/static/app.js")
    assert "immutable" not in answer.headers["cache-control"]


def test_it_travels_small_to_whoever_can_read_that(root: Path) -> None:
    answer = Answer(root, "/static/app.0123456789ab.js", accept_encoding="gzip, br")
    assert (answer.headers["content-encoding"], answer.body) == ("br", b"small")


def test_it_travels_plain_to_others(root: Path) -> None:
    answer = Answer(root, "/static/app.0123456789ab.js")
    assert answer.body == b"plain" * 9


def test_head_has_no_body(root: Path) -> None:
    answer = Answer(root, "/static/app.js", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_what_is_not_there_is_passed_on(root: Path) -> None:
    assert Answer(root, "/static/other.js").passed_on


@pytest.mark.parametrize(
    "path",
    ["/static/../secret", "/static//../secret", "/static/%2e%2e/secret", "/secret"],
)
def test_nothing_outside_is_served(root: Path, path: str) -> None:
    assert Answer(root, path).passed_on


def test_nothing_may_be_posted(root: Path) -> None:
    assert Answer(root, "/static/app.js", method="POST").status == 405


def test_without_any_files_all_is_passed_on(tmp_path: Path) -> None:
    assert Answer(tmp_path / "missing", "/static/app.js").passed_on
