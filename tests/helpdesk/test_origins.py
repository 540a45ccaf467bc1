"""Which pages may stand before a door."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from customers.models import Site
from helpdesk.origins import exact_origin, may_enter, own_origin, own_origin_of_scope

OWN = "https://chat.example"
SHOP = Site(allowed_origins="https://shop.example\nhttp://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://shop.example:8080",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://xn--fsq.example",
    ],
)
def test_what_a_browser_sends_is_an_origin(origin: str) -> None:
    assert exact_origin(origin) == origin


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
    ],
)
def test_it_knows_what_was_meant(written: str, meant: str) -> None:
    assert exact_origin(written) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "*",
        "shop.example",
        "ftp://shop.example",
        "javascript://shop.example",
        "https://",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?q",
        "https://cora@shop.example",
        "https://shop.example:99999",
        "https://shop.example:x",
        "https://shop .example",
        "https://shop\\.example",
        "https://店.example",
        "https://[::1",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert exact_origin(text) is None


@pytest.mark.parametrize(
    "origin", [OWN, "https://shop.example", "http://localhost:3000"]
)
def test_our_own_pages_and_the_sites_may_enter(origin: str) -> None:
    assert may_enter(origin, SHOP, OWN)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://mallory.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.mallory.example",
        "https://mallory-shop.example",
        "https://sub.shop.example",
        "https://SHOP.example",
        "https://shop.example/",
        "https://shop.example\nhttp://localhost:3000",
        "https://shop.example http://localhost:3000",
        "http://localhost",
        "https://localhost:3000",
    ],
)
def test_nobody_else_may(origin: str | None) -> None:
    assert not may_enter(origin, SHOP, OWN)


def test_null_may_not_even_if_we_do_not_know_our_own() -> None:
    assert not may_enter("null", SHOP, None)


def test_our_own_is_the_public_one(settings: Settings) -> None:
    """Whatever name a client calls us by."""
    settings.HELPDESK_PUBLIC_URL = OWN
    assert own_origin("http", "mallory.example") == OWN


def test_without_a_public_one_it_is_the_one_that_was_called(settings: Settings) -> None:
    settings.HELPDESK_PUBLIC_URL = ""
    assert own_origin("http", "127.0.0.1:8000") == "http://127.0.0.1:8000"
    assert own_origin("https", "127.0.0.1:443") == "https://127.0.0.1"


def handshake(*hosts: bytes, scheme: str = "ws") -> dict[str, Any]:
    return {"scheme": scheme, "headers": [(b"host", host) for host in hosts]}


def test_a_sockets_own_origin_is_that_of_its_host(settings: Settings) -> None:
    settings.HELPDESK_PUBLIC_URL = ""
    assert own_origin_of_scope(handshake(b"LOCALHOST:8000")) == "http://localhost:8000"
    assert (
        own_origin_of_scope(handshake(b"127.0.0.1", scheme="wss"))
        == "https://127.0.0.1"
    )


@pytest.mark.parametrize(
    "hosts", [(), (b"mallory.example",), (b"localhost", b"mallory.example"), (b"\xff",)]
)
def test_a_name_that_is_not_ours_is_not_believed(
    settings: Settings, hosts: tuple[bytes, ...]
) -> None:
    """Mallory's own name may point to this machine."""
    settings.HELPDESK_PUBLIC_URL = ""
    assert own_origin_of_scope(handshake(*hosts)) is None
