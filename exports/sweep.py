"""The sweep of the exports: every 15 seconds it makes due runs and notifies workers.

Schedulers may be two or away for hours: what is due follows from the database (`schedule.py`).
Couriers are notified by a tick of their own (`delivery.ring_due`).
"""

from __future__ import annotations

import random

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from exports import queue, schedule
from exports.models import Delivery, ExportRun
from portal import beats, bell, logs, tenancy

log = logs.get(__name__)


def sweep() -> str:
    """Make due runs, notify workers, and clean up. Must be called across tenants."""
    beats.beat("exports")
    run_count = sum(_make(tenant_id) for tenant_id in sorted(schedule.tenants_due()))
    writing = set(queue.ready().values_list("tenant_id", flat=True))
    _notify(bell.EXPORT, writing)
    cleared = forget_old_files()
    return f"Made {run_count} runs; rang for {len(writing)} to write; cleared {cleared}."


def forget_old_files() -> int:
    """Delete files whose days are over, save those still being delivered. Returns how many."""
    undelivered = Delivery.objects.filter(run=OuterRef("pk")).exclude(
        state__in=Delivery.FINAL_STATES
    )
    old = ExportRun.objects.filter(~Exists(undelivered), kept_until__lt=Now()).exclude(content="")
    runs = list(old.order_by("pk")[:100])
    for run in runs:
        default_storage.delete(run.content)
        ExportRun.objects.filter(pk=run.pk).update(content="")
    return len(runs)


def _make(tenant_id: int) -> int:
    with tenancy.scope(tenant_id):
        return schedule.make_due(tenant_id)


def _notify(task: str, tenants: set[int]) -> None:
    """Notify workers of each tenant in random order, so that none is always left out."""
    for tenant_id in random.sample(sorted(tenants), len(tenants)):
        bell.ring(task, tenant_id, expires=2 * settings.SWEEP_SECONDS)
