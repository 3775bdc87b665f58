"""Claim, lease, heartbeat, fence, retry: how one worker owns a row of work, and only one.

Design.md section 3, rule 2. A claim takes the row with SKIP LOCKED, raises its token and gives it a
lease by the database's clock. Each later change is an UPDATE conditional on id, token and allowed
previous states; zero rows changed means that another worker owns the work. An attempt
that goes wrong by our fault is recorded and made again after a wait, at most MAX_ATTEMPTS times.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.utils import Error as DatabaseError

from portal import logs, tenancy

log = logs.get(__name__)
_RETRY_SECONDS = (5, 30, 120)


class LeaseLost(Exception):
    """The row is no longer ours: the work stops at once and writes nothing."""


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
    """Take the first candidate that no other worker holds, in the queryset's order.

    guard: called first, in the same transaction; its locks hold until the claim is committed, and
    where it returns False nothing is claimed. Must be called outside a transaction (RuntimeError
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


def keep_transaction_alive() -> None:
    """Send a query in a transaction that waits for other work: the database limits its silence."""
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
    """The row, as long as no other worker has claimed it since."""
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

    def __exit__(self, *exc_info: object) -> None:
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

        A locked row is left alone: the work itself locks it while it applies, no other worker can
        claim it then, and waiting for it would keep the work from ending.
        """
        rows = _ours(self._row)
        with transaction.atomic():
            if rows.select_for_update(skip_locked=True, no_key=True).exists():
                rows.filter(lease_until__isnull=False).update(lease_until=lease_end())
                return True
        return rows.exists()


def next_to_run(claim: Callable[[], L | None], give_up: Callable[[L], None]) -> L | None:
    """Claim the next row that has an attempt left; those that died too often are given up."""
    while (row := claim()) is not None:
        if row.attempt <= settings.MAX_ATTEMPTS:
            return row
        give_up(row)
    return None


def run_attempt(
    row: Leased,
    tenant_id: int,
    *,
    work: Callable[[Heartbeat], None],
    errored: Callable[[Exception], None],
    tidy: Callable[[], None],
) -> LeaseLost | None:
    """Make one attempt at a claimed row under its heartbeat. Errors of the work do not propagate.

    errored: records an error of ours. tidy: removes what this attempt and cut-off ones left in
    storage. Returns the exception where another worker has taken the row.
    """

    def attempt(beat: Heartbeat) -> None:
        with recorded(errored):
            work(beat)

    lost = under_heartbeat(row, tenant_id, attempt)
    if lost is not None or row.token > 1:
        tidy()
    return lost


def under_heartbeat(
    row: Leased, tenant_id: int, work: Callable[[Heartbeat], None]
) -> LeaseLost | None:
    """Do the work while a heartbeat keeps the lease; returns how it was lost, if it was."""
    with Heartbeat(row, tenant_id) as beat:
        try:
            work(beat)
        except LeaseLost as lost:
            return lost
    return None


@contextmanager
def recorded(errored: Callable[[Exception], None]) -> Iterator[None]:
    """Hand any error of the block to `errored`, over a fresh connection after a database error.

    Raises LeaseLost, also where `errored` finds that another worker has taken the row.
    """
    try:
        yield
    except LeaseLost:
        raise
    except Exception as error:
        if isinstance(error, DatabaseError):
            connection.close()
        errored(error)


def out_of_attempts(row: Leased, error: Exception) -> str:
    """The reason to give the row up after this error; empty where it may be tried again."""
    if row.attempt < settings.MAX_ATTEMPTS:
        return ""
    return f"It failed {row.attempt} times. The last error: {type(error).__name__}."


def try_again(
    row: Leased, error: Exception, *, to: str, allowed: Collection[str], **changes: Any
) -> str:
    """Give the row back, to be claimed after a wait that grows. Returns why. Raises LeaseLost."""
    wait = _RETRY_SECONDS[min(row.attempt, len(_RETRY_SECONDS)) - 1]
    reason = f"{type(error).__name__}. The portal retries in {wait} seconds."
    due = Now() + timedelta(seconds=wait)
    advance(row, to=to, allowed=allowed, ready_at=due, reason=reason, **changes, **released())
    return reason
