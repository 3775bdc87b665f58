"""Tenant first: which tenant the running code may see, told to PostgreSQL's row-level security.

Every table with a tenant has a policy (`portal/rls.py`) on the setting `app.tenant`. Without a
scope nothing is visible. `everyone(reason)` is the greppable exception for what has to look across
tenants: the sweep, a login, an operator's page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import DatabaseError
from django.dispatch import receiver

EVERYONE = "*"
_current: ContextVar[str] = ContextVar("tenant", default="")


def current() -> int | None:
    """The id of the tenant in scope; None without one or across tenants."""
    value = _current.get()
    return int(value) if value.isdigit() else None


@contextmanager
def scope(tenant_id: int) -> Iterator[None]:
    """Let the code inside see and write this tenant's rows only."""
    with _scope(str(int(tenant_id))):
        yield


@contextmanager
def everyone(reason: str) -> Iterator[None]:
    """Let the code inside see all tenants' rows. reason: why, for the reader of the code."""
    if not reason:
        raise ValueError("everyone() needs a reason.")
    with _scope(EVERYONE):
        yield


@contextmanager
def _scope(value: str) -> Iterator[None]:
    previous = _current.set(value)
    try:
        _tell(value)
        yield
    finally:
        _current.reset(previous)
        _tell(_current.get())


def _tell(value: str) -> None:
    """Set it on the open connection; a connection opened later is told by the signal below."""
    if connection.connection is None:
        return
    try:
        _execute(connection, value)
    except DatabaseError:
        # The transaction or the connection is broken: a new one starts with nothing visible.
        if not connection.in_atomic_block:
            connection.close()


def _execute(target: BaseDatabaseWrapper, value: str) -> None:
    with target.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', %s, false)", [value])


@receiver(connection_created)
def _tell_new(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    if value := _current.get():
        _execute(connection, value)
