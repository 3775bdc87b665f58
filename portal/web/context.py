"""The context of the frame of every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal.models import Role, Tenant, User
from portal.web.permissions import zone


def shell(request: HttpRequest) -> dict[str, Any]:
    """The tenant in scope, its zone, the user's rights in it, and the tenants to choose from."""
    membership = getattr(request, "membership", None)
    tenant = getattr(request, "tenant", None)
    return {
        "tenant": tenant,
        "zone": str(zone(tenant)),
        "membership": membership,
        "is_manager": bool(membership and membership.allows(Role.MANAGER)),
        "is_admin": bool(membership and membership.allows(Role.ADMIN)),
        "tenants": SimpleLazyObject(lambda: switchable(getattr(request, "user", None))),
    }


def switchable(user: Any) -> list[Tenant]:
    """The tenants that this user may choose, by name. An operator may choose every one."""
    if not isinstance(user, User) and not getattr(user, "is_authenticated", False):
        return []
    tenants = Tenant.objects.order_by("name")
    if user.is_operator:
        return list(tenants)
    return list(tenants.filter(enabled=True, memberships__user=user))
