"""Database connections that are cut, and a database that crashes (A7)."""

import time

import pytest

from imports.models import ImportJob
from tests.faults import invariants, stages
from tests.faults import sender as senders
from tests.faults.harness import Rig, eventually
from tests.faults.sender import Sender, rows
from tests.sizes import scaled

IMPORTS = scaled(12, 20)
ROWS = scaled(2_000, 20_000)
CUTS, EVERY = scaled(3, 12), 5


@pytest.mark.parametrize("stage", ["reading", "planning", "applying"])
def test_a_connection_cut_in_a_stage_costs_one_attempt(working: Rig, sender: Sender, stage: str):
    with stages.held(working, sender, stage) as job:
        assert working.terminate_backends(stages.WAITS) == 1
    invariants.hold(sender)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (ImportJob.State.COMPLETE, 2)


def test_connections_cut_again_and_again_leave_every_import_right(working: Rig):
    campus = [senders.new(working) for _ in range(4)]
    for sender in campus:
        sender.send_many(IMPORTS // len(campus), ROWS)
    for sender in campus:
        working.ring_poll(sender.tenant.pk)
    cut = 0
    for number in range(CUTS):
        due = time.monotonic() + (1 if number == 0 else EVERY)
        eventually(lambda due=due: time.monotonic() > due, "it is time for the next cut")
        cut += working.terminate_backends()
    assert cut
    began = time.monotonic()
    invariants.hold(*campus)
    print(
        f"A7: {IMPORTS} imports, {cut} connections cut, right {time.monotonic() - began:.1f} s on"
    )


def test_an_errored_job_is_not_overtaken_by_a_newer_file(working: Rig, sender: Sender):
    """The newer file's rows must win, also where the older one has to be tried again."""
    with stages.held(working, sender, "reading") as job:
        sender.send_and_ring("newer", rows(1, 100, mark="newer"))
        sender.job("newer")
        working.terminate_backends(stages.WAITS)
        eventually(lambda: errored(job), "the connection's end is noticed")
    invariants.hold(sender)


def errored(job: ImportJob) -> bool:
    job.refresh_from_db()
    return job.state == ImportJob.State.ERRORED


def test_a_database_that_crashes_in_the_middle_of_imports_loses_nothing(working: Rig):
    working.ensure(working.drop)
    campus = [senders.new(working) for _ in range(3)]
    for number in range(3):
        for sender in campus:
            sender.send(f"f{number}", rows(number * ROWS, ROWS, mark=str(number)))
    for sender in campus:
        working.ring_poll(sender.tenant.pk)
    running = ImportJob.objects.filter(state=ImportJob.State.RUNNING)
    eventually(running.exists, "an import runs")
    working.crash_database()
    working.postgres.start()
    back = time.monotonic()
    senders.reconnect()
    invariants.hold(*campus)
    print(f"A7: crash of the database, right {time.monotonic() - back:.1f} s after its return")
    assert working.worker.is_running and working.beat.is_running and working.drop.is_running
