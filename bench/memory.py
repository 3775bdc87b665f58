"""The memory of the process that is measured."""

from __future__ import annotations

from pathlib import Path


def peak_memory() -> float:
    """The process's highest resident memory in MB (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
