"""How a door without a socket says no: JSON `{code, detail, retry_ms?}` with the
status that fits the refusal."""

from __future__ import annotations

from django.http import JsonResponse

from .errors import Refused
from .tally import tally


def as_response(refused: Refused) -> JsonResponse:
    tally.refused[refused.code] += 1
    says: dict[str, str | int] = {"code": refused.code, "detail": refused.detail}
    headers = {"Cache-Control": "no-store"}
    if refused.retry_ms is not None:
        says["retry_ms"] = refused.retry_ms
        headers["Retry-After"] = str(-(-refused.retry_ms // 1000))
    return JsonResponse(says, status=refused.status, headers=headers)
