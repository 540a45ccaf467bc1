"""How a door without a socket says no: JSON `{code, detail, retry_ms?}` with the
status that fits the refusal."""

from __future__ import annotations

from django.http import JsonResponse

from .errors import BadFrame, Blocked, Forbidden, Overloaded, RateLimited, Refused

STATUS: dict[type[Refused], int] = {
    BadFrame: 400,
    Forbidden: 403,
    Blocked: 403,
    RateLimited: 429,
    Overloaded: 503,
}


def as_response(refused: Refused) -> JsonResponse:
    says: dict[str, str | int] = {"code": refused.code, "detail": refused.detail}
    headers = {"Cache-Control": "no-store"}
    if refused.retry_ms is not None:
        says["retry_ms"] = refused.retry_ms
        headers["Retry-After"] = str(-(-refused.retry_ms // 1000))
    return JsonResponse(says, status=status_of(refused), headers=headers)


def status_of(refused: Refused) -> int:
    """A refusal that only doors know names its own; 400 for any other."""
    if own := getattr(refused, "status", None):
        return int(own)
    return next((s for kind, s in STATUS.items() if isinstance(refused, kind)), 400)
