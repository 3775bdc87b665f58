"""Celery tasks: load by id, one call, return a sentence. Due times are in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from exports import delivery, pipeline, queue, sweep
from portal import bell, tenancy
from portal.celery import tick


@shared_task(name=bell.EXPORT)
def write_tenant(tenant_id: int) -> str:
    """Write the tenant's next file, and notify a worker again where another one is waiting."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        sentence = pipeline.write_next(tenant_id)
        if queue.ready().filter(tenant_id=tenant_id).exists():
            bell.ring(bell.EXPORT, tenant_id)
        return sentence


@shared_task(name="exports.sweep")
def sweep_all() -> str:
    """Make the runs that are due, and notify workers of what is waiting or was lost."""
    close_old_connections()
    with tenancy.everyone("the sweep looks after all tenants"):
        return sweep.sweep()


@shared_task(name=bell.DELIVER)
def deliver_tenant(tenant_id: int) -> str:
    """Make one attempt at the tenant's next delivery."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return delivery.deliver_next(tenant_id)


@shared_task(name=bell.RING_DUE)
def ring_due() -> str:
    """Notify workers of deliveries that are due; shows that the couriers still receive tasks."""
    close_old_connections()
    with tenancy.everyone("each tenant's next attempt has a time of its own"):
        return f"Rang for {delivery.ring_due()} tenants."


tick("exports", "exports.sweep", settings.SWEEP_SECONDS)
# Seed 000's first waits are 20 and 40 seconds: the sweep alone would be too coarse.
tick("ring_due", bell.RING_DUE, settings.EXPORT_TICK_SECONDS, queue="deliver")
