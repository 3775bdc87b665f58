"""Ringing the doorbell: wake a worker for a tenant. A lost ring is found by the sweep.

No fact travels here: the message is a tenant's id. A broker that is down must fail neither an
upload nor a request, so every failure is logged and swallowed (design.md section 3, rule 1).
"""

from __future__ import annotations

import functools

from django.db import transaction
from kombu.exceptions import OperationalError

from portal import logs
from portal.celery import app

log = logs.get(__name__)

POLL = "imports.poll_tenant"
IMPORT = "imports.run_tenant"
PULSE = "imports.pulse"
EXPORT = "exports.write_tenant"
DELIVER = "exports.deliver_tenant"
MAIL = "portal.send_mail"


def ring(task: str, tenant_id: int, expires: float | None = None) -> bool:
    """Send the message now. Returns whether the broker took it.

    expires: seconds after which nobody needs to answer it, because it is rung again.
    """
    try:
        app.send_task(task, args=[tenant_id], ignore_result=True, expires=expires)
    except (OperationalError, OSError) as exc:
        log.warning("bell_not_rung", task=task, tenant_id=tenant_id, error=repr(exc))
        return False
    return True


def ring_on_commit(task: str, tenant_id: int) -> None:
    """Send the message when the running transaction has committed."""
    transaction.on_commit(functools.partial(ring, task, tenant_id))
