"""A worker that hears nothing ends, so that its supervisor starts another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.faults
def test_a_worker_that_hears_nothing_ends_by_itself(servers: Path) -> None:
    """Nobody sends to its queue: as deaf as one whose consumer died."""
    command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "--queues", "nobody"]
    done = subprocess.run(
        [*command, "--concurrency", "1", "--without-gossip", "--without-mingle"],
        cwd=ROOT,
        env={**os.environ, "DEAF_SECONDS": "3", "REDIS_URL": settings.REDIS_URL},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert "worker_deaf" in done.stderr
    assert done.returncode == 0, done.stderr
