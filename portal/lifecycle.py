"""Claim, lease, heartbeat, fence: how one worker owns a row of work, and only one.

Design.md section 3, rule 2. A claim takes the row with SKIP LOCKED, raises its token and gives it a
lease by the database's clock. Each later change is an UPDATE conditional on id, token and allowed
previous states; zero rows changed means that the work belongs to somebody else by now.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.utils import Error as DatabaseError

from portal import logs, tenancy

log = logs.get(__name__)


class LeaseLost(Exception):
    """The row is no longer ours: stop at once and write nothing."""


class Leased(models.Model):
    """A row of work. `ready_at` is when it may be claimed; due times are columns, never ETAs."""

    state = models.CharField(max_length=20)
    ready_at = models.DateTimeField(db_default=Now())
    owner = models.CharField(max_length=100, blank=True)
    token = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempt = models.IntegerField(default=0)

    class Meta:
        abstract = True


L = TypeVar("L", bound=Leased)


def owner() -> str:
    """This process, as written into leases."""
    return f"{socket.gethostname()}:{os.getpid()}"


def lease_end() -> models.Expression:
    """Now plus the lease, by the database's clock."""
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)


def claim(
    candidates: QuerySet[L],
    *,
    owner: str,
    state: str,
    guard: Callable[[], bool] | None = None,
) -> L | None:
    """Take the first candidate that nobody holds, in the queryset's order.

    guard: asked first, in the same transaction; its locks hold until the claim is committed, and
    where it says no, nothing is claimed. Must be called outside a transaction (RuntimeError
    within one); commits the claim. Returns the fresh row or None.
    """
    with transaction.atomic(durable=True):
        if guard is not None and not guard():
            return None
        row = candidates.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
        if row is None:
            return None
        type(row)._default_manager.filter(pk=row.pk).update(
            state=state,
            owner=owner,
            token=F("token") + 1,
            attempt=F("attempt") + 1,
            lease_until=lease_end(),
        )
        row.refresh_from_db()
    return row


def fence(row: Leased) -> None:
    """Lock the row inside the running transaction. Raises LeaseLost where the token moved on.

    The lock is the weaker one (NO KEY), so that rows that refer to this one can still be inserted.
    """
    if not _ours(row).select_for_update(no_key=True).exists():
        raise LeaseLost(f"{row._meta.label} {row.pk} is held by somebody else.")


def speak() -> None:
    """Say something inside a transaction that waits for other work: its silence is limited."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def advance(row: Leased, *, to: str, allowed: Collection[str], **changes: Any) -> None:
    """Change the state, only from an allowed one and only under our token. Raises LeaseLost."""
    if not _ours(row).filter(state__in=allowed).update(state=to, **changes):
        raise LeaseLost(f"{row._meta.label} {row.pk} did not go to {to}.")
    row.state = to
    for name, value in changes.items():
        if not hasattr(value, "resolve_expression"):
            setattr(row, name, value)
    if computed := [n for n, value in changes.items() if hasattr(value, "resolve_expression")]:
        row.refresh_from_db(fields=computed)


def _ours(row: L) -> QuerySet[L]:
    """The row, as long as nobody else has claimed it since."""
    return type(row)._default_manager.filter(pk=row.pk, token=row.token)


def released() -> dict[str, Any]:
    """The changes that give a lease back."""
    return {"owner": "", "lease_until": None}


class Heartbeat:
    """Keeps a row's lease alive from a thread with its own connection, while the work runs.

    The work calls `check()` between its steps; it raises LeaseLost once the row was taken.
    """

    def __init__(self, row: Leased, tenant_id: int) -> None:
        self._row, self._tenant = row, tenant_id
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def check(self) -> None:
        """Raise LeaseLost where the heartbeat found the row taken."""
        if self._lost.is_set():
            raise LeaseLost(f"{self._row._meta.label} {self._row.pk} was taken over.")

    def _beat(self) -> None:
        try:
            while not self._stop.wait(settings.HEARTBEAT_SECONDS):
                self._beat_once()
        finally:
            connection.close()

    def _beat_once(self) -> None:
        try:
            with tenancy.scope(self._tenant):
                if not self._prolong():
                    self._lost.set()
        except DatabaseError as exc:
            # The lease may run out meanwhile; the fence then refuses what we would write.
            log.warning("heartbeat_failed", row=self._row.pk, error=repr(exc))
            connection.close()

    def _prolong(self) -> bool:
        """Whether the row is still ours. A lease that was given back is not taken again.

        A locked row is left alone: we hold it ourselves while applying, nobody can claim it
        meanwhile, and waiting for it would keep the work from ending.
        """
        rows = _ours(self._row)
        with transaction.atomic():
            if rows.select_for_update(skip_locked=True, no_key=True).exists():
                rows.filter(lease_until__isnull=False).update(lease_until=lease_end())
                return True
        return rows.exists()
