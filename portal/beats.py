"""Signs of life of the processes, by the database's clock; `/metrics` reads them."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now

from portal.models import Beat


def beat(name: str, **detail: Any) -> None:
    """Record that a process is alive. name: its kind and host, such as "sweep" or "drop@host"."""
    Beat.objects.bulk_create(
        [Beat(name=name[:100], seen_at=Now(), detail=detail)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["seen_at", "detail"],
    )
