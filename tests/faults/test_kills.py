"""kill -9 of the worker's child and of the whole worker (A1, A2), and a job that kills (A6)."""

import os
import random
import signal
import threading
import time

import pytest

from imports.models import ImportJob, JobEvent
from tests.faults import invariants, stages
from tests.faults import sender as senders
from tests.faults.harness import LEASE, RESUME_SECONDS, SWEEP, Rig, eventually
from tests.faults.sender import Sender, pid_of, rows
from tests.sizes import scaled

IMPORTS = scaled(40, 200)
ROWS = scaled(1_000, 5_000)
KILLS = scaled(10, 50)
TENANTS = 4
POISON_ROWS = 60_000
OTHERS = scaled(5, 30)
# From the death to the new claim: the lease, then a sweep; the rest is for a slow machine.
CLAIMED_AGAIN = LEASE + SWEEP + 15


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_killed_child_loses_and_doubles_nothing(working: Rig, sender: Sender, stage: str):
    with stages.held(working, sender, stage) as job:
        os.kill(pid_of(job), signal.SIGKILL)
        died = time.monotonic()
    eventually(lambda: claimed_again(job), "the job is claimed again", CLAIMED_AGAIN)
    print(f"A1 {stage}: claimed again after {time.monotonic() - died:.1f} s")
    invariants.hold(sender)
    assert sender.final(stages.STEM).attempt == 2


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_killed_worker_needs_no_help_of_the_broker(working: Rig, sender: Sender, stage: str):
    """Its visibility timeout is left at an hour: what Celery took stays lost."""
    with stages.held(working, sender, stage) as job:
        working.worker.kill()
        died = time.monotonic()
    working.worker.start()
    eventually(lambda: claimed_again(job), "the job is claimed again", RESUME_SECONDS)
    print(f"A2 {stage}: claimed again after {time.monotonic() - died:.1f} s")
    invariants.hold(sender)
    assert sender.final(stages.STEM).attempt == 2


def claimed_again(job: ImportJob) -> bool:
    job.refresh_from_db()
    return job.attempt == 2


def test_kills_at_any_moment_lose_and_double_nothing(working: Rig):
    dice = random.Random(7)
    campus = [senders.new(working) for _ in range(TENANTS)]
    for sender in campus:
        sender.send_many(IMPORTS // TENANTS, ROWS)
    for sender in campus:
        working.ring_poll(sender.tenant.pk)
    began, kills = time.monotonic(), 0
    while kills < KILLS and unfinished(campus):  # a quick machine may have done everything before
        time.sleep(dice.uniform(0.05, 0.7))  # the random moment
        kills += kill_somebody(working, dice)
    invariants.hold(*campus, seconds=RESUME_SECONDS + IMPORTS)
    print(f"A1: {IMPORTS} imports, {kills} kills, {time.monotonic() - began:.0f} s")
    assert kills
    assert all(job.state == ImportJob.State.COMPLETE for sender in campus for job in sender.jobs())


def unfinished(campus: list[Sender]) -> bool:
    return any(
        len(sender.jobs()) < sender.sent or not all(job.is_final for job in sender.jobs())
        for sender in campus
    )


def kill_somebody(rig: Rig, dice: random.Random) -> bool:
    """kill -9 a random child of the worker, unless it runs a job's last attempt."""
    children = [*rig.worker.children(), *rig.intake.children()]
    if not children:
        return False
    chosen = dice.choice(children)
    chosen.suspend()
    running = ImportJob.objects.filter(state=ImportJob.State.RUNNING)
    if running.filter(owner__endswith=f":{chosen.pid}", attempt__gte=3).exists():
        chosen.resume()
        return False
    chosen.kill()
    return True


def test_a_job_that_kills_its_process_stops_after_three_attempts(
    working: Rig, sender: Sender, other: Sender
):
    done = threading.Event()
    sender.send_and_ring("poison", rows(1, POISON_ROWS))
    sender.expected.clear()
    poison = sender.job("poison")
    killer = threading.Thread(target=kill_whoever_runs, args=(poison.pk, done), daemon=True)
    killer.start()
    try:
        began = time.monotonic()
        for number in range(OTHERS):
            other.send(f"good{number}", rows(number * 1_000, 1_000))
        working.ring_poll(other.tenant.pk)
        invariants.hold(other)
        print(f"A6: {OTHERS} others' imports beside it in {time.monotonic() - began:.1f} s")
        job = sender.final("poison")
    finally:
        done.set()
        killer.join(10)
    assert (job.state, job.fault) == (ImportJob.State.FAILED, ImportJob.Fault.PORTAL)
    assert "3 times" in job.reason
    runs = JobEvent.objects.filter(job=job, state=ImportJob.State.RUNNING)
    assert runs.count() == 3
    other.send_and_ring("after", rows(100_000, 100))  # an attempt clears what dead ones left
    other.final("after")
    invariants.hold(sender)


def kill_whoever_runs(job_pk: int, done: threading.Event) -> None:
    """The poison: each process that begins the job dies of it."""
    job = ImportJob.objects.get(pk=job_pk)
    killed = 0
    while not done.is_set():
        job.refresh_from_db()
        begun = JobEvent.objects.filter(job=job, state=ImportJob.State.RUNNING).count()
        if job.state == ImportJob.State.RUNNING and begun > killed:
            os.kill(pid_of(job), signal.SIGKILL)
            killed = begun
        done.wait(0.002)
