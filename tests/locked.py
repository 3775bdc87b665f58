"""Locks that another connection holds, for tests of who has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections


@contextmanager
def elsewhere(statement: str, *values: Any) -> Iterator[None]:
    """Another connection holds what the statement locks; ours waits 300 ms for a lock at most."""
    other = connections.create_connection("default")
    try:
        other.ensure_connection()
        other.connection.execute("SELECT set_config('app.tenant', '*', false)")
        with other.connection.transaction(), connection.cursor() as cursor:
            other.connection.execute(statement, values)
            cursor.execute("SET lock_timeout = '300ms'")
            yield
            cursor.execute("RESET lock_timeout")
    finally:
        other.close()


def job_elsewhere(job_id: int) -> Any:
    """Another connection holds the job's row, as who changes it does."""
    return elsewhere("SELECT 1 FROM imports_importjob WHERE id = %s FOR NO KEY UPDATE", job_id)


def lock_elsewhere(lock: int, tenant_id: int) -> Any:
    """Another connection holds the advisory lock of the tenant."""
    return elsewhere("SELECT pg_advisory_xact_lock(%s, %s)", int(lock), tenant_id)
