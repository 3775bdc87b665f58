"""Errors of the API as problem documents (RFC 9457): what is wrong, and what to do."""

from __future__ import annotations

import math
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.utils import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from portal import logs

log = logs.get(__name__)
CONTENT_TYPE = "application/problem+json"
_TITLES = {
    400: "The request cannot be read",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Response format not available",
    411: "Length required",
    413: "Too large",
    415: "Wrong content type",
    422: "Not valid",
    429: "Too many failed attempts",
    500: "Portal error",
    503: "Temporarily unavailable",
}


class ApiProblem(APIException):
    """An error with members of its own. detail: a sentence or two."""

    def __init__(self, code: int, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status_code = code
        self.members = members


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """REST framework's exception handler. Unexpected errors are logged as the portal's fault."""
    if isinstance(error, Http404):
        error = ApiProblem(404, "Nothing exists at this address.")
    elif isinstance(error, PermissionDenied):
        error = ApiProblem(403, "This token does not have permission to do this.")
    elif not isinstance(error, APIException):
        error = _ours(error)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    members = getattr(error, "members", {})
    code = error.status_code
    return Response(
        document(code, _sentence(error.detail), **members),
        code,
        headers=headers,
        content_type=CONTENT_TYPE,
    )


def document(code: int, detail: str, **members: Any) -> dict[str, Any]:
    """The problem document. members: its further members."""
    title = _TITLES.get(code, "Error")
    return {"type": "about:blank", "title": title, "status": code, "detail": detail, **members}


@csrf_exempt
@login_not_required
def not_found(_request: HttpRequest, **_kwargs: Any) -> JsonResponse:
    """The answer at an unknown address of the API."""
    detail = "Nothing exists at this address. All addresses are listed in /api/v1/schema/."
    return JsonResponse(document(404, detail), status=404, content_type=CONTENT_TYPE)


def _ours(error: Exception) -> ApiProblem:
    log.exception("api_failed", exc_info=error)
    if isinstance(error, OperationalError):
        detail = "The database does not answer. Send the request again in a minute."
        return ApiProblem(status.HTTP_503_SERVICE_UNAVAILABLE, detail)
    detail = "Something went wrong in the portal. The error is in the operator's log. Try again."
    return ApiProblem(status.HTTP_500_INTERNAL_SERVER_ERROR, detail)


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_sentence(value)}" for name, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(part) for part in detail)
    return str(detail)
