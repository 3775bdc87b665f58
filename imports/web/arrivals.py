"""Deliveries, and the files in the folders that no delivery took, with the reason."""

from __future__ import annotations

import uuid

from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from imports.arrivals.decisions import Verdict
from imports.drafts import receiving
from imports.jobs import queries
from imports.models import Arrival, Decision, Sighting
from imports.web import begin, verdicts
from imports.web.filters import ArrivalFilterForm, SightingFilterForm
from portal.models import Drop, Role
from portal.web.acting import or_404
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50


@require_GET
@require(Role.VIEWER)
def arrival_list(request: TenantRequest) -> HttpResponse:
    """The deliveries, newest first."""
    form = ArrivalFilterForm(request.GET)
    pages = Paginator(queries.arrivals(request.tenant, form.as_filter()), PER_PAGE)
    counts = queries.sighting_verdicts(request.tenant)
    context = {
        "section": "arrivals",
        "tab": "arrivals",
        "form": form,
        "page": pages.get_page(request.GET.get("page")),
        "filtered": any(request.GET.get(name) for name in form.fields),
        "lying": sum(counts.values()),
        "misplaced": counts.get(queries.MISPLACED, 0),
    }
    return render(request, "imports/arrivals.html", context)


@require_GET
@require(Role.VIEWER)
def arrival_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """One delivery: its files with their outcome, and its decision log."""
    arrival = or_404(queries.arrival(request.tenant, uid))
    context = {
        "section": "arrivals",
        "arrival": arrival,
        "unmatched": arrival.state == Arrival.State.UNMATCHED,
        "by_template": arrival.drop.protocol == Drop.Protocol.TEMPLATE,
        "waiting": begin.waiting_file(arrival),
        "near": _near_misses(arrival),
    }
    return render(request, "imports/arrival.html", context)


def _near_misses(arrival: Arrival) -> list[Decision]:
    """The near misses of the file's present name: it may have had other names before."""
    near: list[Decision] = []
    for decision in arrival.decisions.all():
        if decision.verdict == Verdict.UNMATCHED:
            near = []
        elif decision.verdict == Verdict.NEAR_MISS:
            near.append(decision)
    return near


@require_GET
@require(Role.VIEWER)
def sighting_list(request: TenantRequest) -> HttpResponse:
    """Files in the folders that no delivery took, with the reason."""
    counts = queries.sighting_verdicts(request.tenant)
    choices = [(name, f"{verdicts.label(name)} ({n})") for name, n in sorted(counts.items())]
    form = SightingFilterForm(request.GET, verdicts=choices)
    pages = Paginator(queries.sightings(request.tenant, form.as_filter()), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "section": "arrivals",
        "tab": "folders",
        "form": form,
        "page": page,
        "fetchable": _fetchable(request, page),
        "filtered": any(request.GET.get(name) for name in form.fields),
        "lying": sum(counts.values()),
        "misplaced": counts.get(queries.MISPLACED, 0),
    }
    return render(request, "imports/sightings.html", context)


def _fetchable(request: TenantRequest, page: Page[Sighting]) -> set[int]:
    """The files of the page that a template can be made from; none for who may not make one."""
    if not request.membership.allows(Role.ADMIN):
        return set()
    shown = receiving.in_folders(request.tenant).filter(pk__in=[file.pk for file in page])
    return set(shown.values_list("pk", flat=True))
