"""The portal's own Celery tasks: each makes one call and returns a sentence."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

import portal.watchdog  # noqa: F401  its signal handlers are connected by the import
from portal import bell, tenancy
from portal.notify import sending


@shared_task(name=bell.MAIL)
def send_mail(tenant_id: int) -> str:
    """Summarise and send the notices to the tenant's people."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return sending.send(tenant_id)
