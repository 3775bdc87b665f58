"""Exports under faults: workers killed while they write, several schedulers at once (A8)."""

import os
import random
import signal
import time

import pytest

from exports.models import ExportRun
from portal import bell
from portal.runtime import processes
from portal.runtime.datadir import DataDirectory
from tests.faults import nights
from tests.faults.harness import LEASE, SWEEP, Process, Rig, eventually
from tests.faults.nights import Night
from tests.sizes import scaled

ROWS = scaled(100_000, 400_000)
KILLS = scaled(3, 20)
TENANTS = scaled(30, 100)
CLAIMED_AGAIN = LEASE + SWEEP + 15


@pytest.fixture
def night(working: Rig) -> Night:
    return nights.new(1)


def being_written(rig: Rig, night: Night, most: float = 30) -> ExportRun:
    """The run while rows of its file are on their way out of the database."""

    def running() -> ExportRun | None:
        with rig.connect() as mine:
            row = mine.execute(
                "SELECT 1 FROM pg_stat_progress_copy WHERE command = 'COPY TO'"
            ).fetchone()
        state = ExportRun.State.RUNNING
        run = ExportRun.objects.filter(export=night.export, state=state).exclude(owner="").first()
        return run if row else None

    run = eventually(running, "the file is being written", most)
    assert run is not None
    return run


def pid_of(run: ExportRun) -> int:
    return int(run.owner.rpartition(":")[2])


def test_a_child_killed_while_it_writes_leaves_one_whole_file(working: Rig, night: Night):
    night.events(ROWS)
    night.start()
    run = being_written(working, night)
    os.kill(pid_of(run), signal.SIGKILL)
    died = time.monotonic()
    again = ExportRun.objects.filter(pk=run.pk, attempt=2)
    eventually(again.exists, "the run is claimed again", CLAIMED_AGAIN)
    print(f"kill -9 while writing: claimed again after {time.monotonic() - died:.1f} s")
    nights.hold(night, 1)
    spools = [p for p in (working.data / "spool").iterdir() if p.name.startswith("run_")]
    assert spools == []


def test_a_worker_killed_while_it_writes_needs_no_help_of_the_broker(working: Rig, night: Night):
    night.events(ROWS)
    night.start()
    being_written(working, night)
    working.worker.kill()
    working.worker.start()
    nights.hold(night, 1)


def test_kills_at_any_moment_lose_and_double_no_event(working: Rig):
    """Four missed nights are caught up while their workers die.

    A run's last attempt is spared: three deaths of one would be given up, by design.
    """
    dice = random.Random(5)
    night = nights.new(4)
    for day in range(4):
        night.events(ROWS, day)
    night.start()
    kills = 0
    states = ExportRun.objects.filter(export=night.export)
    running = states.filter(state=ExportRun.State.RUNNING, attempt__lt=3)
    finished = states.filter(state=ExportRun.State.WRITTEN)

    def target() -> ExportRun | int:
        return running.first() or finished.count() == 4

    while kills < KILLS:
        run = eventually(target, f"something is written after {kills} kills")
        if not isinstance(run, ExportRun):
            break  # a quick machine
        time.sleep(dice.uniform(0, 0.2) if kills else 0)  # the random moment
        if running.filter(pk=run.pk, token=run.token).exists():
            os.kill(pid_of(run), signal.SIGKILL)
            kills += 1
            lost = running.filter(pk=run.pk, token=run.token)
            eventually(
                lambda it=lost: not it.exists(), "the run is taken by another", CLAIMED_AGAIN
            )
    nights.hold(night, 4)
    assert kills
    print(f"{kills} kills over 4 nights")


def second_beat(rig: Rig) -> Process:
    data = rig.root / "beat-2"
    data.mkdir(mode=0o700, exist_ok=True)
    program = processes.beat(rig.environment(), DataDirectory(data))
    return Process(program, rig.logs / "beat-2")


def test_two_schedulers_and_several_workers_make_each_night_once(working: Rig):
    """A8: both sweep every second, every bell is rung five times, three workers answer."""
    houses = [nights.new(2) for _ in range(TENANTS)]
    for house in houses:
        house.events(50)
        house.events(50, 1)
    more = [
        second_beat(working),
        *(Process(working.new_worker(WORKER_CONCURRENCY="1").program, working.logs / f"worker-{n}")
          for n in (2, 3)),
        Process(working.new_intake(WORKER_CONCURRENCY="1").program, working.logs / "intake-2"),
    ]  # fmt: skip
    began = time.monotonic()
    try:
        for worker in more:
            worker.start()
        for house in houses:
            house.start()
            working.ring(bell.EXPORT, house.tenant.pk, times=5)
        for house in houses:
            nights.hold(house, 2)
    finally:
        for worker in more:
            worker.kill()
    attempts = {run.attempt for house in houses for run in house.runs()}
    print(f"A8: {TENANTS} exports, 2 nights each, {time.monotonic() - began:.1f} s")
    assert attempts == {1}
