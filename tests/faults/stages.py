"""Holding an import still in one of its stages, with nothing but locks that PostgreSQL gives.

The import reads what the store knows (*reading*), compares (*planning*), waits for its report
(*reporting*; the job shows that it applies) and writes (*applying*). A lock of the test's own
connection on the record table makes it wait there for as long as the test likes; the report is made
long and the process frozen in it.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from imports.models import ImportJob
from tests.faults.harness import Lock, Rig, eventually
from tests.faults.sender import Sender, pid_of, rows

STAGES = ("reading", "planning", "reporting", "applying")
STEM = "held"
# The backend of the import that stands still; others may wait for other locks meanwhile.
WAITS = (
    "pid IN (SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'portal_record'::regclass)"
)
_ROWS, _REJECTS = 2_000, 20_000


@contextmanager
def held(rig: Rig, sender: Sender, stage: str) -> Iterator[ImportJob]:
    """The job of a file while its import stands still in a stage; it goes on after the block."""
    if stage == "reporting":
        with _planning(rig, sender, _REJECTS) as (job, lock):
            pid = pid_of(job)
            lock.release()
            _stop_in(job, pid)
            try:
                yield job
            finally:
                go_on(pid)
        return
    way = {"reading": _reading, "planning": _planning, "applying": _applying}[stage]
    with way(rig, sender, 0) as (job, _):
        yield job


def go_on(pid: int) -> None:
    """Let a stopped process run again, if there is one."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass  # the test has killed it


@contextmanager
def _reading(rig: Rig, sender: Sender, rejects: int) -> Iterator[tuple[ImportJob, Lock]]:
    """It waits for what the store knows already; its staging table and its folder are there."""
    with Lock(rig, "ACCESS EXCLUSIVE").take() as lock:
        _send(sender, rejects)
        job = sender.working(STEM, "reading")
        eventually(lambda: waiting(rig) == ["AccessShareLock"], "the import waits to read")
        yield job, lock


@contextmanager
def _planning(rig: Rig, sender: Sender, rejects: int) -> Iterator[tuple[ImportJob, Lock]]:
    """It has read its file and waits to compare: a second lock stands behind its first look."""
    with _reading(rig, sender, rejects) as (_, first), Lock(rig, "ACCESS EXCLUSIVE") as second:
        second.queue()
        eventually(lambda: len(waiting(rig)) == 2, "the second lock stands in the queue")
        first.release()
        job = sender.working(STEM, "planning")
        eventually(lambda: waiting(rig) == ["AccessShareLock"], "the import waits to compare")
        yield job, second


@contextmanager
def _applying(rig: Rig, sender: Sender, rejects: int) -> Iterator[tuple[ImportJob, Lock]]:
    """It waits to write, inside the transaction that also ends the job."""
    with Lock(rig, "EXCLUSIVE").take() as lock:
        _send(sender, rejects)
        job = sender.working(STEM, "applying")
        eventually(lambda: waiting(rig) == ["RowExclusiveLock"], "the import waits to write")
        yield job, lock


def _send(sender: Sender, rejects: int) -> None:
    bad = [(f"X{n}", "First", "Last", "no address") for n in range(rejects)]
    sender.send_and_ring(STEM, rows(1, _ROWS), rejects=bad)


def _stop_in(job: ImportJob, pid: int) -> None:
    """Freeze the process as soon as it is about to apply: it then waits for its long report."""
    stage = "applying"

    def there() -> bool:
        job.refresh_from_db()
        assert job.stage in ("planning", stage), f"{stage} was missed: {job.state} {job.stage}"
        return job.stage == stage

    eventually(there, f"the job shows {stage}")
    os.kill(pid, signal.SIGSTOP)
    job.refresh_from_db()
    assert job.stage == stage, f"{stage} was too short to be caught: {job.state} {job.stage}"


def waiting(rig: Rig) -> list[str]:
    """Modes in which somebody waits for the record table."""
    with rig.connect() as mine:
        rows = mine.execute(
            "SELECT mode FROM pg_locks WHERE NOT granted AND relation = 'portal_record'::regclass "
            "AND mode <> 'ShareUpdateExclusiveLock' "  # autovacuum waits, too
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return sorted(row[0] for row in rows.fetchall())
