"""The list of exports, and the form that makes a server of an SFTP URL."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from exports import nights, queries
from exports.servers import from_url
from exports.web import words
from exports.web.server_forms import UrlForm
from portal.faults import Refused
from portal.models import Role
from portal.web.acting import actor
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50
_NIGHTS = 14


@require_GET
@require(Role.VIEWER)
def export_list(request: TenantRequest) -> HttpResponse:
    """Every export with its next night, its last run and its last nights."""
    return _show(request, UrlForm())


def _show(request: TenantRequest, form: UrlForm, status: int = 200) -> HttpResponse:
    """The list. form: of the URL box, as it was sent."""
    page = Paginator(queries.exports(request.tenant), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "exports",
        "tab": "exports",
        "page": page,
        "rows": _rows(list(page.object_list)),
        "form": form,
    }
    return render(request, "exports/list.html", context, status=status)


def _rows(exports: list[Any]) -> list[dict[str, Any]]:
    now = timezone.now()
    last, strips = queries.last_runs(exports), nights.strips(exports, now, _NIGHTS)
    return [
        {
            "export": export,
            "source": words.source(export.source),
            "hours": words.hours(export),
            "next": words.next_night(nights.next_fire(export, now), export.time_zone),
            "last": last.get(export.pk),
            "nights": strips[export.pk],
            "tally": nights.tally(strips[export.pk]),
        }
        for export in exports
    ]


@require_POST
@require(Role.ADMIN)
def export_url(request: TenantRequest) -> HttpResponse:
    """Make a server of a pasted URL, and go on to a new export that sends to its folder."""
    form = UrlForm(request.POST)
    if not form.is_valid():
        return _show(request, form, status=422)
    try:
        folder = from_url(request.tenant, actor(request), form.cleaned_data["address"])
    except Refused as refused:
        form.add_error("url", str(refused))
        return _show(request, form, status=422)
    if folder.is_new:
        messages.success(request, _("Server created. Its password is stored encrypted."))
    given = urlencode({"server": str(folder.server.uid), "path": folder.path})
    return redirect(f"{reverse('export-new')}?{given}")
