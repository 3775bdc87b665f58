"""The portal's own Celery tasks: each makes one call and returns a sentence."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.db import close_old_connections

import portal.watchdog  # noqa: F401  its signal handlers are connected by the import
from portal import bell, tenancy
from portal.celery import tick
from portal.notify import sending


@shared_task(name="portal.forget_sessions")
def forget_sessions() -> str:
    """Delete the expired sessions of people who did not log out."""
    close_old_connections()
    SessionStore.clear_expired()
    return "Expired sessions are deleted."


@shared_task(name=bell.MAIL)
def send_mail(tenant_id: int) -> str:
    """Summarise and send the notices to the tenant's people."""
    close_old_connections()
    with tenancy.scope(tenant_id):
        return sending.send(tenant_id)


tick("sessions", "portal.forget_sessions", 3_600)
