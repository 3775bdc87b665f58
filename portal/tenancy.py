"""Tenant first: the tenant whose rows the running code may see, for row-level security.

Every table with a tenant has a policy (`portal/rls.py`) on the setting `app.tenant`. Without a
scope nothing is visible. `everyone(reason)` is the exception, easy to find, for code that reads
the rows of all tenants: the sweep, a login, an operator's page.

A scope belongs to the thread that opened it, as its connection does. A thread that only inherits
the context (`asyncio.to_thread`) sees nothing until it opens a scope itself: otherwise its
connection would get the setting as it opens, keep it, and show one tenant's rows to the next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import Error as AnyDatabaseError
from django.dispatch import receiver

EVERYONE = "*"
_current: ContextVar[tuple[str, int]] = ContextVar("tenant", default=("", 0))


def current() -> int | None:
    """The id of the tenant in scope; None without one or across tenants."""
    value = _here()
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
    previous = _current.set((value, threading.get_ident()))
    try:
        _set_on_open(value)
        yield
    finally:
        _current.reset(previous)
        _set_on_open(_here())


def _here() -> str:
    """What this thread may see: empty, a tenant's id or everyone."""
    value, thread = _current.get()
    return value if thread == threading.get_ident() else ""


def _set_on_open(value: str) -> None:
    """Set the tenant on the open connection; the signal below does it for later connections."""
    if connection.connection is None:
        return
    try:
        _execute(connection, value)
    except AnyDatabaseError:
        # A broken transaction resets the setting when it ends; a broken connection is replaced by
        # a new one, on which nothing is visible.
        if not connection.in_atomic_block:
            connection.close()


def _execute(target: BaseDatabaseWrapper, value: str) -> None:
    with target.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', %s, false)", [value])


@receiver(connection_created)
def _set_on_new(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    if value := _here():
        _execute(connection, value)
