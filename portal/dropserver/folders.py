"""An endpoint's folder tree: the portal makes it, because senders cannot (seed 001)."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from portal import tenancy
from portal.dropserver.jail import Jail
from portal.dropserver.paths import PARTS_DIRECTORY, canonical_new
from portal.models import Endpoint


def folders(place: Endpoint) -> Path:
    """Make the endpoint's directory with the folders of its drops; only this user may enter it.

    Returns the directory. Safe to repeat. Raises OSError.
    """
    settings.DROPS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = settings.DROPS_DIR / str(place.uid)
    root.mkdir(mode=0o700, exist_ok=True)
    (root / PARTS_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    with tenancy.scope(place.tenant_id):
        paths = list(place.drops.values_list("path", flat=True))
    with Jail(root) as jail:
        for path in paths:
            jail.make_directory(canonical_new(path))
    return Path(root)
