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
    """Append an entry. action: such as "job.release"; subject: what it was done to.

    NUL, which PostgreSQL takes in no text, is left out of the subject and the detail's texts.
    """
    AuditEntry.objects.create(
        tenant_id=tenant_id,
        user=user,
        address=address,
        action=action,
        subject=subject.replace("\0", "")[:200],
        detail={name: _storable(value) for name, value in detail.items()},
    )


def _storable(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value
