"""A directory of an attempt's own on the worker's disk, for rejects and the attachment."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from imports.jobs import queue
from imports.models import ImportJob
from portal import tenancy

_NAME = re.compile(r"^job_(\d+)_(\d+)_")


@contextmanager
def folder(job: ImportJob) -> Iterator[Path]:
    """The directory, removed at the end. Those that killed attempts left are removed first."""
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    clear()
    made = tempfile.mkdtemp(prefix=f"job_{job.pk}_{job.token}_", dir=settings.SPOOL_DIR)
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def clear() -> int:
    """Remove directories of attempts that no longer run, on this worker's disk."""
    if not settings.SPOOL_DIR.is_dir():
        return 0
    found = list(settings.SPOOL_DIR.iterdir())  # before the question which of them are in use
    if not found:
        return 0
    with tenancy.everyone("other tenants' attempts use the same directory"):
        running = queue.running(ImportJob.objects.all())
    stray = [path for path in found if (m := _NAME.match(path.name)) and _attempt(m) not in running]
    for path in stray:
        shutil.rmtree(path, ignore_errors=True)
    return len(stray)


def _attempt(name: re.Match[str]) -> tuple[int, int]:
    return int(name[1]), int(name[2])
