"""Directories on a worker's own disk, one for each attempt at a row of work."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from portal import tenancy
from portal.lifecycle import Leased

Attempt = tuple[int, int]  # the row's number and the token


class Spool:
    """The directories of one kind of work: `<kind>_<row>_<token>_…` in settings.SPOOL_DIR.

    running: the attempts that run now in the current scope.
    """

    def __init__(self, kind: str, running: Callable[[], set[Attempt]]) -> None:
        self._kind, self._running = kind, running
        self._name = re.compile(rf"^{kind}_(\d+)_(\d+)_")

    @contextmanager
    def folder(self, row: Leased) -> Iterator[Path]:
        """The attempt's directory, removed at the end; those of killed attempts go first."""
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.clear()
        prefix = f"{self._kind}_{row.pk}_{row.token}_"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=settings.SPOOL_DIR))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> int:
        """Remove directories of attempts that no longer run, on this worker's disk. How many."""
        folders = self._folders()  # listed before the question which of them are in use
        if not folders:
            return 0
        with tenancy.everyone("other tenants' attempts use the same directory"):
            running = self._running()
        stray = [path for path, attempt in folders if attempt not in running]
        for path in stray:
            shutil.rmtree(path, ignore_errors=True)
        return len(stray)

    def _folders(self) -> list[tuple[Path, Attempt]]:
        if not settings.SPOOL_DIR.is_dir():
            return []
        matches = [(path, self._name.match(path.name)) for path in settings.SPOOL_DIR.iterdir()]
        return [(path, (int(match[1]), int(match[2]))) for path, match in matches if match]
