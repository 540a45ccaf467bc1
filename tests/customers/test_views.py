"""The pages that customers' browsers fetch."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from customers.models import Site

SHOP = "https://shop.example"


@pytest.fixture
def site(transactional_db: None) -> Site:
    return Site.objects.create(
        key="shop", name="Shop <b>", allowed_origins=SHOP, accent="#2f6f5e"
    )


@pytest.fixture
def anybody(settings: Settings) -> Client:
    settings.ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
    return Client()


def test_the_loader_may_be_kept_and_is_asked_after(anybody: Client) -> None:
    first = anybody.get("/widget.js")
    assert first["Content-Type"] == "text/javascript; charset=utf-8"
    assert "public" in first["Cache-Control"]
    assert not first.cookies
    again = anybody.get("/widget.js", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = anybody.get("/widget.js", headers={"If-None-Match": '"other"'})
    assert other.content == first.content


def test_the_loader_may_stand_on_pages_that_isolate_themselves(
    anybody: Client,
) -> None:
    headers = anybody.get("/widget.js").headers
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_the_sites_pages_may_frame_the_chat_and_no_others(
    anybody: Client, site: Site
) -> None:
    response = anybody.get("/widget/shop/")
    policy = response["Content-Security-Policy"]
    ancestors = next(p for p in policy.split("; ") if "frame-ancestors" in p)
    assert ancestors == f"frame-ancestors 'self' http://testserver {SHOP}"
    assert "X-Frame-Options" not in response
    assert "unsafe" not in policy


def test_other_pages_of_this_server_may_not_be_framed(anybody: Client) -> None:
    response = anybody.get("/widget.js")
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_the_chat_has_no_code_or_style_in_line(anybody: Client, site: Site) -> None:
    page = anybody.get("/widget/shop/").content.decode()
    assert "style=" not in page
    assert page.count("<script") == page.count("<script id=") + page.count("src=")


def test_a_sites_name_is_text(anybody: Client, site: Site) -> None:
    page = anybody.get("/widget/shop/").content.decode()
    assert "Shop &lt;b&gt;" in page
    assert "Shop <b>" not in page


def test_the_chat_sets_no_cookie(anybody: Client, site: Site) -> None:
    assert not anybody.get("/widget/shop/").cookies


def test_an_unknown_site_has_no_chat(anybody: Client, site: Site) -> None:
    assert anybody.get("/widget/other/").status_code == 404


@pytest.mark.parametrize(
    ("page", "accepts", "spoken"),
    [
        ("zh-CN", "en", "zh-Hans"),
        ("fr", "zh-CN,zh;q=0.9", "zh-Hans"),
        ("", "fr", "en"),
        ("en-GB", "zh-CN", "en"),
        ("<script>", "", "en"),
    ],
    ids=["the page's", "the browser's", "the site's", "page first", "nonsense"],
)
def test_the_chat_speaks(
    anybody: Client, site: Site, page: str, accepts: str, spoken: str
) -> None:
    answer = anybody.get(
        "/widget/shop/", {"locale": page}, headers={"Accept-Language": accepts}
    )
    assert f'<html lang="{spoken}" dir="ltr"' in answer.content.decode()
    assert answer["Content-Language"] == spoken


def test_modules_are_served_one_by_one_only_in_development(
    anybody: Client, site: Site, settings: Settings
) -> None:
    assert b"packed/widget.js" in anybody.get("/widget/shop/?sources").content
    settings.DEBUG = True
    assert b"widget/main.js" in anybody.get("/widget/shop/?sources").content


@pytest.mark.parametrize(
    ("key", "origin", "status"),
    [
        ("shop", None, 200),
        ("shop", SHOP, 200),
        ("shop", "https://mallory.example", 403),
        ("other", SHOP, 404),
    ],
)
def test_the_status_tells_who_may_come_in(
    anybody: Client, site: Site, key: str, origin: str | None, status: int
) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = anybody.get(f"/widget/{key}/status/", headers=headers)
    assert answer.status_code == status


# --- the demo


def test_there_is_no_demo_shop_unless_it_is_a_demo(anybody: Client) -> None:
    assert anybody.get("/demo/").status_code == 404


@pytest.mark.parametrize(
    ("here", "there"),
    [("127.0.0.1:8000", "localhost:8000"), ("localhost:8000", "127.0.0.1:8000")],
)
def test_the_demo_embeds_the_chat_from_the_other_name(
    anybody: Client, settings: Settings, here: str, there: str
) -> None:
    settings.HELPDESK_DEMO = True
    response = anybody.get("/demo/", headers={"Host": here})
    assert f'src="http://{there}/widget.js"' in response.content.decode()
    assert f"frame-src http://{there}" in response["Content-Security-Policy"]


def test_the_demo_speaks_chinese(anybody: Client, settings: Settings) -> None:
    settings.HELPDESK_DEMO = True
    page = anybody.get("/demo/?lang=zh-hans").content.decode()
    assert "好茶" in page
