"""The broker dies empty (A3), and its messages are lost, doubled or late (A4)."""

import time

from imports.models import ImportJob, JobEvent
from portal import bell
from tests.faults import clients, invariants, stages
from tests.faults import sender as senders
from tests.faults.harness import RESUME_SECONDS, Rig, eventually
from tests.faults.sender import FOLDER, PASSWORD, Sender, csv, rows
from tests.sizes import scaled

READY = scaled(20, 200)
MEANWHILE = scaled(4, 20)
DOWN_SECONDS = scaled(3, 10)
DONE_WITHIN = 120
BELLS = 10


def test_a_broker_that_comes_back_empty_loses_no_job_and_no_intake(rig: Rig):
    rig.ensure(rig.worker, rig.intake, rig.beat, rig.drop)
    campus = [senders.new(rig) for _ in range(2)]
    for number in range(READY // 2):
        for sender in campus:
            sender.send(f"f{number:03d}", rows(number * 1_000, 1_000))
    for sender in campus:
        rig.ring_poll(sender.tenant.pk)
    eventually(lambda: ready() >= READY // 4, "jobs are ready")
    rig.kill_broker()
    gone = time.monotonic()
    for number in range(MEANWHILE):
        upload(rig, campus[0], f"meanwhile{number}", 100_000 + number * 100)
    eventually(lambda: time.monotonic() > gone + DOWN_SECONDS, "some seconds without a broker")
    assert ready(), "everything was done before the broker came back"
    rig.broker.start()
    back = time.monotonic()
    with rig.worker.supervised(), rig.intake.supervised(), rig.beat.supervised():
        invariants.hold(*campus, seconds=DONE_WITHIN)
    for process in (rig.worker, rig.intake, rig.beat):
        process.kill()  # nobody supervises the next test's, and one of these may be deaf by now
    print(f"A3: {READY} + {MEANWHILE} jobs, done {time.monotonic() - back:.1f} s after the return")


def ready() -> int:
    return ImportJob.objects.filter(state=ImportJob.State.READY).count()


def upload(rig: Rig, sender: Sender, stem: str, first: int) -> None:
    """By SFTP, as a sender does; any refusal fails the test."""
    content = rows(first, 100)
    target = (rig.sftp.host, rig.sftp.port, sender.username, PASSWORD)
    with clients.connected(*target) as client:
        for name, data in sender.files(stem, csv(content)):
            with client.open(f"/{FOLDER}/{name}", "wb") as file:
                file.write(data)
    sender.expect(content)
    sender.sent += 1


def test_each_bell_rung_ten_times_has_one_effect(working: Rig, sender: Sender):
    for number in range(3):
        sender.send(f"f{number}", rows(number * 500, 1_000, mark=str(number)))
        working.ring(bell.POLL, sender.tenant.pk, BELLS)
        working.ring(bell.IMPORT, sender.tenant.pk, BELLS)
    invariants.hold(sender)
    before = JobEvent.objects.filter(tenant=sender.tenant).count()
    working.ring(bell.IMPORT, sender.tenant.pk, BELLS)
    sentence = f"Tenant {sender.tenant.pk}: nothing to do."
    eventually(
        lambda: working.worker.log.read_text().count(sentence) >= BELLS, "all bells answered"
    )
    assert JobEvent.objects.filter(tenant=sender.tenant).count() == before
    invariants.hold(sender)


def test_a_message_that_comes_again_while_its_job_runs_changes_nothing(rig: Rig, sender: Sender):
    """An import that lasts longer than the broker's visibility timeout, and rings besides."""
    rig.worker.kill()
    worker = rig.new_worker(BROKER_VISIBILITY_TIMEOUT="2").start()
    rig.ensure(rig.intake, rig.beat)
    try:
        with stages.held(rig, sender, "reading") as job:
            began = time.monotonic()
            rig.ring(bell.IMPORT, sender.tenant.pk, BELLS)
            eventually(lambda: time.monotonic() > began + 6, "three timeouts have passed")
        invariants.hold(sender, seconds=RESUME_SECONDS)
        assert sender.final(stages.STEM).attempt == 1, job.owner
    finally:
        worker.kill()
