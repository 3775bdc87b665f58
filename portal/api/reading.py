"""The body of a request: JSON in UTF-8 of a limited size; and the renderer of the answers."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from portal.api.problems import ApiProblem
from portal.events import payloads

LARGEST_BODY = 16 << 20  # bytes
_DRAINED = 64 << 20
_BLOCK = 1 << 20


class Json(JSONRenderer):
    """JSON, whatever the client prefers; there are no pages under /api/."""

    charset = "utf-8"


class AnyBody(BaseParser):
    """A parser that accepts every content type, so that `body` can explain a wrong one."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Raise UnsupportedMediaType: `body` reads the request instead."""
        raise UnsupportedMediaType(str(media_type))


def body(request: Request) -> Any:
    """The parsed body. Raises ApiProblem: 400, 411, 413, 415."""
    plain = request._request
    kind = plain.content_type
    if kind != "application/json" and (kind or plain.META.get("CONTENT_LENGTH")):
        shown = kind or "missing"
        raise ApiProblem(
            415, f'The content type is {shown}. Send "Content-Type: application/json".'
        )
    if "chunked" in plain.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise ApiProblem(411, "Send the body in one piece, with the header Content-Length.")
    data = _read(plain)
    if not data.strip():
        raise ApiProblem(400, "The body is empty, expected JSON.")
    try:
        return payloads.parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        detail = (
            f"The body is not UTF-8: the byte at {error.start:,} is not valid. Encode "
            "the body as UTF-8."
        )
        raise ApiProblem(400, detail) from None
    except payloads.NotJson as error:
        raise ApiProblem(400, f"The body is not JSON: {error}.") from None


def _read(plain: Any) -> bytes:
    """The bytes. Much of a body that is too large is read, so that the client reads the answer."""
    announced = plain.META.get("CONTENT_LENGTH") or "0"
    size = int(announced) if announced.isdigit() else 0
    if size > LARGEST_BODY:
        left = min(size, _DRAINED)
        while left > 0 and (block := plain.read(min(_BLOCK, left))):
            left -= len(block)
        raise ApiProblem(
            413, f"The body has {size:,} bytes; the maximum is {LARGEST_BODY:,}. Send it in parts."
        )
    data: bytes = plain.read(size)
    if len(data) < size:
        raise ApiProblem(400, f"The body ended after {len(data):,} of {size:,} bytes.")
    return data
