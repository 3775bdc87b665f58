"""Pages with a live part: the whole page for a browser, only the part for htmx.

If the browser already shows the part as it is, the answer is 204, so that a poll neither moves the
focus nor makes a screen reader speak.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.safestring import mark_safe

# A placeholder in the rendered part until the part's own digest is computed.
_PLACEHOLDER = "live-digest-goes-here"


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx requests a part; going back in the history requests the page."""
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


def page(
    request: HttpRequest, template: str, fragment: str, context: Mapping[str, Any], beside: str = ""
) -> HttpResponse:
    """The page, or its part. The part's template writes `{{ live_digest }}` into X-Shown.

    beside: template of a second part elsewhere on the page, in an element with the id
    `live-beside`; the page finds it as `live_beside`.
    """
    values = {**context, "live_digest": _PLACEHOLDER}
    part = render_to_string(fragment, values, request)
    second = render_to_string(beside, values, request) if beside else ""
    digest = hashlib.sha256((part + second).encode()).hexdigest()[:16]
    part = mark_safe(part.replace(_PLACEHOLDER, digest))  # noqa: S308  (our own template, escaped)
    if not is_fragment(request):
        shown = {**values, "live_part": part, "live_beside": second}
        response = render(request, template, shown)
    elif request.headers.get("X-Shown") == digest:
        response = HttpResponse(status=204)
    else:
        swap = f'<div id="live-beside" hx-swap-oob="innerHTML">{second}</div>' if beside else ""
        response = HttpResponse(part + swap)
    patch_vary_headers(response, ["HX-Request"])
    return response
