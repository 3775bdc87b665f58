"""The test run itself: its workers share nothing, and a test that hangs is ended."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
from django.conf import settings


def test_each_worker_has_files_and_a_broker_of_its_own() -> None:
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    assert settings.DATA_DIR.name == f"data-{number}"
    assert f"/broker-{number}/" in settings.REDIS_URL
    assert settings.SPOOL_DIR.parent == settings.DATA_DIR


def test_no_variable_of_the_callers_reaches_the_settings() -> None:
    assert settings.LOG_FORMAT == "json"


HANGING = """
import asyncio, subprocess, threading
import pytest

@pytest.fixture
def started():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()

def test_that_waits_for_a_process(started):
    print("started", started.pid)
    started.wait()

def test_that_waits_for_a_thread():
    threading.Event().wait()

async def test_that_waits_in_a_loop():
    await asyncio.Event().wait()
"""


def test_a_test_that_hangs_fails_and_what_it_started_is_ended(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    own = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*own, "--timeout=0.5", "-o", "asyncio_mode=auto", "-rf", str(tmp_path)],
        cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "3 failed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("Timeout (>0.5s)") >= 3
    assert not psutil.pid_exists(int(re.findall(r"started (\d+)", done.stdout)[0]))


def test_every_test_has_a_time_limit(request) -> None:
    assert request.config.getoption("timeout") > 0
