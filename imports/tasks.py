"""Celery's side: load by id, one call, a sentence. Due times and claims are in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from imports import sweep
from imports.collect import rounds
from imports.jobs import pipeline, queue, spool
from portal import bell, tenancy
from portal.celery import app


@shared_task(name=bell.POLL)
def poll_tenant(tenant_id: int) -> str:
    """Go through a tenant's folders."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return rounds.poll(tenant_id)


@shared_task(name=bell.IMPORT)
def run_tenant(tenant_id: int) -> str:
    """Run the tenant's next job, and ring again where another one is waiting."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        job = queue.next_job(tenant_id)
        if job is None:
            return f"Tenant {tenant_id}: nothing to do."
        said = pipeline.run(job)
        if queue.ready().filter(tenant_id=tenant_id).exists():
            bell.ring(bell.IMPORT, tenant_id)
        return said


@shared_task(name="imports.sweep")
def sweep_all() -> str:
    """Ring for what is due or was lost, and clear away what killed workers left."""
    close_old_connections()
    with tenancy.everyone("the sweep looks after all tenants"):
        return sweep.sweep()


@shared_task(name=bell.PULSE)
def pulse() -> str:
    """Something to hear for an idle importing worker, which clears its own disk meanwhile."""
    close_old_connections()
    return f"Cleared {spool.clear()} directories of attempts that were cut off."


app.conf.beat_schedule = {
    **(app.conf.beat_schedule or {}),
    "sweep": {
        "task": "imports.sweep",
        "schedule": settings.SWEEP_SECONDS,
        # A sweep that nobody took in time is worth nothing: the next one does its work.
        "options": {"expires": settings.SWEEP_SECONDS},
    },
    # The importing workers have no sweep to hear.
    "pulse": {
        "task": bell.PULSE,
        "schedule": settings.SWEEP_SECONDS,
        "options": {"expires": settings.SWEEP_SECONDS, "queue": "import"},
    },
}
