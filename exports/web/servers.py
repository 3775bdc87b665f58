"""The servers that files are sent to: the list, and a new one."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from exports import queries
from exports import servers as acts
from exports.web.server_forms import ServerForm
from portal.faults import Refused
from portal.models import Role
from portal.web import form_faults
from portal.web.acting import actor
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50


@require_GET
@require(Role.VIEWER)
def server_list(request: TenantRequest) -> HttpResponse:
    """The servers by name, and the addresses that the portal itself sends from."""
    page = Paginator(queries.servers(request.tenant), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "exports",
        "tab": "servers",
        "page": page,
        "addresses": "\n".join(settings.EXPORT_PUBLIC_ADDRESSES),
    }
    return render(request, "exports/servers.html", context)


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def server_new(request: TenantRequest) -> HttpResponse:
    """Make a server."""
    form = ServerForm(None, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _show(request, form)
    if not form.is_valid():
        return _show(request, form, status=422)
    try:
        server = acts.create(request.tenant, actor(request), form.access())
    except Refused as refused:
        form_faults.add(form, refused)
        return _show(request, form, status=422)
    messages.success(request, _("Saved. Now test the connection and pin the host key."))
    return redirect("server", server.uid)


def _show(request: TenantRequest, form: ServerForm, status: int = 200) -> HttpResponse:
    context = {"section": "exports", "form": form}
    return render(request, "exports/server_new.html", context, status=status)
