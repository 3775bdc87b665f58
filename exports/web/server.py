"""One server: its login, the test of the connection, and the host key that is trusted."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from exports import actions, queries
from exports import servers as acts
from exports.models import Attempt, Server
from exports.web.server_forms import ServerForm
from portal.faults import Refused
from portal.models import Role
from portal.transports.probing import Probe
from portal.transports.ssh import pinned
from portal.web import form_faults, live
from portal.web.acting import actor, or_404
from portal.web.permissions import TenantRequest, require

_LONGEST_PATH = 500


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def server_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Show and change the server."""
    server = or_404(queries.server(request.tenant, uid))
    if request.method != "POST":
        return _show(request, server)
    form = ServerForm(server, request.POST)
    if not form.is_valid():
        return _show(request, server, form=form, status=422)
    was_pinned = bool(server.host_key)
    try:
        acts.change(server, actor(request), form.access())
    except Refused as refused:
        form_faults.add(form, refused)
        return _show(request, or_404(queries.server(request.tenant, uid)), form=form, status=422)
    messages.success(request, _("Saved."))
    if was_pinned and not server.host_key:
        messages.warning(request, _("The host changed, so its key must be pinned again."))
    return redirect("server", uid)


def _show(
    request: TenantRequest, server: Server, *, status: int = 200, **more: Any
) -> HttpResponse:
    exports = list(queries.exports_to(server))
    paths = server.destinations.order_by("pk").values_list("path", flat=True)
    context = {
        "section": "exports",
        "server": server,
        "form": ServerForm.of(server),
        "exports": exports,
        "paths": list(dict.fromkeys(paths)),
        "path": next(iter(paths), ""),
        **more,
    }
    return render(request, "exports/server.html", context, status=status)


@require_POST
@require(Role.ADMIN)
def server_test(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Test the connection and show the outcome of each step; htmx gets only the result."""
    server = or_404(queries.server(request.tenant, uid))
    path = request.POST.get("path", "").replace("\x00", "").strip()[:_LONGEST_PATH]
    context: dict[str, Any] = {"probe": probe_context(actions.test(server, path)), "path": path}
    if live.is_fragment(request):
        return render(request, "exports/_probe.html", {**context, "server": server})
    return _show(request, server, **context)


def probe_context(probe: Probe) -> dict[str, Any]:
    """The probe for the page, its steps named as in the log of attempts."""
    names = {**dict(Attempt.Step.choices), "remove": _("Removing the probe file")}
    return {
        "ok": probe.ok,
        "steps": [(names.get(step.name, step.name), step) for step in probe.steps],
        "key": probe.host_key,
        "key_type": probe.host_key_type,
        "needs_pin": probe.needs_pin,
    }


@require_POST
@require(Role.ADMIN)
def server_pin(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Pin the key of the form, or unpin the present one where the form asks for none."""
    server, text = or_404(queries.server(request.tenant, uid)), request.POST.get("key", "").strip()
    if "none" in request.POST:
        acts.unpin(server, actor(request))
        messages.success(request, _("No host key is pinned. Nothing is sent until you pin one."))
        return redirect("server", uid)
    try:
        key = pinned(text)
    except ValueError as fault:
        return _show(request, server, key_fault=str(fault), key_text=text[:200], status=422)
    kind = request.POST.get("kind", "").replace("\x00", "")[:60]
    acts.pin(server, actor(request), key, kind)
    messages.success(request, _("Pinned. Files are sent only to a server that presents this key."))
    return redirect("server", uid)


@require_POST
@require(Role.ADMIN)
def server_delete(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete a server that nothing is sent to."""
    try:
        acts.delete(or_404(queries.server(request.tenant, uid)), actor(request))
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("server", uid)
    messages.success(request, _("The server was deleted."))
    return redirect("servers")
