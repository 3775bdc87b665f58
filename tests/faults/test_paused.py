"""SIGSTOP beyond the lease, then SIGCONT: what wakes up late may write nothing (A5)."""

import os
import random
import signal
import time

import pytest

from imports.models import ImportJob, JobEvent
from tests.faults import invariants, stages
from tests.faults import sender as senders
from tests.faults.harness import (
    HEARTBEAT,
    LEASE,
    RESUME_SECONDS,
    SWEEP,
    Process,
    Rig,
    eventually,
)
from tests.faults.sender import Sender, pid_of, rows
from tests.sizes import scaled

PAUSES = scaled(4, 20)
IMPORTS = scaled(32, 1_000)
ROWS = 500
LARGE = 150_000


@pytest.fixture
def crew(rig: Rig):
    """A worker of four processes, so that some may sleep."""
    rig.worker.kill()
    worker = rig.new_worker(WORKER_CONCURRENCY="4").start()
    rig.ensure(rig.intake, rig.beat)
    yield worker
    worker.kill()


@pytest.mark.parametrize("stage", ["reading", "planning", "reporting"])
def test_a_worker_that_sleeps_through_its_lease_writes_nothing(
    rig: Rig, crew: Process, sender: Sender, stage: str
):
    with stages.held(rig, sender, stage) as job:
        sleeper = pid_of(job)
        os.kill(sleeper, signal.SIGSTOP)
        if stage == "reporting":  # it is asleep already and would be woken at the block's end
            finished_by_another(job, sleeper)
    ended = finished_by_another(job, sleeper)
    wake(rig, job, sleeper)
    invariants.hold(sender)
    assert sender.final(stages.STEM).finished_at == ended.finished_at


def test_a_worker_that_sleeps_just_before_it_writes_is_fenced_off(
    rig: Rig, crew: Process, sender: Sender
):
    """The job shows that it applies; the process has not locked its row yet."""
    with stages.held(rig, sender, "planning") as job, rig.connect() as mine:
        sleeper = pid_of(job)
        mine.execute("SELECT 1 FROM imports_importjob WHERE id = %s FOR NO KEY UPDATE", [job.pk])
        os.kill(sleeper, signal.SIGSTOP)
        # Whoever claims now waits for the row or passes it over; the sleeper cannot prolong.
        time.sleep(LEASE + HEARTBEAT)
    ended = finished_by_another(job, sleeper)
    wake(rig, job, sleeper)
    invariants.hold(sender)
    assert sender.final(stages.STEM).finished_at == ended.finished_at


def test_a_worker_that_sleeps_while_it_applies_does_not_block_its_institution(
    rig: Rig, crew: Process, sender: Sender
):
    """It holds its job's row in an open transaction, which ends without it."""
    with stages.held(rig, sender, "applying") as job:
        sleeper = pid_of(job)
        os.kill(sleeper, signal.SIGSTOP)
    ended = finished_by_another(job, sleeper)
    wake(rig, job, sleeper)
    invariants.hold(sender)
    assert sender.final(stages.STEM).finished_at == ended.finished_at


def test_a_worker_that_sleeps_while_it_copies_holds_up_nobody(
    working: Rig, sender: Sender, other: Sender
):
    """Its staging table is in use and cannot be dropped; the sweep must not wait for it."""
    sender.send_and_ring("large", rows(1, LARGE))
    job = sender.job("large")

    def copying() -> bool:
        job.refresh_from_db()
        assert not job.is_final, "it was too quick to be caught"
        return job.state == ImportJob.State.RUNNING and copies(working)

    eventually(copying, "rows are on their way into staging")
    sleeper = pid_of(job)
    os.kill(sleeper, signal.SIGSTOP)
    try:
        slept = time.monotonic()
        finished_by_another(job, sleeper)
        eventually(lambda: time.monotonic() > slept + LEASE + 3 * SWEEP, "some sweeps have passed")
        other.send_and_ring("small", rows(1, 100))
        other.final("small", 30)
    finally:
        stages.go_on(sleeper)
    wake(working, job, sleeper)
    invariants.hold(sender, other)


def test_a_long_apply_keeps_the_institutions_next_job_waiting(
    rig: Rig, crew: Process, sender: Sender
):
    """Longer than the lease: the plan of the next file must see what this one has written."""
    with stages.held(rig, sender, "applying") as job:
        sender.send_and_ring("next", rows(1, 100, mark="next"))
        after = sender.job("next")
        time.sleep(LEASE + 3 * SWEEP)  # the lock is held for longer than a lease
        after.refresh_from_db()
        assert after.attempt == 0, f"{after.state} {after.stage} while {job.file_name} applies"
    invariants.hold(sender)
    assert sender.job("next").rows_updated == 100
    assert sender.job(stages.STEM).attempt == 1


def anything_left(campus: list[Sender]) -> bool:
    """Whether a job is to be made or to be finished still."""
    expected = sum(sender.sent for sender in campus)
    tenants = [sender.tenant for sender in campus]
    final = ImportJob.objects.filter(tenant__in=tenants, state__in=ImportJob.FINAL_STATES)
    return final.count() < expected


def test_pauses_at_any_moment_leave_one_effect_a_job(rig: Rig, crew: Process):
    dice = random.Random(11)
    campus = [senders.new(rig) for _ in range(8)]
    for sender in campus:
        sender.send_many(IMPORTS // len(campus), ROWS)
    for sender in campus:
        rig.ring_poll(sender.tenant.pk)
    asleep: dict[int, float] = {}
    paused = 0
    # A quick machine may have done everything before the last pause.
    while asleep or (paused < PAUSES and anything_left(campus)):
        time.sleep(dice.uniform(0.001, 0.02))  # the random moment
        if paused < PAUSES and len(asleep) < 2:
            chosen = dice.choice(crew.children())
            if chosen.pid not in asleep and runs_something(chosen.pid):
                chosen.suspend()
                asleep[chosen.pid] = time.monotonic() + 2 * LEASE
                paused += 1
        for pid in [pid for pid, until in asleep.items() if time.monotonic() > until]:
            stages.go_on(pid)
            del asleep[pid]
    invariants.hold(*campus, seconds=RESUME_SECONDS + IMPORTS)
    assert paused
    taken = sum(job.attempt > 1 for sender in campus for job in sender.jobs())
    print(f"A5: {IMPORTS} imports, {PAUSES} pauses, {taken} jobs taken over")


def runs_something(pid: int) -> bool:
    """Whether it runs a first attempt: a job that is paused in all three is rightly given up."""
    running = ImportJob.objects.filter(state=ImportJob.State.RUNNING, owner__endswith=f":{pid}")
    return running.filter(attempt=1).exists()


def copies(rig: Rig) -> bool:
    with rig.connect() as mine:
        rows = mine.execute("SELECT 1 FROM pg_stat_progress_copy WHERE tuples_processed > 0")
        return rows.fetchone() is not None


def finished_by_another(job: ImportJob, sleeper: int) -> ImportJob:
    """Wait until another process has taken the sleeper's job to its end."""

    def done() -> bool:
        job.refresh_from_db()
        return job.is_final

    eventually(done, f"another process ends job {job.pk}", LEASE + SWEEP + 40)
    assert job.attempt == 2
    runs = JobEvent.objects.filter(job=job, state=ImportJob.State.RUNNING)
    assert runs.count() == 2
    return ImportJob.objects.get(pk=job.pk)


def wake(rig: Rig, job: ImportJob, sleeper: int) -> None:
    """Let it go on, and wait until both, the one who took over and the sleeper, have said how
    their attempt ended: only then can nothing more be written."""
    stages.go_on(sleeper)
    sentence = f"Job {job.pk}: "
    eventually(lambda: rig.worker.log.read_text().count(sentence) >= 2, "the sleeper has ended", 30)
