"""What whoever watches a process is told."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from django.test import AsyncClient

from tests.live import ServerProcess
from tests.servers import ValkeyServer


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """One of this test's own, to take away."""
    server = ValkeyServer()
    yield server
    server.remove()


async def test_a_process_that_answers_is_ok(async_client: AsyncClient) -> None:
    answer = await async_client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db(transaction=True)
async def test_with_database_and_layer_it_is_ready(async_client: AsyncClient) -> None:
    answer = await async_client.get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ready\n")


async def test_nothing_may_be_posted(async_client: AsyncClient) -> None:
    assert (await async_client.post("/readyz")).status_code == 405


async def test_no_answer_is_kept(async_client: AsyncClient) -> None:
    answer = await async_client.get("/healthz")
    assert "no-store" in answer.headers["Cache-Control"]


def test_without_its_channel_server_it_is_not_ready(
    server_process: Callable[..., ServerProcess], valkey: ValkeyServer
) -> None:
    process = server_process(REDIS_URL=valkey.url)
    assert get(f"{process.url}/readyz") == (200, "ready")
    valkey.stop()
    assert get(f"{process.url}/readyz") == (503, "unready")
    assert get(f"{process.url}/healthz") == (200, "ok")
    valkey.start()
    assert get(f"{process.url}/readyz") == (200, "ready")


def test_without_its_database_it_is_not_ready(
    server_process: Callable[..., ServerProcess], valkey: ValkeyServer
) -> None:
    process = server_process(
        DATABASE_URL="postgresql://postgres@127.0.0.1:1/gone", REDIS_URL=valkey.url
    )
    assert get(f"{process.url}/readyz") == (503, "unready")
    assert get(f"{process.url}/healthz") == (200, "ok")
