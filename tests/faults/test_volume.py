"""Many rows (A24, a hundred thousand in the ordinary run), and stopping in the middle of them."""

import signal
import time

from django.db import connection

from imports.models import ImportJob
from tests.faults import invariants, stages
from tests.faults.harness import Rig, eventually
from tests.faults.sender import Row, Sender, rows
from tests.sizes import scaled

ROWS = scaled(100_000, 1_000_000)
FIRST_SECONDS, AGAIN_SECONDS = 120, 90
MEMORY = 350 << 20  # the figure of the import bench; A24 asks for 300 MB
STOP_SECONDS = 40


def test_a_large_file_first_again_changed_and_with_bad_rows(working: Rig, sender: Sender):
    lines = rows(1, ROWS)
    first = timed(sender, "first", lines)
    assert first.rows_created == ROWS
    before = written()
    again = timed(sender, "again", lines)
    assert (again.rows_unchanged, again.rows_updated, again.rows_created) == (ROWS, 0, 0)
    assert written() == before, "unchanged rows were written"
    changed = [other_name(line) if at % 100 == 0 else line for at, line in enumerate(lines)]
    third = timed(sender, "changed", changed)
    assert (third.rows_updated, third.rows_unchanged) == (ROWS // 100, ROWS - ROWS // 100)
    bad = [(*line[:3], "no address") if at % 100 == 0 else line for at, line in enumerate(changed)]
    sender.send_and_ring("bad", bad)
    sender.expected = {line[0]: line for line in changed}
    sender.left = {"bad.csv.errors.csv"}
    fourth = sender.final("bad", FIRST_SECONDS)
    assert (fourth.state, fourth.rows_rejected) == (ImportJob.State.INCOMPLETE, ROWS // 100)
    invariants.hold(sender)
    lines = (sender.folder / "bad.csv.errors.csv").read_text().splitlines()
    header = lines[0].lstrip("\ufeff").split(",")
    reported_lines = [int(line.split(",")[header.index("_line")]) for line in lines[1:]]
    assert reported_lines == [at + 2 for at in range(0, ROWS, 100)]
    memory = max(job.peak_memory or 0 for job in sender.jobs())
    print(f"A24: peak {memory >> 20} MiB")
    assert 0 < memory <= MEMORY


def timed(sender: Sender, stem: str, lines: list[Row]) -> ImportJob:
    sender.send_and_ring(stem, lines)
    job = sender.final(stem, FIRST_SECONDS if stem == "first" else AGAIN_SECONDS)
    assert job.finished_at is not None and job.started_at is not None
    print(f"A24: {stem}, {ROWS} rows: {(job.finished_at - job.started_at).total_seconds():.1f} s")
    return job


def other_name(line: Row) -> Row:
    return (line[0], line[1], f"Renamed{line[0]}", line[3])


def written() -> int:
    """A figure that grows with each row version written to the record table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT count(*), max(xmin::text::bigint) FROM portal_record")
        return hash(cursor.fetchone())


def test_a_worker_asked_to_stop_finishes_its_import(working: Rig, sender: Sender):
    with stages.held(working, sender, "planning"):
        asked = time.monotonic()
        working.worker.signal(signal.SIGTERM)
    assert working.worker.wait(STOP_SECONDS) == 0
    print(f"SIGTERM: the worker ended {time.monotonic() - asked:.1f} s after it was asked")
    job = sender.job(stages.STEM)
    assert (job.state, job.attempt) == (ImportJob.State.COMPLETE, 1)
    working.worker.start()
    invariants.hold(sender)


def test_a_worker_that_cannot_finish_in_time_gives_its_import_back(working: Rig, sender: Sender):
    """The launcher's second step: SIGQUIT, then SIGKILL, while the import still waits."""
    with stages.held(working, sender, "applying") as job:
        working.worker.signal(signal.SIGTERM)
        working.worker.signal(signal.SIGQUIT)
        asked = time.monotonic()
        eventually(lambda: time.monotonic() > asked + 2, "the launcher's patience ends")
        working.worker.kill()
    working.worker.start()
    invariants.hold(sender)
    assert sender.final(stages.STEM).attempt == 2, job.owner
