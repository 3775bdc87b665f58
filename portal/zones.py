"""The IANA time zones of this machine."""

from __future__ import annotations

import functools
import zoneinfo


@functools.cache
def names() -> frozenset[str]:
    """Their names, as in "America/New_York". Read once: some 20 ms of the file system each time."""
    return frozenset(zoneinfo.available_timezones())
