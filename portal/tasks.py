"""Celery's side of the portal itself: one call, a sentence."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

import portal.watchdog  # noqa: F401  it listens from now on
from portal import bell, tenancy
from portal.notify import sending


@shared_task(name=bell.MAIL)
def send_mail(tenant_id: int) -> str:
    """Sum up and send what the tenant's people are to be told."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return sending.send(tenant_id)
