"""The events that a filter selects, for pages and for the API. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from portal.models import Event, Tenant

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. start is included, end is not. subject: its beginning, or all of it."""

    type: str = ""
    source: str = ""
    subject: str = ""
    start: datetime | None = None
    end: datetime | None = None


def events(tenant: Tenant | int, only: EventFilter) -> QuerySet[Event]:
    """The tenant's events that the filter selects, in no order."""
    rows = Event.objects.filter(tenant=tenant)
    if only.type:
        rows = rows.filter(type=only.type)
    if only.source:
        rows = rows.filter(source=only.source)
    if only.subject:
        rows = rows.filter(subject__istartswith=only.subject)
    if only.start:
        rows = rows.filter(at__gte=only.start)
    if only.end:
        rows = rows.filter(at__lt=only.end)
    return rows


def total(rows: QuerySet[Event]) -> int | None:
    """How many there are, None beyond MOST_COUNTED."""
    number = rows.order_by()[: MOST_COUNTED + 1].count()
    return number if number <= MOST_COUNTED else None
