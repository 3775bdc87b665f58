"""Who may open a page: each view names the lowest role, and runs in the tenant's time zone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.models import Membership, Role, Tenant, User

P = ParamSpec("P")


class TenantRequest(HttpRequest):
    """A request whose user is logged in and has a tenant (see `portal/web/middleware.py`)."""

    user: User
    tenant: Tenant
    membership: Membership


View = Callable[Concatenate[TenantRequest, P], HttpResponseBase]
OpenView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def require(role: Role) -> Callable[[View[P]], OpenView[P]]:
    """Admit members with at least that role, and show times in the tenant's zone.

    Raises PermissionDenied for a lower role; a user without a tenant gets a page that says so.
    """

    def decorate(view: View[P]) -> OpenView[P]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            tenant_request = cast(TenantRequest, request)
            if refusal := _admit(request, role):
                return refusal
            with timezone.override(zone(tenant_request.tenant)):
                return view(tenant_request, *args, **kwargs)

        guarded.admit = functools.partial(_admit, role=role)  # type: ignore[attr-defined]
        return guarded

    return decorate


def _admit(request: HttpRequest, role: Role) -> HttpResponseBase | None:
    """The page for somebody without a tenant; None for a member. Raises PermissionDenied."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return render(request, "portal/no_tenant.html", status=403)
    if not membership.allows(role):
        raise PermissionDenied(_("This needs the role “%(role)s”.") % {"role": Role(role).label})
    return None


def operator_only(view: View[P]) -> OpenView[P]:
    """Admit operators. Raises PermissionDenied for everybody else."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        tenant_request = cast(TenantRequest, request)
        if not tenant_request.user.is_operator:
            raise PermissionDenied(_("Only the operator of this portal can see this page."))
        with timezone.override(zone(tenant_request.tenant)):
            return view(tenant_request, *args, **kwargs)

    return guarded


def zone(tenant: Tenant | None) -> ZoneInfo:
    """The tenant's time zone; UTC if its name is unknown here or there is no tenant."""
    try:
        return ZoneInfo(tenant.time_zone if tenant else "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
