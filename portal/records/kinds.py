"""Each record type of the catalog has a row, so that a record names its type in two bytes."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from portal.models import RecordKind
from portal.records.catalog import catalog


def synchronise() -> None:
    """Add or correct the rows. Safe to repeat."""
    for name in sorted({feed.record_type for feed in catalog().feeds()}):
        definition = catalog().record_type(name)
        RecordKind.objects.update_or_create(
            name=name, defaults={"label": definition.label, "pack": definition.pack}
        )


def after_migrate(**_kwargs: Any) -> None:
    """The post_migrate receiver."""
    if not settings.DATABASE_ROLE:
        synchronise()
