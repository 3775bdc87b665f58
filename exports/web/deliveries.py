"""The deliveries of all exports, open incidents first, and what a person does to one."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from exports import actions, queries
from exports.web.filters import DeliveryFilterForm
from portal.faults import Refused
from portal.models import Role
from portal.web import address, live
from portal.web.acting import or_404
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50
_EVERY = 15  # seconds between two polls


@require_GET
@require(Role.VIEWER)
def delivery_list(request: TenantRequest) -> HttpResponse:
    """The deliveries that match the filter, fifty a page."""
    form = DeliveryFilterForm(request.tenant, request.GET)
    rows = queries.deliveries(request.tenant, form.as_filter())
    context = {
        "section": "exports",
        "tab": "deliveries",
        "form": form,
        "filtered": any(request.GET.get(name) for name in form.fields),
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "incidents": queries.open_incidents(request.tenant),
        "every": _EVERY,
    }
    return live.page(request, "exports/deliveries.html", "exports/_deliveries.html", context)


@require_POST
@require(Role.MANAGER)
def delivery_act(request: TenantRequest, uid: uuid.UUID, act: str) -> HttpResponse:
    """Resend, cancel or acknowledge. Raises Http404 for another word."""
    acts = {
        "resend": (
            actions.resend,
            _("The file will be sent again in a moment, from the beginning."),
        ),
        "cancel": (actions.cancel, _("Cancelled. No further attempt will be made.")),
        "acknowledge": (actions.acknowledge, _("Acknowledged. The incident is closed.")),
    }
    delivery = or_404(queries.delivery(request.tenant, uid))
    if act not in acts:
        raise Http404
    do, done = acts[act]
    try:
        do(delivery, request.user, address.client(request) or None)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, done)
    return redirect("run", delivery.run.uid)
