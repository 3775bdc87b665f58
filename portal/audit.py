"""Writing the audit trail: one call an act."""

from __future__ import annotations

from typing import Any

from portal.models import AuditEntry, User


def record(
    tenant_id: int,
    action: str,
    subject: str = "",
    *,
    user: User | None = None,
    address: str | None = None,
    **detail: Any,
) -> None:
    """Append an entry. action: such as "job.release"; subject: what it was done to."""
    AuditEntry.objects.create(
        tenant_id=tenant_id,
        user=user,
        address=address,
        action=action,
        subject=subject[:200],
        detail=detail,
    )
