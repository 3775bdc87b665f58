"""Claim, lease, heartbeat, fence: one row of work has one worker, whatever the others believe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.utils import OperationalError

from imports.models import ImportJob, JobEvent
from portal import lifecycle, tenancy
from portal.lifecycle import Heartbeat, LeaseLost
from portal.models import Tenant

READY, RUNNING = ImportJob.State.READY, ImportJob.State.RUNNING

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def oak(transactional_db: None) -> Tenant:
    return Tenant.objects.create(name="oak", slug="oak")


@pytest.fixture(autouse=True)
def in_scope(oak: Tenant) -> Any:
    with tenancy.scope(oak.pk):
        yield


def job(oak: Tenant, **values: Any) -> ImportJob:
    row = ImportJob(tenant=oak, feed="terms", record_type="term", file_name="t.csv", **values)
    row.save()
    row.refresh_from_db()
    return row


def ready() -> QuerySet[ImportJob]:
    return ImportJob.objects.filter(state=READY, ready_at__lte=Now()).order_by("pk")


def claimed(owner: str = "me") -> ImportJob:
    row = lifecycle.claim(ready(), owner=owner, state=RUNNING)
    assert row is not None
    return row


def on_threads(oak: Tenant, calls: list[Callable[[], Any]]) -> list[Any]:
    """Runs each on a thread with a connection of its own, all at once."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            with tenancy.scope(oak.pk):
                start.wait(10)
                return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def expire(row: ImportJob) -> None:
    ImportJob.objects.filter(pk=row.pk).update(lease_until=Now() - timedelta(seconds=1))


def late() -> QuerySet[ImportJob]:
    """Jobs whose lease has run out."""
    return ImportJob.objects.filter(state=RUNNING, lease_until__lt=Now())


def taken_over(row: ImportJob) -> ImportJob:
    """Another worker claims the row, as after a lease that ran out."""
    expire(row)
    other = lifecycle.claim(late(), owner="other", state=RUNNING)
    assert other is not None
    return other


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)


def test_a_claim_gives_owner_token_attempt_and_lease(oak: Tenant, settings: LazySettings) -> None:
    job(oak)
    row = claimed("worker-1")
    assert (row.state, row.owner, row.token, row.attempt) == (RUNNING, "worker-1", 1, 1)
    left = ImportJob.objects.filter(
        lease_until__gt=Now() + timedelta(seconds=settings.LEASE_SECONDS - 10),
        lease_until__lte=Now() + timedelta(seconds=settings.LEASE_SECONDS),
    )
    assert left.get() == row


def test_nothing_ready_is_nothing_claimed(oak: Tenant) -> None:
    job(oak, ready_at=Now() + timedelta(hours=1))
    assert lifecycle.claim(ready(), owner="me", state=RUNNING) is None


def test_the_first_in_order_is_claimed(oak: Tenant) -> None:
    job(oak, rank=2)
    first = job(oak, rank=1)
    row = lifecycle.claim(ready().order_by("rank"), owner="me", state=RUNNING)
    assert row == first


def test_many_workers_get_each_row_once(oak: Tenant) -> None:
    jobs = {job(oak).pk for _ in range(40)}

    def work() -> list[int]:
        mine = []
        while row := lifecycle.claim(ready(), owner="me", state=RUNNING):
            mine.append(row.pk)
        return mine

    got = [pk for mine in on_threads(oak, [work] * 4) for pk in mine]
    assert sorted(got) == sorted(jobs)
    assert set(ImportJob.objects.values_list("token", flat=True)) == {1}


def test_a_claim_does_not_wait_for_a_locked_row(oak: Tenant) -> None:
    locked, free = job(oak), job(oak)
    with transaction.atomic():
        ready().select_for_update().get(pk=locked.pk)
        (row,) = on_threads(oak, [claimed])
    assert row == free


def test_a_claim_inside_a_transaction_would_not_be_committed_and_is_refused(oak: Tenant) -> None:
    job(oak)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claimed()


def test_a_lease_that_holds_cannot_be_taken(oak: Tenant) -> None:
    job(oak)
    claimed()
    assert lifecycle.claim(late(), owner="other", state=RUNNING) is None


def test_a_lease_that_ran_out_is_taken_with_a_higher_token(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    other = taken_over(row)
    assert (other.pk, other.token, other.attempt, other.owner) == (row.pk, 2, 2, "other")


def test_the_fence_refuses_who_was_overtaken(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    other = taken_over(row)
    with transaction.atomic():
        lifecycle.fence(other)
    with pytest.raises(LeaseLost), transaction.atomic():
        lifecycle.fence(row)


def test_the_fence_holds_the_row_until_the_transaction_ends(oak: Tenant) -> None:
    job(oak)
    row = claimed()

    def grab() -> None:
        with transaction.atomic():
            ImportJob.objects.select_for_update(nowait=True, no_key=True).get(pk=row.pk)

    with transaction.atomic():
        lifecycle.fence(row)
        with pytest.raises(OperationalError, match="could not obtain lock"):
            on_threads(oak, [grab])
    on_threads(oak, [grab])


def test_the_fence_lets_others_refer_to_the_row(oak: Tenant) -> None:
    job(oak)
    row = claimed()

    def note() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        JobEvent.objects.create(tenant=oak, job=row, state=RUNNING)

    with transaction.atomic():
        lifecycle.fence(row)
        on_threads(oak, [note])
    assert JobEvent.objects.count() == 1


def test_the_fence_needs_a_transaction(oak: Tenant) -> None:
    job(oak)
    with pytest.raises(transaction.TransactionManagementError):
        lifecycle.fence(claimed())


def test_a_row_advances_from_an_allowed_state_under_its_token(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    lifecycle.advance(
        row, to=ImportJob.State.COMPLETE, allowed=[RUNNING], rows_read=3, **lifecycle.released()
    )
    assert (row.state, row.rows_read, row.owner, row.lease_until) == ("complete", 3, "", None)
    stored = ImportJob.objects.get()
    assert (stored.state, stored.rows_read, stored.lease_until) == ("complete", 3, None)


def test_computed_changes_are_read_back(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    lifecycle.advance(
        row, to="errored", allowed=[RUNNING], attempt=F("attempt") - 1, ready_at=Now()
    )
    assert row.attempt == 0
    assert row.ready_at == ImportJob.objects.get().ready_at


def test_a_row_does_not_advance_from_another_state(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    with pytest.raises(LeaseLost, match="did not go to complete"):
        lifecycle.advance(row, to="complete", allowed=[READY])
    assert (row.state, ImportJob.objects.get().state) == (RUNNING, RUNNING)


def test_who_was_overtaken_advances_nothing(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    taken_over(row)
    with pytest.raises(LeaseLost):
        lifecycle.advance(row, to="failed", allowed=[RUNNING])
    assert ImportJob.objects.get().owner == "other"


@pytest.fixture
def quick(settings: LazySettings) -> None:
    settings.HEARTBEAT_SECONDS = 0.02


def test_a_heartbeat_prolongs_the_lease(oak: Tenant, quick: None) -> None:
    job(oak)
    row = claimed()
    expire(row)
    with Heartbeat(row, oak.pk) as heartbeat:
        until(ImportJob.objects.filter(lease_until__gt=Now()).exists)
        heartbeat.check()


def test_a_heartbeat_tells_that_the_row_was_taken(oak: Tenant, quick: None) -> None:
    job(oak)
    row = claimed()

    def lost() -> bool:
        try:
            heartbeat.check()
        except LeaseLost:
            return True
        return False

    with Heartbeat(row, oak.pk) as heartbeat:
        assert not lost()
        ImportJob.objects.filter(pk=row.pk).update(token=F("token") + 1)
        until(lost)


def test_a_heartbeat_does_not_take_back_a_lease_that_was_given_up(
    oak: Tenant, settings: LazySettings
) -> None:
    job(oak)
    row = claimed()
    lifecycle.advance(row, to="complete", allowed=[RUNNING], **lifecycle.released())
    heartbeat = Heartbeat(row, oak.pk)
    heartbeat._beat_once()
    heartbeat.check()
    assert ImportJob.objects.get().lease_until is None


def test_a_heartbeat_does_not_wait_for_the_row_that_its_own_work_has_locked(oak: Tenant) -> None:
    job(oak)
    row = claimed()
    heartbeat = Heartbeat(row, oak.pk)

    def beat() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '2s'")
        assert heartbeat._prolong()  # it raises where it waits; a beat would only log that

    with transaction.atomic():
        lifecycle.fence(row)
        on_threads(oak, [beat])
    heartbeat.check()


def test_a_heartbeat_survives_a_connection_that_is_cut(oak: Tenant, quick: None) -> None:
    job(oak)
    row = claimed()
    with Heartbeat(row, oak.pk) as heartbeat:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            cursor.execute("SET ROLE causeway_app")
        expire(row)
        until(ImportJob.objects.filter(lease_until__gt=Now()).exists)
        heartbeat.check()
