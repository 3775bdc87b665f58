"""Slices of rows between two cursors: lists that stay right while rows come in. Read only."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from portal.models import AuditEntry, Event

Row = TypeVar("Row", bound=Model)
Timed = TypeVar("Timed", Event, AuditEntry)


class BadCursor(ValueError):
    """A cursor that was not made here."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows in order. after, before: cursors of the next and the previous slice, "" for none."""

    rows: list[Row]
    after: str = ""
    before: str = ""


def oldest_first(rows: QuerySet[Timed], cursor: str, size: int) -> Slice[Timed]:
    """The slice behind the cursor, in the order of time. Raises BadCursor."""
    after = _beyond(cursor, "gt") if cursor else None
    return forwards(rows, after, ("at", "id"), time_cursor, size)


def newest_first(rows: QuerySet[Timed], after: str, before: str, size: int = 50) -> Slice[Timed]:
    """The slice behind or before a cursor, the newest first. Raises BadCursor."""
    if before:
        return backwards(rows, _beyond(before, "gt"), ("at", "id"), time_cursor, size)
    beyond = _beyond(after, "lt") if after else None
    return forwards(rows, beyond, ("-at", "-id"), time_cursor, size)


def forwards(
    rows: QuerySet[Row],
    after: Q | None,
    order: tuple[str, ...],
    cursor: Callable[[Row], str],
    size: int,
) -> Slice[Row]:
    """The first rows that lie after a cursor; the very first ones without it.

    cursor: the cursor of a row.
    """
    if after is not None:
        rows = rows.filter(after)
    part = list(rows.order_by(*order)[: size + 1])
    return Slice(
        part[:size],
        after=cursor(part[size - 1]) if len(part) > size else "",
        before=cursor(part[0]) if after is not None and part else "",
    )


def backwards(
    rows: QuerySet[Row],
    before: Q,
    order: tuple[str, ...],
    cursor: Callable[[Row], str],
    size: int,
) -> Slice[Row]:
    """The last rows that lie before a cursor. order: the reverse of the slice's own."""
    part = list(rows.filter(before).order_by(*order)[: size + 1])
    more, part = len(part) > size, part[:size][::-1]
    if not part:
        return Slice([])
    return Slice(part, after=cursor(part[-1]), before=cursor(part[0]) if more else "")


def time_cursor(row: Event | AuditEntry) -> str:
    """The cursor of a row in the order of time."""
    written = json.dumps([row.at.isoformat(), row.pk])
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def _beyond(cursor: str, way: str) -> Q:
    """The rows later (gt) or earlier (lt) than the cursor. The first half can use an index."""
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
