"""Celery's side: load by id, one call, a sentence. Due times and claims are in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from exports import pipeline, queue, sweep
from portal import bell, tenancy
from portal.celery import app


@shared_task(name=bell.EXPORT)
def write_tenant(tenant_id: int) -> str:
    """Write the tenant's next file, and ring again where another one is waiting."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        said = pipeline.write_next(tenant_id)
        if queue.ready().filter(tenant_id=tenant_id).exists():
            bell.ring(bell.EXPORT, tenant_id)
        return said


@shared_task(name="exports.sweep")
def sweep_all() -> str:
    """Make the runs that are due, and ring for what is waiting or was lost."""
    close_old_connections()
    with tenancy.everyone("the sweep looks after all tenants"):
        return sweep.sweep()


app.conf.beat_schedule = {
    **(app.conf.beat_schedule or {}),
    "exports": {
        "task": "exports.sweep",
        "schedule": settings.SWEEP_SECONDS,
        # A sweep that nobody took in time is worth nothing: the next one does its work.
        "options": {"expires": settings.SWEEP_SECONDS},
    },
}
