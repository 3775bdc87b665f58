"""A real Celery worker under the supervisor: a running task finishes, or the wait is bounded."""

import os
import sys
import time

import psutil
import pytest
from celery import Celery
from django.conf import settings

from portal.runtime.output import Silence
from portal.runtime.processes import worker
from portal.runtime.stopping import SignalWatch
from portal.runtime.supervisor import Supervisor

APP = """
import pathlib, time
from celery import Celery
app = Celery("slow", broker={broker!r})
app.conf.task_ignore_result = True

@app.task(name="slow.work")
def work(mark, seconds):
    pathlib.Path(mark + ".begun").touch()
    time.sleep(seconds)
    pathlib.Path(mark + ".done").touch()
"""

pytestmark = pytest.mark.faults


@pytest.fixture
def supervisor(tmp_path):
    with SignalWatch() as signals:
        supervisor = Supervisor(tmp_path / "log", Silence(), signals)
        yield supervisor
        supervisor.stop()


@pytest.fixture
def begin(servers, supervisor, tmp_path):
    """Start the product's worker program on a slow task of so many seconds, and wait for it."""
    (tmp_path / "slow.py").write_text(APP.format(broker=settings.REDIS_URL))

    def start(seconds: float, stop_seconds: str) -> None:
        environment = {**os.environ, "WORKER_STOP_SECONDS": stop_seconds}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        product = worker(environment)
        command = tuple("slow" if part == "portal" else part for part in product.command)
        supervisor.start(type(product)("worker", command, environment, stops=product.stops))
        mark = str(tmp_path / "mark")
        with Celery("sender", broker=settings.REDIS_URL) as sender:
            sender.send_task("slow.work", args=[mark, seconds], queue="import")
        assert supervisor.wait_until((tmp_path / "mark.begun").exists, 60)

    return start


def test_a_running_task_finishes_before_the_worker_stops(begin, supervisor, tmp_path):
    begin(1.0, stop_seconds="60")
    assert not (tmp_path / "mark.done").exists()
    supervisor.stop()
    assert (tmp_path / "mark.done").exists()


def test_a_task_that_takes_too_long_is_cut_off_and_leaves_no_process(begin, supervisor, tmp_path):
    begin(600.0, stop_seconds="0.5")
    children = psutil.Process(supervisor.pids()["worker"]).children()
    assert len(children) == 2
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 30
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
    assert not (tmp_path / "mark.done").exists()
