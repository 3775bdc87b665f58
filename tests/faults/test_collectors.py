"""Several collectors, doubled deliveries, files replaced, collectors killed (A8, A9, A10)."""

import hashlib
import os
import random
import time

import pytest

from imports.models import Arrival, ArrivalFile, ImportJob
from portal import bell, locks
from portal.demo.samples import manifest, md5
from tests.faults import invariants
from tests.faults.harness import LEASE, Rig, eventually
from tests.faults.sender import Sender, csv, rows
from tests.sizes import scaled

MANIFESTS = scaled(40, 100)
COLLECTORS, ROUNDS = 3, 6
COPIES = scaled(5, 10)
POINTS = scaled(6, 20)
LARGE = scaled(150, 600) << 20


@pytest.fixture
def idle(rig: Rig) -> Rig:
    """No worker and no beat: collecting is the test's own."""
    rig.worker.kill()
    rig.intake.kill()
    rig.beat.kill()
    return rig


def finish(rig: Rig, sender: Sender, seconds: float = 90) -> None:
    """Let the worker do the rest, and check."""
    rig.ensure(rig.worker, rig.intake, rig.beat)
    invariants.hold(sender, seconds=seconds)


def all_at_once(rig: Rig, sender: Sender, count: int, rounds: int) -> None:
    """Several collectors on one institution's folders, to their end."""
    crowd = [rig.collector(sender.tenant.pk, rounds).start() for _ in range(count)]
    for collector in crowd:
        assert collector.popen is not None
        assert collector.popen.wait(120) == 0, collector.output()


def test_three_collectors_take_each_of_a_hundred_manifests_once(idle: Rig, sender: Sender):
    for number in range(MANIFESTS):
        sender.send(f"f{number:03d}", rows(number * 10, 10))
    all_at_once(idle, sender, COLLECTORS, ROUNDS)
    assert len(sender.jobs()) == MANIFESTS == len(sender.arrivals())
    finish(idle, sender, MANIFESTS * 2)


def test_one_file_under_many_manifests_is_imported_once(idle: Rig, sender: Sender):
    content = csv(rows(1, 1_000))
    sender.put("accounts.csv", content)
    for number in range(COPIES):
        sender.put(f"copy{number}.done", manifest([("accounts.csv", md5(content))]))
    sender.expect(rows(1, 1_000))
    sender.sent = 1
    all_at_once(idle, sender, COLLECTORS, 2)
    assert len(sender.jobs()) == 1
    assert ArrivalFile.objects.filter(tenant=sender.tenant).count() == COPIES
    duplicates = ArrivalFile.objects.filter(tenant=sender.tenant, duplicate_of__isnull=False)
    assert duplicates.count() == COPIES - 1
    finish(idle, sender)


def test_the_same_content_sent_again_writes_no_row(working: Rig, sender: Sender):
    sender.send_and_ring("accounts", rows(1, 1_000))
    sender.final("accounts")
    invariants.hold(sender)
    sender.send_and_ring("again", rows(1, 1_000))
    again = sender.final("again")
    assert (again.rows_created, again.rows_updated, again.rows_unchanged) == (0, 0, 1_000)
    invariants.hold(sender)


@pytest.mark.parametrize("way", ["by a rename", "in place"])
def test_a_file_replaced_at_any_moment_is_never_half_of_each(
    working: Rig, sender: Sender, way: str
):
    """What was imported is what the manifest means; the new file stays, or is told to be wrong."""
    dice = random.Random(5)
    new = b"PersonIdentifier,FirstName,LastName,Email\r\nNEW,New,New,new@oak.example\r\n"
    for point in range(POINTS):
        name = f"f{point}.csv"
        content = csv(rows(point * 20_000, 20_000))
        target = sender.put(name, content)
        sender.put(f"f{point}.done", manifest([(name, md5(content))]))
        working.ring_poll(sender.tenant.pk)
        if point % 2:
            sender.job(f"f{point}")  # it is taken; its file may be removed at any moment
        else:
            time.sleep(dice.uniform(0, 0.6))  # the random moment
        replace(sender, target, new, way)
    every = Arrival.objects.filter(tenant=sender.tenant)
    eventually(lambda: every.exclude(settled_at=None).count() == POINTS, "all deliveries settled")
    taken = ImportJob.objects.filter(tenant=sender.tenant)
    for job in taken:
        point = int(job.file_name[1:-4])
        assert job.sha256 == hashlib.sha256(csv(rows(point * 20_000, 20_000))).hexdigest()
        sender.expect(rows(point * 20_000, 20_000))
    sender.sent = taken.count()
    for arrival in every.exclude(state=Arrival.State.DONE):
        sender.left.add(arrival.current_name)
    sender.left |= {f"f{point}.csv" for point in range(POINTS)}
    assert all((sender.folder / f"f{p}.csv").read_bytes() == new for p in range(POINTS))
    print(f"A10: replaced {way} at {POINTS} points, {sender.sent} taken before, all new ones left")
    invariants.hold(sender)


def replace(sender: Sender, target: os.PathLike[str], new: bytes, way: str) -> None:
    if way == "by a rename":
        sender.put(os.path.basename(target), new)  # noqa: PTH119
        return
    with open(target, "wb") as file:  # noqa: PTH123
        file.write(new)


def test_a_collector_killed_while_it_copies_is_followed_by_the_next(idle: Rig, sender: Sender):
    content = b"Not a header\r\n" + bytes(LARGE)  # refused by its first line: only size matters
    sender.put("large.csv", content)
    sender.put("large.done", manifest([("large.csv", md5(content))]))
    collector = idle.collector(sender.tenant.pk, 1).start()
    copies = idle.data / "files" / "arrivals" / str(sender.tenant.pk)

    def begun() -> bool:
        assert collector.is_running, "it was too quick to be killed"
        return any(path.stat().st_size for path in copies.glob("*/*"))

    eventually(begun, "the copy has begun")
    collector.kill()
    assert not sender.jobs()
    (arrival,) = sender.arrivals()
    assert arrival.state == Arrival.State.COLLECTING

    def adopted() -> bool:
        all_at_once(idle, sender, 1, 1)
        return bool(sender.jobs())

    eventually(adopted, "the next round takes it over", LEASE + 60)
    (job,) = sender.jobs()
    assert job.sha256 == hashlib.sha256(content).hexdigest()
    copied = [path for path in copies.glob("*/*")]
    assert len(copied) == 1, copied
    sender.sent = 1
    sender.left = set()
    finish(idle, sender)


def test_a_long_round_of_one_institution_holds_up_no_other(
    working: Rig, sender: Sender, other: Sender
):
    """As one that copies a huge file, or whose process is frozen: it holds the round's lock.

    One process is left for all others, since the round itself occupies the second.
    """
    working.intake.kill()
    left = working.new_intake(WORKER_CONCURRENCY="1")
    with working.connect() as mine, left.running():
        mine.execute("SELECT pg_advisory_lock(%s, %s)", [locks.Lock.COLLECT, sender.tenant.pk])
        sender.send("waits", rows(1, 100))
        working.ring(bell.POLL, sender.tenant.pk, 10)
        other.send_and_ring("small", rows(1, 100))
        other.final("small", 60)
        assert not sender.jobs()
        mine.execute("SELECT pg_advisory_unlock_all()")
        invariants.hold(sender, other)
