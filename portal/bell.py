"""The doorbell: a message that wakes a worker for a tenant. The sweep makes up for lost messages.

A message carries a tenant's id and no fact. An upload or a request must not fail because the broker
is down, so failures are logged and not raised (design.md section 3, rule 1).
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
RING_DUE = "exports.ring_due"


def ring(task: str, tenant_id: int, expires: float | None = None) -> bool:
    """Send the message now. Returns whether the broker accepted it.

    expires: seconds after which the message may be dropped, because another one will follow.
    """
    try:
        app.send_task(task, args=[tenant_id], ignore_result=True, expires=expires)
    except (OperationalError, OSError) as exc:
        log.warning("bell_not_rung", task=task, tenant_id=tenant_id, error=repr(exc))
        return False
    return True


def ring_on_commit(task: str, tenant_id: int) -> None:
    """Send the message once the running transaction has committed."""
    transaction.on_commit(functools.partial(ring, task, tenant_id))
