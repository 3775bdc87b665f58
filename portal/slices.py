"""Slices of rows in the order of time: lists that stay right while rows come in. Read only."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Q, QuerySet

from portal.models import AuditEntry, Event

Row = TypeVar("Row", Event, AuditEntry)


class BadCursor(ValueError):
    """A cursor that was not made here."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows in order. after, before: cursors of the next and the previous slice."""

    rows: list[Row]
    after: str = ""
    before: str = ""


def oldest_first(rows: QuerySet[Row], cursor: str, size: int) -> Slice[Row]:
    """The slice behind the cursor, in the order of time. Raises BadCursor."""
    if cursor:
        rows = rows.filter(_beyond(cursor, "gt"))
    part = list(rows.order_by("at", "id")[: size + 1])
    return Slice(part[:size], after=mark(part[size - 1]) if len(part) > size else "")


def newest_first(rows: QuerySet[Row], after: str, before: str, size: int = 50) -> Slice[Row]:
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


def shown(rows: QuerySet[Row], after: str, before: str) -> Slice[Row]:
    """The slice for a page, the newest first; the first one where a cursor cannot be read."""
    try:
        return newest_first(rows, after, before)
    except BadCursor:
        return newest_first(rows, "", "")


def mark(row: Event | AuditEntry) -> str:
    """The cursor that stands at this row."""
    written = json.dumps([row.at.isoformat(), row.pk])
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
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise BadCursor(cursor) from error
    if place[0].tzinfo is None or not 0 <= place[1] < 1 << 63:
        raise BadCursor(cursor)
    return place
