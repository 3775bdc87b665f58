"""Processes of an earlier start that still run in a directory."""

import os
import time
from contextlib import suppress
from pathlib import Path

WAIT_SECONDS = 30.0


class StillInUse(Exception):
    """A process of an earlier start does not end."""


def processes_in(directory: Path) -> list[int]:
    """Ids of the processes whose current directory this is."""
    resolved = os.path.realpath(directory)
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(entry / "cwd") == resolved:  # noqa: PTH115 - the text, not a path
                pids.append(int(entry.name))
    return pids


def wait_until_free(directory: Path, seconds: float = WAIT_SECONDS) -> None:
    """Wait for the end of the processes in a directory. Raises StillInUse after so many seconds.

    The lock file of a server has a process id, which may be another process after a power loss; the
    current directory of a process is certain.
    """
    deadline = time.monotonic() + seconds
    while left := processes_in(directory):
        if time.monotonic() > deadline:
            raise StillInUse(
                f"A server from an earlier start is still running in {directory} (process "
                f"{left[0]}). Stop it with: kill -INT {left[0]}"
            )
        time.sleep(0.05)
