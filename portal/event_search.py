"""Looking at events: slices in the order of time, for pages and for the API. Read only."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from portal.models import Event, Tenant

MOST_COUNTED = 10_000


class BadCursor(ValueError):
    """A cursor that was not made here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events. start is included, end is not. subject: its beginning, or all of it."""

    type: str = ""
    source: str = ""
    subject: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Events in order. after, before: cursors of the next and the previous slice."""

    rows: list[Event]
    after: str = ""
    before: str = ""


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


def oldest_first(rows: QuerySet[Event], cursor: str, size: int) -> Slice:
    """The slice behind the cursor, in the order of time. Raises BadCursor."""
    if cursor:
        rows = rows.filter(_beyond(cursor, "gt"))
    part = list(rows.order_by("at", "id")[: size + 1])
    return Slice(part[:size], after=mark(part[size - 1]) if len(part) > size else "")


def newest_first(rows: QuerySet[Event], after: str, before: str, size: int = 50) -> Slice:
    """The slice behind or before a cursor, the newest first. Raises BadCursor."""
    if before:
        part = list(rows.filter(_beyond(before, "gt")).order_by("at", "id")[: size + 1])
        more, part = len(part) > size, part[:size][::-1]
        if not part:
            return Slice([])
        return Slice(part, after=mark(part[-1]), before=mark(part[0]) if more else "")
    if after:
        rows = rows.filter(_beyond(after, "lt"))
    part = list(rows.order_by("-at", "-id")[: size + 1])
    return Slice(
        part[:size],
        after=mark(part[size - 1]) if len(part) > size else "",
        before=mark(part[0]) if after and part else "",
    )


def mark(event: Event) -> str:
    """The cursor that stands at this event."""
    written = json.dumps([event.at.isoformat(), event.pk])
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def _beyond(cursor: str, way: str) -> Q:
    """What lies after the cursor (gt) or before it (lt). The first half can use an index."""
    at, number = _place(cursor)
    return Q(**{f"at__{way}e": at}) & (
        Q(**{f"at__{way}": at}) | Q(**{"at": at, f"id__{way}": number})
    )


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, number = json.loads(base64.urlsafe_b64decode(padded.encode()))
        place = datetime.fromisoformat(at), int(number)
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise BadCursor(cursor) from error
    if place[0].tzinfo is None or not 0 <= place[1] < 1 << 63:
        raise BadCursor(cursor)
    return place
