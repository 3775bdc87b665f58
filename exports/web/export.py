"""One export: what it sends and when, its last sixty nights, its runs, and its actions."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from exports import define, nights, queries
from exports.models import Export
from exports.web import words
from exports.web.filters import BackfillForm, RunFilterForm
from portal.faults import Refused
from portal.models import Role
from portal.web import form_faults, live
from portal.web.acting import actor, or_404
from portal.web.permissions import TenantRequest, require

PER_PAGE = 25
_FAST, _SLOW = 5, 30  # seconds between two polls: while something moves, and otherwise


@require_GET
@require(Role.VIEWER)
def export_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """The export; its runs and nights are live."""
    return _show(request, or_404(queries.export(request.tenant, uid)))


def _show(request: TenantRequest, export: Export, form: BackfillForm | None = None) -> HttpResponse:
    """The page. form: of the past dates, as it was sent."""
    now = timezone.now()
    filters = RunFilterForm(request.GET)
    page = Paginator(queries.runs(export, filters.as_filter()), PER_PAGE).get_page(
        request.GET.get("page")
    )
    strip = nights.strips([export], now)[export.pk]
    newest = define.newest_date(export, now)
    context = {
        "section": "exports",
        "export": export,
        "destinations": list(export.destinations.all()),
        "source": words.source(export.source),
        "hours": words.hours(export),
        "next": words.next_night(nights.next_fire(export, now), export.time_zone),
        "months": _months(strip),
        "tally": nights.tally(strip),
        "filters": filters,
        "filtered": any(request.GET.get(name) for name in filters.fields),
        "page": page,
        "every": _FAST if queries.has_moving(export) else _SLOW,
        "newest": newest,
        "form": form or BackfillForm(newest, initial=_asked(request)),
    }
    parts = "exports/export.html", "exports/_export.html"
    return live.page(request, *parts, context, beside="exports/_nights.html")


def _show_faults(request: TenantRequest, export: Export, form: BackfillForm) -> HttpResponse:
    """The page with the faults of the past dates."""
    response = _show(request, export, form)
    response.status_code = 422
    return response


def _asked(request: TenantRequest) -> dict[str, str]:
    """The date of the night that was clicked."""
    day = request.GET.get("date", "")
    return {"first": day, "last": day}


def _months(strip: list[nights.Night]) -> list[dict[str, Any]]:
    """The nights by month, for the strip."""
    by_month = itertools.groupby(strip, key=lambda night: (night.day.year, night.day.month))
    return [
        {"name": formats.date_format(days[0].day, _("F Y")), "nights": days}
        for days in (list(group) for _month, group in by_month)
    ]


def _act(
    request: TenantRequest, export: Export, act: Callable[[], object], success: str
) -> HttpResponse:
    try:
        act()
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, success)
    return redirect("export", export.uid)


@require_POST
@require(Role.MANAGER)
def export_run(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Run it now for the last full day; its run's page shows how it goes."""
    try:
        run = define.run_now(
            or_404(queries.export(request.tenant, uid)), actor(request), timezone.now()
        )
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("export", uid)
    messages.success(request, _("The run starts in a moment. This is its page."))
    return redirect("run", run.uid)


@require_POST
@require(Role.MANAGER)
def export_backfill(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Make runs for a range of past dates."""
    export, now = or_404(queries.export(request.tenant, uid)), timezone.now()
    form = BackfillForm(define.newest_date(export, now), request.POST)
    if not form.is_valid():
        return _show_faults(request, export, form)
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]
    try:
        runs = define.back_fill(export, actor(request), first, last, now)
    except Refused as refused:
        form_faults.add(form, refused)
        return _show_faults(request, export, form)
    messages.success(request, _("Requested %(n)s days, each in its own file.") % {"n": len(runs)})
    return redirect("export", uid)


@require_POST
@require(Role.ADMIN)
def export_started(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Start or stop it, as `to` says."""
    export = or_404(queries.export(request.tenant, uid))
    if request.POST.get("to") == "started":
        done = _("Started. The first file covers today and is created tonight.")
        return _act(
            request, export, lambda: define.start(export, actor(request), timezone.now()), done
        )
    done = _(
        "Stopped. No more nightly files are created; runs and deliveries in progress are completed."
    )
    return _act(request, export, lambda: define.stop(export, actor(request)), done)


@require_POST
@require(Role.ADMIN)
def export_delete(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete it with its runs and files."""
    export = or_404(queries.export(request.tenant, uid))
    try:
        define.delete(export, actor(request))
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("export", uid)
    messages.success(request, _("The export, its runs and their files were deleted."))
    return redirect("exports")
