"""The operator's page: the processes, the queue, and the tenants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from imports.jobs import queries
from portal import __version__, tenancy
from portal.models import Beat, Tenant
from portal.web.permissions import TenantRequest, operator_only

_SILENT_AFTER = timedelta(seconds=60)


@require_GET
@operator_only
def system(request: TenantRequest) -> HttpResponse:
    """Signs of life, the queue of all tenants, the tenants and the version."""
    with tenancy.everyone("the operator's page counts the queue of all tenants"):
        depth, held = queries.depth(), queries.held_count()
    context = {
        "section": "system",
        "version": __version__,
        "beats": _beats(),
        "depth": [
            {"state": state, "count": depth.get(state, 0)} for state in map(str, queries.UNFINISHED)
        ],
        "held": held,
        "institutions": Tenant.objects.annotate(people=Count("memberships")).order_by("name"),
    }
    return render(request, "portal/system.html", context)


def _beats() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {"beat": beat, "silent": now - beat.seen_at > _SILENT_AFTER, "age": now - beat.seen_at}
        for beat in Beat.objects.order_by("name")
    ]
