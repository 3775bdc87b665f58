"""Which events are wanted, for pages and for the API. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from portal.models import Event, Tenant

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events. start is included, end is not. subject: its beginning, or all of it."""

    type: str = ""
    source: str = ""
    subject: str = ""
    start: datetime | None = None
    end: datetime | None = None


def found(tenant: Tenant | int, wanted: Wanted) -> QuerySet[Event]:
    """The tenant's events that are wanted, in no order."""
    rows = Event.objects.filter(tenant=tenant)
    if wanted.type:
        rows = rows.filter(type=wanted.type)
    if wanted.source:
        rows = rows.filter(source=wanted.source)
    if wanted.subject:
        rows = rows.filter(subject__istartswith=wanted.subject)
    if wanted.start:
        rows = rows.filter(at__gte=wanted.start)
    if wanted.end:
        rows = rows.filter(at__lt=wanted.end)
    return rows


def total(rows: QuerySet[Event]) -> int | None:
    """How many there are, None beyond MOST_COUNTED."""
    number = rows.order_by()[: MOST_COUNTED + 1].count()
    return number if number <= MOST_COUNTED else None
