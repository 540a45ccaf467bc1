"""What a request looks like when it has come through all proxies: /mirror tells the
doctor, which has this installation's secret, and nobody else."""

from __future__ import annotations

from hmac import compare_digest

from django.core import signing
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .door import entries

FRESH_SECONDS = 600
PIECE_BYTES = 64 * 1024
SALT = "helpdesk.doctor"


def ticket() -> str:
    """Opens the mirror for a while."""
    return signing.TimestampSigner(salt=SALT).sign("doctor")


@csrf_exempt  # no cookie counts here
@never_cache
@require_http_methods(["GET", "POST"])
def mirror(request: HttpRequest) -> JsonResponse:
    check_ticket(request)
    headers = [
        (name.lower().encode("latin1"), value.encode("latin1"))
        for name, value in request.headers.items()
    ]
    seen = {
        "scheme": request.scheme,
        "host": request.get_host(),
        "client": request.META.get("REMOTE_ADDR", ""),
        "forwarded_for": entries(headers, b"x-forwarded-for"),
        "forwarded_proto": entries(headers, b"x-forwarded-proto"),
        "bytes": body_bytes(request),
    }
    return JsonResponse(seen)


def check_ticket(request: HttpRequest) -> None:
    _, _, signed = request.headers.get("Authorization", "").partition(" ")
    signer = signing.TimestampSigner(salt=SALT)
    try:
        said = signer.unsign(signed, max_age=FRESH_SECONDS)
    except signing.BadSignature:
        raise Http404 from None
    if not compare_digest(said, "doctor"):
        raise Http404


def body_bytes(request: HttpRequest) -> int:
    """Read piece by piece: it may be as large as a file."""
    count = 0
    while piece := request.read(PIECE_BYTES):
        count += len(piece)
    return count
