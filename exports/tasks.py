"""Celery's side: load by id, one call, a sentence. Due times and claims are in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from exports import delivery, pipeline, queue, sweep
from portal import bell, tenancy
from portal.celery import tick


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


@shared_task(name=bell.DELIVER)
def deliver_tenant(tenant_id: int) -> str:
    """Make one attempt at the tenant's next delivery."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return delivery.deliver_next(tenant_id)


@shared_task(name=bell.RING_DUE)
def ring_due() -> str:
    """Ring for deliveries whose time has come; the couriers' sign that they still hear."""
    close_old_connections()
    with tenancy.everyone("each tenant's next attempt has a time of its own"):
        return f"Rang for {delivery.ring_due()} tenants."


tick("exports", "exports.sweep", settings.SWEEP_SECONDS)
# Seed 000's first waits are 20 and 40 seconds: the sweep alone would be too coarse.
tick("ring_due", bell.RING_DUE, settings.EXPORT_TICK_SECONDS, queue="deliver")
