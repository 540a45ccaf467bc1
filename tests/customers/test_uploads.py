"""Where a customer's files come in, and who is sent away."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import AsyncClient
from django.utils import timezone
from pytest_django.fixtures import Settings

from customers.identity import Proven, make_token
from customers.models import Customer, Site
from helpdesk import limits, uploads
from helpdesk.database import reading
from helpdesk.models import Attachment
from tests.helpdesk import samples
from tests.live import LiveServer

CORA = uuid.UUID("c0" * 16)
SHOP_PAGE = "https://shop.example"
OWN_PAGE = "http://testserver"  # as the test client calls us
ADDRESS = "/widget/shop/uploads/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def disk(settings: Settings, tmp_path: Path) -> Callable[[], list[Path]]:
    settings.MEDIA_ROOT = tmp_path
    return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]


Disk = Callable[[], list[Path]]


@pytest.fixture(autouse=True)
def _limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "uploads", limits.Limit(0.5, 20))
    monkeypatch.setattr(limits, "address_uploads", limits.Limit(5, 100))


@pytest.fixture
def shop() -> Site:
    return Site.objects.create(key="shop", name="Shop", allowed_origins=SHOP_PAGE)


@pytest.fixture
def bank() -> Site:
    return Site.objects.create(key="bank", name="Bank", allowed_origins=SHOP_PAGE)


def token(site: Site, customer: uuid.UUID = CORA, proven: Proven | None = None) -> str:
    return make_token(site, customer, proven)


def proven(site: Site) -> Customer:
    return Customer.objects.create(site=site, external_id="42")


def file(data: bytes = b"", name: str = "photo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data or samples.picture())


async def send(
    token: str | None,
    form: dict[str, Any] | None = None,
    *,
    origin: str | None = SHOP_PAGE,
    to: str = ADDRESS,
    **more: Any,
) -> HttpResponse:
    headers = {
        "Authorization": f"Bearer {token}",
        "Origin": origin,
    }
    headers |= more.pop("headers", {})
    response = await AsyncClient().post(
        to,
        {"file": file()} if form is None else form,
        headers={name: value for name, value in headers.items() if value},
        **more,
    )
    assert isinstance(response, HttpResponse)
    return response


def says(response: HttpResponse) -> Any:
    return json.loads(response.content)


# --- who may ---------------------------------------------------------------------


async def test_a_customer_sends_a_file_before_the_first_conversation(
    shop: Site,
) -> None:
    response = await send(token(shop))
    assert response.status_code == 201
    kept = await reading(Attachment.objects.get)
    assert (kept.uploader, kept.site_id) == (CORA, shop.pk)
    assert not await reading(Customer.objects.exists)


async def test_the_answer_is_an_attachment_that_opens(shop: Site) -> None:
    answer = says(await send(token(shop)))
    assert set(answer) == {"id", "name", "type", "size", "url", "width", "height"}
    assert (answer["name"], answer["type"]) == ("photo.png", "image/png")
    opened = await AsyncClient().get(answer["url"])
    assert opened.status_code == 200


async def test_our_own_page_may_send(shop: Site) -> None:
    assert (await send(token(shop), origin=OWN_PAGE)).status_code == 201


async def test_a_proven_ones_file_is_theirs_on_every_device(shop: Site) -> None:
    """The phone's token is from before the desk's customer was adopted."""
    cora = await reading(proven, shop)
    response = await send(token(shop, proven=Proven("42")))
    assert response.status_code == 201
    assert (await reading(Attachment.objects.get)).uploader == cora.pk


async def test_a_token_from_before_the_adoption_sends_nothing_for_them(
    shop: Site,
) -> None:
    cora = await reading(proven, shop)
    await send(token(shop, cora.pk))
    assert (await reading(Attachment.objects.get)).uploader != cora.pk


# --- who may not -----------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer x:y:z", "Basic Y29yYTp4"]
)
async def test_without_a_token_nobody_sends(
    shop: Site, disk: Disk, authorization: str | None
) -> None:
    response = await send("", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert says(response)["code"] == "forbidden"
    assert not disk()


async def test_a_token_in_the_address_is_none(shop: Site) -> None:
    to = f"{ADDRESS}?token={token(shop)}"
    response = await send("", to=to, headers={"Authorization": None})
    assert response.status_code == 401


async def test_another_sites_token_is_none(shop: Site, bank: Site) -> None:
    assert (await send(token(bank))).status_code == 401


async def test_who_is_blocked_may_not(shop: Site, disk: Disk) -> None:
    tomorrow = timezone.now() + dt.timedelta(days=1)
    await reading(Customer.objects.create, pk=CORA, site=shop, blocked_until=tomorrow)
    response = await send(token(shop))
    assert response.status_code == 403
    assert says(response)["code"] == "blocked"
    assert not disk()


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://mallory.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.mallory.example",
    ],
)
async def test_a_strangers_page_may_not(
    shop: Site, disk: Disk, origin: str | None
) -> None:
    response = await send(token(shop), origin=origin)
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response
    assert not disk()


async def test_a_name_that_we_do_not_have_is_not_our_own(
    server: LiveServer, shop: Site
) -> None:
    """A stranger's name may point to this machine."""

    def ask() -> tuple[int, str | None]:
        line = http.client.HTTPConnection(server.host, server.port)
        headers = {"Host": "mallory.example", "Origin": "http://mallory.example"}
        line.request("OPTIONS", ADDRESS, headers=headers)
        answer = line.getresponse()
        line.close()
        return answer.status, answer.getheader("Access-Control-Allow-Origin")

    assert await asyncio.to_thread(ask) == (400, None)


async def test_there_is_no_such_site(shop: Site) -> None:
    response = await send(token(shop), to="/widget/nowhere/uploads/")
    assert response.status_code == 404
    assert says(response)["code"] == "site_unknown"


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
async def test_only_post_is_taken(shop: Site, method: str) -> None:
    response = await getattr(AsyncClient(), method)(
        ADDRESS, headers={"Origin": SHOP_PAGE}
    )
    assert response.status_code == 405


async def test_whoever_sends_too_fast_waits(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "uploads", limits.Limit(0.5, 1))
    assert (await send(token(shop))).status_code == 201
    response = await send(token(shop))
    assert response.status_code == 429
    assert 0 < says(response)["retry_ms"] <= 2_001
    assert response["Retry-After"] in ("2", "3")
    assert (await send(token(shop, uuid.uuid4()))).status_code == 201


async def test_one_address_with_many_tokens_waits_too(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "address_uploads", limits.Limit(0.5, 1))
    assert (await send(token(shop))).status_code == 201
    assert (await send(token(shop, uuid.uuid4()))).status_code == 429


async def test_nobody_hoards_files(
    shop: Site, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    monkeypatch.setattr(uploads, "UNUSED_FILES", 1)
    assert (await send(token(shop))).status_code == 201
    response = await send(token(shop))
    assert response.status_code == 429
    assert says(response)["retry_ms"]
    assert len(disk()) == 1


# --- what may not ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"file": "not a file"}, 400),
        ({"photo": file()}, 400),
        ({"file": [file(), file()]}, 400),
        ({"file": file(), "other": file()}, 400),
        ({"file": SimpleUploadedFile("empty.png", b"")}, 400),
        ({"file": file(samples.REFUSED["svg"])}, 415),
        ({"file": file(samples.REFUSED["html"])}, 415),
        ({"file": file(samples.REFUSED["windows program"])}, 415),
        ({"file": file(samples.REFUSED["archive behind a sound"])}, 415),
        ({"file": file(samples.picture("JPEG")[:300])}, 415),
        ({"file": file(samples.picture("BMP"))}, 415),
    ],
    ids=[
        "no field",
        "a text",
        "another field",
        "two files",
        "another file besides",
        "an empty file",
        "a drawing",
        "a page",
        "a program",
        "two things at once",
        "half a picture",
        "an unknown picture",
    ],
)
async def test_what_is_not_one_good_file_is_refused(
    shop: Site, disk: Disk, form: dict[str, Any], status: int
) -> None:
    for files in form.values():
        for each in files if isinstance(files, list) else [files]:
            if isinstance(each, SimpleUploadedFile):
                each.seek(0)
    response = await send(token(shop), form)
    assert response.status_code == status
    assert says(response)["detail"]
    assert not disk()
    assert not await reading(Attachment.objects.exists)


async def test_a_bomb_is_refused(shop: Site) -> None:
    response = await send(token(shop), {"file": file(samples.bomb())})
    assert response.status_code in (413, 415)


async def test_ten_mebibytes_are_taken_and_one_byte_more_is_not(
    shop: Site, disk: Disk
) -> None:
    most = b"a" * (10 * 1024 * 1024)
    response = await send(token(shop), {"file": file(most, "a.txt")})
    assert response.status_code == 201
    response = await send(token(shop), {"file": file(most + b"a", "a.txt")})
    assert response.status_code == 413
    assert len(disk()) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=" + "x" * 500),
        (b'{"file": "photo.png"}', "application/json"),
        (samples.picture(), "image/png"),
        (b"file=photo.png", "application/x-www-form-urlencoded"),
        (b"\xff" * 100, ""),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    shop: Site, body: bytes, kind: str
) -> None:
    response = await send(token(shop), body, content_type=kind)  # type: ignore[arg-type]
    assert response.status_code == 400
    assert says(response)["code"] == "bad_request"


async def test_a_name_brings_no_folder(shop: Site) -> None:
    evil = file(name="..\\..\\\u202egpj.exe")
    assert says(await send(token(shop), {"file": evil}))["name"] == "gpj.exe.png"


# --- other origins' browsers ask first -------------------------------------------


async def ask_first(origin: str) -> Any:
    return await AsyncClient().options(
        ADDRESS,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
    )


async def test_a_browser_on_the_sites_page_hears_that_it_may(shop: Site) -> None:
    response = await ask_first(SHOP_PAGE)
    assert response.status_code == 204
    assert response["Access-Control-Allow-Origin"] == SHOP_PAGE
    assert "Authorization" in response["Access-Control-Allow-Headers"]
    assert response["Access-Control-Allow-Methods"] == "POST"
    assert "Origin" in response["Vary"]
    assert "Access-Control-Allow-Credentials" not in response


async def test_a_browser_on_a_strangers_page_hears_nothing(shop: Site) -> None:
    response = await ask_first("https://mallory.example")
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response


async def test_the_sites_page_may_read_answers_and_refusals(shop: Site) -> None:
    for response in (await send(token(shop)), await send("wrong")):
        assert response["Access-Control-Allow-Origin"] == SHOP_PAGE


# --- cut off ---------------------------------------------------------------------


async def test_half_an_upload_stores_nothing(
    server: LiveServer, shop: Site, disk: Disk
) -> None:
    """The line breaks in the middle of a file; the server goes on."""
    body = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n\r\n"
    head = (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
        f"Origin: {SHOP_PAGE}\r\nAuthorization: Bearer {token(shop)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5000\r\n\r\n"
    )

    def break_off() -> None:
        with socket.create_connection((server.host, server.port)) as line:
            line.sendall(head.encode() + body + b"a" * 2_000)

    await asyncio.to_thread(break_off)
    assert (await send(token(shop), {"file": file()})).status_code == 201
    assert len(disk()) == 1
    assert await reading(Attachment.objects.count) == 1
