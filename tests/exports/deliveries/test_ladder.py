"""A16: a dead server, from the first attempt to the incident; and nobody waits for it but its own.

The clock is the database's: due times are moved instead of waited for.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from queue import Empty

import pytest
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now
from kombu import Connection

from exports import delivery as deliveries
from exports.models import Attempt, Delivery
from portal import bell, tenancy
from portal.locks import Lock
from portal.models import Notice, Tenant
from portal.transports.ssh import ServerLogin
from tests.exports.deliveries.dispatch import Dispatch
from tests.locked import lock_elsewhere
from tests.sshd import Sshd

pytestmark = pytest.mark.usefixtures("transactional_db")
State, Outcome = Delivery.State, Attempt.Outcome
FINGERPRINT = "SHA256:" + "A" * 43


@pytest.fixture
def dead() -> Iterator[ServerLogin]:
    """An address where nobody listens, and nobody will while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield ServerLogin("127.0.0.1", taken.getsockname()[1], "ada", "secret", "", FINGERPRINT)


def advance(delivery: Delivery, seconds: int) -> None:
    """Let the delivery's time pass."""
    rows = Delivery.objects.filter(pk=delivery.pk)
    rows.update(ready_at=F("ready_at") - timedelta(seconds=seconds))


def test_eleven_attempts_at_the_seeds_times_then_it_is_given_up(
    dispatch: Dispatch, dead: ServerLogin
):
    delivery = dispatch.delivery(dead)
    clock, times = 0, []
    while True:
        deliveries.deliver_next(dispatch.tenant.pk)
        delivery.refresh_from_db()
        times.append(clock)
        if delivery.state != State.RETRYING:
            break
        assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")
        ended = delivery.log.get(number=delivery.attempts).ended_at
        wait = (delivery.ready_at - ended).total_seconds()  # both by the database's clock
        advance(delivery, int(wait))
        clock += int(wait)
    assert times == [0, 20, 60, 140, 300, 620, 1260, 2540, 5100, 8700, 12300]
    assert (delivery.state, delivery.attempts, delivery.own_faults) == (State.GIVEN_UP, 11, 0)
    assert delivery.incident_at is not None
    rows = list(delivery.log.order_by("number"))
    assert [row.number for row in rows] == list(range(1, 12))
    assert {row.outcome for row in rows} == {Outcome.FAILED}
    assert {row.step for row in rows} == {Attempt.Step.CONNECT}
    assert all("Connection refused" in row.words for row in rows)
    assert list(Notice.objects.values_list("event", flat=True)) == [Notice.Event.GIVEN_UP]
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")


def test_the_last_attempt_may_succeed(dispatch: Dispatch, sshd: Sshd, dead: ServerLogin):
    delivery = dispatch.delivery(dead)
    for _ in range(10):
        dispatch.deliver(delivery)
    assert (delivery.state, delivery.attempts) == (State.RETRYING, 10)
    good = dispatch.server(sshd.place, "Good")
    Delivery.objects.filter(pk=delivery.pk).update(server=good)
    delivery.refresh_from_db()
    assert dispatch.deliver(delivery).outcome == Outcome.DELIVERED
    assert not Notice.objects.exists()


def running(dispatch: Dispatch, place: ServerLogin, count: int) -> list[Delivery]:
    """Deliveries that couriers hold, each to a server of its own."""
    run = dispatch.run()
    deliveries = [
        dispatch.delivery(dispatch.server(place, f"Busy {n}"), run=run) for n in range(count)
    ]
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    rows.update(state=State.SENDING, lease_until=Now() + timedelta(seconds=60))
    return deliveries


def test_a_server_gets_one_file_at_a_time(dispatch: Dispatch, dead: ServerLogin):
    (held,) = running(dispatch, dead, 1)
    second = dispatch.delivery(held.server, path="other")
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")
    Delivery.objects.filter(pk=held.pk).update(state=State.DELIVERED)
    assert f"Delivery {second.pk}: retrying" in deliveries.deliver_next(dispatch.tenant.pk)


def test_a_tenant_has_four_under_way_at_most(dispatch: Dispatch, dead: ServerLogin):
    held = running(dispatch, dead, deliveries.MOST_AT_ONCE)
    dispatch.delivery(dispatch.server(dead, "One more"))
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")
    with tenancy.everyone("a test rings"):
        assert deliveries.ring_due() == 0
    Delivery.objects.filter(pk=held[0].pk).update(state=State.DELIVERED)
    assert "retrying" in deliveries.deliver_next(dispatch.tenant.pk)


def test_two_couriers_claim_for_a_tenant_one_after_the_other(dispatch: Dispatch, dead: ServerLogin):
    """Else both would see room for one more."""
    delivery = dispatch.delivery(dead)
    with (
        lock_elsewhere(Lock.CLAIM_DELIVERY, dispatch.tenant.pk),
        pytest.raises(OperationalError, match="lock timeout"),
    ):
        deliveries.deliver_next(dispatch.tenant.pk)
    assert f"Delivery {delivery.pk}:" in deliveries.deliver_next(dispatch.tenant.pk)


def test_first_attempts_come_before_retries(dispatch: Dispatch, dead: ServerLogin):
    old = dispatch.delivery(dead)
    dispatch.deliver(old)
    advance(old, 1000)
    new = dispatch.delivery(old.server, path="new")
    assert f"Delivery {new.pk}:" in deliveries.deliver_next(dispatch.tenant.pk)
    assert f"Delivery {old.pk}:" in deliveries.deliver_next(dispatch.tenant.pk)


def test_retries_never_take_all_threads(
    dispatch: Dispatch, dead: ServerLogin, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deliveries, "_retries", threading.BoundedSemaphore(1))
    old = dispatch.delivery(dead)
    dispatch.deliver(old)
    advance(old, 1000)
    deliveries._retries.acquire()
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")
    new = dispatch.delivery(old.server, path="new")
    assert f"Delivery {new.pk}:" in deliveries.deliver_next(dispatch.tenant.pk)
    deliveries._retries.release()
    assert f"Delivery {old.pk}:" in deliveries.deliver_next(dispatch.tenant.pk)


def test_the_bell_rings_for_what_is_due_and_for_whom(
    dispatch: Dispatch, dead: ServerLogin, servers, settings
):
    waiting = dispatch.delivery(dead)
    with Connection(settings.REDIS_URL) as broker:
        queue = broker.SimpleQueue("deliver")
        queue.clear()
        with tenancy.everyone("a test makes another tenant"):
            Tenant.objects.create(name="Elm College", slug="elm")
            assert deliveries.ring_due() == 1
        message = queue.get(timeout=10)
        assert message.headers["task"] == bell.DELIVER
        assert message.payload[0] == [dispatch.tenant.pk]
        message.ack()
        with pytest.raises(Empty):
            queue.get(block=False)
        queue.close()
    dispatch.deliver(waiting)
    with tenancy.everyone("a test rings"):
        assert deliveries.ring_due() == 0


def test_after_a_delivery_a_courier_is_called_for_the_next_one_if_there_is_one(
    dispatch: Dispatch, dead: ServerLogin, monkeypatch: pytest.MonkeyPatch
):
    rung: list[tuple[object, ...]] = []
    monkeypatch.setattr(bell, "ring", lambda *call, **_: rung.append(call))
    first = dispatch.delivery(dead)
    dispatch.delivery(first.server, path="next")
    deliveries.deliver_next(dispatch.tenant.pk)
    assert rung == [(bell.DELIVER, dispatch.tenant.pk)]
    deliveries.deliver_next(dispatch.tenant.pk)
    assert len(rung) == 1


def test_a_delivery_whose_process_dies_each_time_is_given_up_as_our_fault(
    dispatch: Dispatch, sshd: Sshd
):
    delivery = dispatch.delivery(sshd.place)
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1)
    Delivery.objects.filter(pk=delivery.pk).update(
        state=State.SENDING, lease_until=Now(), own_faults=10
    )
    deliveries.deliver_next(dispatch.tenant.pk)
    delivery.refresh_from_db()
    assert delivery.state == State.GIVEN_UP
    assert delivery.reason.startswith("Portal error")
    assert delivery.log.count() == 1
    assert Notice.objects.filter(event=Notice.Event.PORTAL_FAULT).exists()
