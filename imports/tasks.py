"""Celery tasks: load by id, make one call, return a sentence. Due times are in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from imports import sweep
from imports.collect import rounds
from imports.jobs import pipeline, queue
from portal import bell, tenancy
from portal.celery import tick


@shared_task(name=bell.POLL)
def poll_tenant(tenant_id: int) -> str:
    """Go through a tenant's folders."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return rounds.poll(tenant_id)


@shared_task(name=bell.IMPORT)
def run_tenant(tenant_id: int) -> str:
    """Run the tenant's next job, and notify a worker where another one is waiting."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        job = queue.next_job(tenant_id)
        if job is None:
            return f"Tenant {tenant_id}: nothing to do."
        sentence = pipeline.run(job)
        if queue.ready().filter(tenant_id=tenant_id).exists():
            bell.ring(bell.IMPORT, tenant_id)
        return sentence


@shared_task(name="imports.sweep")
def sweep_all() -> str:
    """Notify workers of what is due or was lost, and remove what killed workers left."""
    close_old_connections()
    with tenancy.everyone("the sweep looks after all tenants"):
        return sweep.sweep()


@shared_task(name=bell.PULSE)
def pulse() -> str:
    """A sign of life of an idle importing worker, which clears its own disk meanwhile."""
    close_old_connections()
    return f"Cleared {queue.spool.clear()} directories of attempts that were cut off."


tick("sweep", "imports.sweep", settings.SWEEP_SECONDS)
# The importing workers get no sweep.
tick("pulse", bell.PULSE, settings.SWEEP_SECONDS, queue="import")
