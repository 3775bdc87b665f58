"""Which export run is written next: the nights of one export in the order of their dates."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from exports.models import ExportRun
from portal import lifecycle
from portal.spool import Spool

State = ExportRun.State


def ready() -> QuerySet[ExportRun]:
    """Runs that may be claimed: waiting and due, or running with a lease that has run out.

    A night waits while an earlier one of its export is not at its end: what it holds depends on the
    snapshot of that one's file.
    """
    earlier = ExportRun.objects.filter(
        export=OuterRef("export"),
        kind=ExportRun.Kind.NIGHTLY,
        local_date__lt=OuterRef("local_date"),
    ).exclude(state__in=ExportRun.FINAL_STATES)
    return ExportRun.objects.filter(
        Q(state__in=ExportRun.WAITING_STATES, ready_at__lte=Now())
        | Q(state=State.RUNNING, lease_until__lt=Now())
    ).filter(~Q(kind=ExportRun.Kind.NIGHTLY) | ~Exists(earlier))


def claim(tenant_id: int) -> ExportRun | None:
    """Take the tenant's next run; of several exports they may be written at the same time.

    A run may be claimed more often than settings.MAX_ATTEMPTS: the caller gives it up. Must be
    called in the tenant's scope, outside a transaction.
    """
    return lifecycle.claim(
        ready().filter(tenant_id=tenant_id).order_by("local_date", "created_at", "pk"),
        owner=lifecycle.owner(),
        state=State.RUNNING,
    )


def running() -> set[tuple[int, int]]:
    """The attempts that run now in the current scope, as (run, token)."""
    with transaction.atomic():
        rows = ExportRun.objects.filter(state=State.RUNNING, lease_until__gte=Now())
        return set(rows.values_list("pk", "token"))


spool = Spool("run", running)
