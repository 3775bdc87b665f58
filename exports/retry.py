"""The ladder of a delivery: how long to wait after which failed attempt. Pure.

Seed 000: "We will retry ten times total with an exponential backoff starting from 20 seconds up to
3600 seconds, giving up approximately 3.5 hours after the first SFTP transfer attempt." Doubling
with that cap gives 12,300 seconds of waiting together; the attempts' own time comes on top.
"""

from __future__ import annotations

WAITS = (20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600)  # seconds
MOST_ATTEMPTS = 1 + len(WAITS)


def wait(failed: int) -> int | None:
    """Seconds from the failure of attempt number `failed` (from 1) to the next; None: give up.

    Raises ValueError for a number below 1.
    """
    if failed < 1:
        raise ValueError(f"{failed} attempts have not failed.")
    return WAITS[failed - 1] if failed <= len(WAITS) else None
