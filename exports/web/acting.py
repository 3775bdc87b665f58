"""Who acts through a page, and from where."""

from __future__ import annotations

from exports.define import Actor
from portal.web import address
from portal.web.permissions import TenantRequest


def actor(request: TenantRequest) -> Actor:
    """The person of the request, for the audit trail."""
    return Actor(request.user, address.client(request) or None)
