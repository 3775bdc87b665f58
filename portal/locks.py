"""Every advisory lock of PostgreSQL that the portal takes, by name: no two share a number.

A lock belongs to one tenant, or to all of them, and says "one at a time". It saves work or
makes an answer hold until a commit; what may happen only once is a UNIQUE constraint or a fence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, unique

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

EVERY_TENANT = 0


@unique
class Lock(IntEnum):
    """What is done one at a time. The numbers are part of a rolling upgrade: never reuse one."""

    CLAIM_JOB = 0x1A9
    COLLECT = 0x1AA
    COLLECT_NEXT = 0x1AB
    FETCH = 0x1AC
    CLAIM_DELIVERY = 0x1AD
    NAME_EXPORT_FILE = 0x1AE
    SEND_MAIL = 0x1AF
    CHANGE_TEMPLATES = 0x7E41


def hold_until_commit(lock: Lock, tenant_id: int) -> None:
    """Wait for the lock and keep it until the transaction ends. Must run in one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [lock, _key(tenant_id)])


def take(lock: Lock, tenant_id: int, milliseconds: int) -> bool:
    """Take the lock for this session, waiting so long at most. Returns whether it was taken."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {int(milliseconds)}")
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [lock, _key(tenant_id)])
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return False
    return True


def release(lock: Lock, tenant_id: int) -> None:
    """Give a session's lock back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, _key(tenant_id)])


@contextmanager
def if_free(lock: Lock, tenant_id: int = EVERY_TENANT) -> Iterator[bool]:
    """Hold the lock for the block if nobody else has it; yield whether it is held."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, _key(tenant_id)])
        (taken,) = cursor.fetchone()
    try:
        yield bool(taken)
    finally:
        if taken:
            release(lock, tenant_id)


def _key(tenant_id: int) -> int:
    """The second number of a lock has 32 bits."""
    return tenant_id % 2**31
