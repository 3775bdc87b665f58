"""Pages of the frame: the first page, and the choice of the tenant."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import audit, tenancy
from portal.models import User
from portal.web import address
from portal.web.context import switchable
from portal.web.middleware import SESSION_KEY


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Redirect to the jobs of the tenant; without a tenant say what to do."""
    if getattr(request, "tenant", None):
        return redirect("jobs")
    if cast(User, request.user).is_operator:
        return redirect("system")
    return render(request, "portal/no_tenant.html", status=403)


@require_POST
def switch_tenant(request: HttpRequest) -> HttpResponse:
    """Choose one of the user's tenants. Raises Http404 for any other."""
    uid = request.POST.get("tenant", "")
    tenant = next((t for t in switchable(request.user) if str(t.uid) == uid), None)
    if tenant is None:
        raise Http404
    request.session[SESSION_KEY] = tenant.pk
    place = address.client(request) or None
    with tenancy.scope(tenant.pk):
        audit.record(tenant.pk, "person.enter", user=cast(User, request.user), address=place)
    messages.success(request, _("You are now viewing %(name)s.") % {"name": tenant.name})
    return redirect("home")
