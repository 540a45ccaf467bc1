"""What every door of a site has in common, shown on the simplest: status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient
from pytest_django.fixtures import Settings

from customers.models import Site

SHOP_PAGE = "https://shop.example"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop() -> Site:
    return Site.objects.create(key="shop", name="Shop", allowed_origins=SHOP_PAGE)


async def knock(key: str = "shop", method: str = "get", **headers: str) -> Any:
    ask = getattr(AsyncClient(), method)
    return await ask(f"/widget/{key}/status/", headers=headers)


async def test_our_own_page_does_not_say_where_it_is_when_it_reads() -> None:
    response = await knock()
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("origin", [SHOP_PAGE, "http://testserver"])
async def test_the_sites_page_and_our_own_may_read(origin: str) -> None:
    response = await knock(Origin=origin)
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == origin
    assert "Origin" in response["Vary"]


@pytest.mark.parametrize("origin", ["null", "https://mallory.example", "shop.example"])
async def test_a_strangers_page_may_not(origin: str) -> None:
    response = await knock(Origin=origin)
    assert response.status_code == 403
    assert json.loads(response.content)["code"] == "forbidden"
    assert "Access-Control-Allow-Origin" not in response
    assert "Origin" in response["Vary"]


async def test_the_public_address_alone_is_our_own(settings: Settings) -> None:
    settings.HELPDESK_PUBLIC_URL = "https://chat.example"
    assert (await knock(Origin="https://chat.example")).status_code == 200
    assert (await knock(Origin="http://testserver")).status_code == 403


@pytest.mark.parametrize("key", ["nowhere", "SHOP", "shop_", "x" * 200])
async def test_there_is_no_such_site(key: str) -> None:
    assert (await knock(key)).status_code == 404


async def test_other_methods_are_not_taken() -> None:
    response = await knock(method="post", Origin=SHOP_PAGE)
    assert response.status_code == 405
    assert json.loads(response.content)["code"] == "method_unknown"


async def test_no_cookie_comes_of_it() -> None:
    assert not (await knock()).cookies
