"""Removal of abandoned parts of uploads. The sweep calls it; it needs no database."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from portal import logs
from portal.dropserver.jail import Jail
from portal.dropserver.parts import remove_old
from portal.dropserver.rights import HOMES

log = logs.get(__name__)

KEPT_FOR = timedelta(days=7)


def clear_parts(older: timedelta = KEPT_FOR) -> int:
    """Remove parts of all endpoints that were last written longer ago. Returns how many.

    A folder that cannot be read is logged and skipped, so that the others are still cleared.
    """
    if not settings.DROPS_DIR.is_dir():
        return 0
    before, removed = time.time() - older.total_seconds(), 0
    for root in settings.DROPS_DIR.iterdir():
        try:
            removed += sum(_clear(place, before) for place in (root, *_homes(root)))
        except OSError as error:
            log.warning("drop_parts_not_cleared", endpoint=root.name, error=repr(error))
    return removed


def _homes(root: Path) -> list[Path]:
    """The roots of accounts with a home; only the portal makes folders there."""
    homes = root / HOMES
    return [home for home in homes.iterdir() if home.is_dir()] if homes.is_dir() else []


def _clear(root: Path, before: float) -> int:
    with Jail(root) as jail:
        return remove_old(jail, before)
