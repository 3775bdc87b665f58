"""A directory of an attempt's own on the worker's disk, in which an export's file is written."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from exports import queue
from exports.models import ExportRun
from portal import tenancy

_NAME = re.compile(r"^run_(\d+)_(\d+)_")


@contextmanager
def folder(run: ExportRun) -> Iterator[Path]:
    """The directory, removed at the end. Those that killed attempts left are removed first."""
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    clear()
    made = tempfile.mkdtemp(prefix=f"run_{run.pk}_{run.token}_", dir=settings.SPOOL_DIR)
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def clear() -> int:
    """Remove directories of attempts that no longer run, on this worker's disk."""
    if not settings.SPOOL_DIR.is_dir():
        return 0
    # Listed before the question which of them are in use.
    found = [(path, m) for path in settings.SPOOL_DIR.iterdir() if (m := _NAME.match(path.name))]
    if not found:
        return 0
    with tenancy.everyone("other tenants' attempts use the same directory"):
        running = queue.running()
    stray = [path for path, m in found if (int(m[1]), int(m[2])) not in running]
    for path in stray:
        shutil.rmtree(path, ignore_errors=True)
    return len(stray)
