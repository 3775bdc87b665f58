"""Queries on the record store for people: counts, slices in the order of the key, search.

A million rows of a type are ordinary, so no query may read them all without a limit: counts fall
back to the planner's estimate, and text search stops after `SEARCH_SECONDS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, Q, TextField
from django.db.models.functions import Cast
from django.db.utils import OperationalError
from psycopg.errors import QueryCanceled

from portal import slices
from portal.models import Record, RecordKind, Tenant
from portal.slices import Slice

COUNT_SECONDS = 1.0
SEARCH_SECONDS = 3.0
_COUNTS_KEPT_SECONDS = 15
_KEY_SEPARATOR = "\x1f"
# Keys compare by code point, so every key that begins with a text is below that text and this.
_LAST = "\U0010ffff"


class TooSlow(Exception):
    """The search was stopped: it would have read too much."""


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many records a type has. exact: False for the planner's estimate."""

    count: int
    exact: bool = True


def counts(tenant: Tenant) -> dict[str, KindCount]:
    """Records of the tenant by type name, cached for some seconds, without empty types."""
    name = f"record-counts:{tenant.pk}"
    cached: dict[str, KindCount] | None = cache.get(name)
    if cached is None:
        cached = _counts(tenant)
        cache.set(name, cached, _COUNTS_KEPT_SECONDS)
    return cached


def _counts(tenant: Tenant) -> dict[str, KindCount]:
    kinds = dict(RecordKind.objects.values_list("pk", "name"))
    rows = Record.objects.filter(tenant=tenant).order_by().values_list("kind_id")
    try:
        with _at_most(COUNT_SECONDS):
            return {kinds[k]: KindCount(n) for k, n in rows.annotate(n=Count("id"))}
    except TooSlow:
        guesses = {name: _estimate(tenant, pk) for pk, name in kinds.items()}
        return {name: KindCount(n, exact=False) for name, n in guesses.items() if n > 1}


def _estimate(tenant: Tenant, kind: int) -> int:
    """The planner's estimate, from statistics."""
    rows = Record.objects.filter(tenant=tenant, kind_id=kind).order_by().values("id")
    plan = json.loads(rows.explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def page(
    tenant: Tenant, kind: RecordKind, *, prefix: str = "", after: str = "", before: str = "",
    size: int = 50,
) -> Slice[Record]:  # fmt: skip
    """A slice of the type's records whose key begins with the prefix.

    prefix: already folded as the type's keys are. after, before: a key of a neighbouring slice.
    """
    rows = Record.objects.filter(tenant=tenant, kind=kind)
    if prefix:
        rows = rows.filter(key__gte=prefix, key__lt=prefix + _LAST)
    if before:
        return slices.backwards(rows, Q(key__lt=before), ("-key",), _key, size)
    return slices.forwards(rows, Q(key__gt=after) if after else None, ("key",), _key, size)


def _key(record: Record) -> str:
    return record.key


def search(tenant: Tenant, kind: RecordKind, text: str, size: int = 50) -> Slice[Record]:
    """The first records with the text in any field, without case. Raises TooSlow."""
    rows = Record.objects.filter(tenant=tenant, kind=kind)
    # Values are compared as JSON spells them, so that quotes and backslashes are found too.
    spelled = json.dumps(text, ensure_ascii=False)[1:-1]
    rows = rows.annotate(text=Cast("data", TextField())).filter(text__icontains=spelled)
    with _at_most(SEARCH_SECONDS):
        return Slice(list(rows.order_by("key")[:size]))


def key_prefix(text: str, fold: bool) -> str:
    """What a person typed, as keys are stored: " / " separates parts; folded if the type folds."""
    parts = [part.strip() for part in text.split(" / ")]
    prefix = _KEY_SEPARATOR.join(parts)
    return prefix.lower() if fold else prefix


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Stop the queries inside after so long. Raises TooSlow."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds:.0f}s"])
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as exc:
        if isinstance(exc.__cause__, QueryCanceled):
            raise TooSlow from exc
        raise
