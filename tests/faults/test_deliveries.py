"""kill -9 of a courier: what it was sending arrives once, whole, and nothing is left beside it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from exports.models import Attempt, Delivery, Server
from portal import bell
from portal.models import Tenant
from tests import sshd as openssh
from tests.exports.deliveries import farside, proxy
from tests.exports.deliveries.dispatch import NAME, Dispatch
from tests.faults.harness import LEASE, SWEEP, Rig, eventually
from tests.sizes import scaled

State, Outcome, Step = Delivery.State, Attempt.Outcome, Attempt.Step
CONTENT = bytes(range(256)) * (32 << 10)
RESUMED = LEASE + SWEEP + 30
OFFSETS = scaled(3, 20)


@pytest.fixture
def dispatch(rig: Rig) -> Iterator[Dispatch]:
    slug = f"oak-{uuid.uuid4().hex[:8]}"
    rig.ensure(rig.courier, rig.beat)
    yield Dispatch.new(Tenant.objects.create(name=slug, slug=slug))
    rig.courier.kill()
    Delivery.objects.exclude(state__in=Delivery.FINAL_STATES).update(state=State.CANCELLED)


def arrives(delivery: Delivery) -> list[str]:
    """Wait for the delivery; the outcomes of its attempts."""

    def there() -> bool:
        delivery.refresh_from_db()
        return delivery.state == State.DELIVERED

    eventually(there, "the file is delivered", RESUMED)
    return list(delivery.log.order_by("number").values_list("outcome", flat=True))


@pytest.mark.skipif(not openssh.HAS_SSHD, reason=openssh.SKIP)
@pytest.mark.parametrize("part", range(OFFSETS))
def test_a_courier_killed_while_it_sends_delivers_once(
    rig: Rig, dispatch: Dispatch, tmp_path: Path, part: int
):
    with openssh.running(tmp_path / "server") as server:
        offset = (1 << 20) + part * len(CONTENT) // (OFFSETS + 2)
        with proxy.between(server.place, proxy.FREEZE, offset) as (place, between):
            delivery = dispatch.delivery(place, run=dispatch.run(CONTENT))
            sending = delivery.log.filter(outcome=Outcome.RUNNING, step=Step.UPLOAD)
            eventually(sending.exists, "it is being sent")
            eventually(lambda: between.passed >= offset, "it stands still")
            rig.courier.kill()
        died = time.monotonic()
        Server.objects.filter(pk=delivery.server_id).update(port=server.place.port)
        rig.courier.start()
        assert arrives(delivery) == [Outcome.CUT_OFF, Outcome.DELIVERED]
        print(f"A18: delivered {time.monotonic() - died:.1f} s after kill -9 at byte {offset:,}")
        files = {path.name: path.read_bytes() for path in server.root.iterdir()}
    assert files == {NAME: CONTENT}
    assert (delivery.attempts, delivery.own_faults) == (0, 1)


def test_a_courier_killed_right_after_the_rename_delivers_once(
    rig: Rig, dispatch: Dispatch, tmp_path: Path
):
    """A18: the file has its name, and nobody wrote that down."""
    with farside.running(tmp_path / "far") as far:
        far.faults.on_rename = rig.courier.kill
        delivery = dispatch.delivery(far.place, run=dispatch.run(CONTENT, trigger="empty"))
        eventually(lambda: not rig.courier.is_running, "the courier is killed")
        far.faults.on_rename = None
        assert far.names() == [NAME]
        written = len(far.opened)
        rig.courier.start()
        assert arrives(delivery) == [Outcome.CUT_OFF, Outcome.ALREADY_THERE]
        assert far.names() == [NAME, f"{NAME}.trg"]
        assert (far.root / NAME).read_bytes() == CONTENT
        assert [path for path in far.opened[written:] if "trigger" not in path] == []


def test_a_dead_server_holds_up_nobody_else(rig: Rig, dispatch: Dispatch, tmp_path: Path):
    """One tenant's servers say nothing at all; the others' files are there in seconds."""
    others = [_neighbour() for _ in range(10)]
    with farside.running(tmp_path / "far") as far, proxy.answering(b"") as silent:
        run = dispatch.run(CONTENT)
        for number in range(20):
            dispatch.delivery(dispatch.server(silent, f"Silent {number}"), run=run)
        sending = Delivery.objects.filter(tenant=dispatch.tenant, state=State.SENDING)
        eventually(lambda: sending.count() == 4, "four of them wait for their servers")
        began = time.monotonic()
        names = [f"{other.tenant.slug}.csv" for other in others]
        waiting = [
            other.delivery(far.place, run=other.run(b"small", name=name))
            for other, name in zip(others, names, strict=True)
        ]
        for delivery in waiting:
            assert arrives(delivery) == [Outcome.DELIVERED]
        print(f"10 tenants beside a dead server: {time.monotonic() - began:.1f} s")
        assert far.names() == sorted(names)
        assert sending.count() == 4


def test_two_couriers_and_many_bells_send_each_file_once(
    rig: Rig, dispatch: Dispatch, tmp_path: Path
):
    """A8 for deliveries: what is claimed is one courier's, however often it is rung for."""
    count = scaled(40, 1_000)
    campus = [dispatch, *(_neighbour() for _ in range(count - 1))]
    second = rig.new_courier()
    with farside.running(tmp_path / "far") as far, second.running():
        waiting = [
            neighbour.delivery(
                far.place, run=neighbour.run(b"small", name=f"{neighbour.tenant.slug}.csv")
            )
            for neighbour in campus
        ]
        began = time.monotonic()
        for neighbour in campus:
            rig.ring(bell.DELIVER, neighbour.tenant.pk, times=3)
        mine = Delivery.objects.filter(pk__in=[delivery.pk for delivery in waiting])
        done = mine.filter(state=State.DELIVERED)
        eventually(lambda: done.count() == count, "all are delivered", RESUMED + count)
        print(f"A8: {count} tenants' files in {time.monotonic() - began:.1f} s by two couriers")
        assert far.names() == sorted(f"{neighbour.tenant.slug}.csv" for neighbour in campus)
        uploads = [path for path in far.opened if path.endswith(".part")]
        assert len(uploads) == count
    attempts = Attempt.objects.filter(delivery__in=mine)
    assert set(attempts.values_list("outcome", flat=True)) == {Outcome.DELIVERED}
    assert attempts.count() == count


def _neighbour() -> Dispatch:
    slug = f"elm-{uuid.uuid4().hex[:8]}"
    return Dispatch.new(Tenant.objects.create(name=slug, slug=slug))
