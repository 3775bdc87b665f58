"""Who acts through a page, and which version the page showed."""

from __future__ import annotations

from portal.changes import Actor
from portal.web import address
from portal.web.permissions import TenantRequest


def actor(request: TenantRequest) -> Actor:
    """The person of the request, for the audit trail."""
    return Actor(request.user, address.client(request) or None)


def based_on(request: TenantRequest, name: str = "based_on") -> int:
    """The version that the sent page showed; 0, which no row has, where it cannot be read."""
    return whole_number(request.POST.get(name, "")) or 0


def whole_number(text: str) -> int | None:
    """The text as a whole number below a thousand million; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
