"""An attempt's life: its errors are recorded, retried after a wait, and given up at last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.db.utils import InterfaceError

from imports.models import ImportJob
from portal import lifecycle, tenancy
from portal.lifecycle import Heartbeat, LeaseLost
from portal.models import Tenant
from portal.spool import Spool

ERRORED, RUNNING = ImportJob.State.ERRORED, ImportJob.State.RUNNING

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def oak() -> Iterator[Tenant]:
    oak = Tenant.objects.create(name="oak", slug="oak")
    with tenancy.scope(oak.pk):
        yield oak


def claim() -> ImportJob | None:
    ready = ImportJob.objects.filter(state__in=["ready", "errored"], ready_at__lte=Now())
    return lifecycle.claim(ready.order_by("pk"), owner="me", state=RUNNING)


def claimed(oak: Tenant, **values: Any) -> ImportJob:
    values = {"feed": "terms", "record_type": "term", "file_name": "t.csv", **values}
    ImportJob.objects.create(tenant=oak, **values)
    job = claim()
    assert job is not None
    return job


class Attempt:
    """Runs an attempt that raises an error, and remembers what was called."""

    def __init__(self, job: ImportJob, error: Exception | None = None) -> None:
        self.job, self.error = job, error
        self.errors: list[Exception] = []
        self.tidied = 0
        self.connected = True

    def run(self) -> LeaseLost | None:
        tenant_id = self.job.tenant_id
        return lifecycle.run_attempt(
            self.job, tenant_id, work=self._work, errored=self._errored, tidy=self._tidy
        )

    def _work(self, beat: Heartbeat) -> None:
        if self.error is not None:
            raise self.error

    def _errored(self, error: Exception) -> None:
        self.errors.append(error)
        self.connected = connection.connection is not None

    def _tidy(self) -> None:
        self.tidied += 1


def test_an_attempt_that_ends_well_records_no_error(oak: Tenant) -> None:
    attempt = Attempt(claimed(oak))
    assert attempt.run() is None
    assert (attempt.errors, attempt.tidied) == ([], 0)


def test_an_error_is_recorded_and_goes_no_further(oak: Tenant) -> None:
    attempt = Attempt(claimed(oak), LookupError("ours"))
    assert attempt.run() is None
    assert attempt.errors == [attempt.error] and attempt.connected


def test_a_database_error_is_recorded_over_a_fresh_connection(oak: Tenant) -> None:
    attempt = Attempt(claimed(oak), InterfaceError("the connection is closed"))
    attempt.run()
    assert attempt.errors == [attempt.error] and not attempt.connected


def test_a_lost_lease_is_no_error_and_leaves_nothing_in_storage(oak: Tenant) -> None:
    attempt = Attempt(claimed(oak), LeaseLost("taken over"))
    assert attempt.run() is attempt.error
    assert (attempt.errors, attempt.tidied) == ([], 1)


def test_what_earlier_attempts_left_is_tidied_after_a_later_one(oak: Tenant) -> None:
    attempt = Attempt(claimed(oak, token=1))
    attempt.run()
    assert attempt.tidied == 1


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 30), (3, 120), (7, 120)])
def test_the_wait_before_the_next_attempt_grows(oak: Tenant, attempt: int, seconds: int) -> None:
    job = claimed(oak, attempt=attempt - 1)
    reason = lifecycle.try_again(job, LookupError(), to=ERRORED, allowed=[RUNNING])
    assert reason == f"LookupError. The portal retries in {seconds} seconds."
    job.refresh_from_db()
    assert (job.state, job.reason, job.owner, job.lease_until) == (ERRORED, reason, "", None)
    wait = timedelta(seconds=seconds)
    soon = ImportJob.objects.filter(
        ready_at__gt=Now() + wait - timedelta(seconds=4), ready_at__lte=Now() + wait
    )
    assert soon.exists()


def test_a_row_that_was_taken_is_not_tried_again(oak: Tenant) -> None:
    job = claimed(oak)
    ImportJob.objects.update(token=F("token") + 1)
    with pytest.raises(LeaseLost):
        lifecycle.try_again(job, LookupError(), to=ERRORED, allowed=[RUNNING])


def test_after_the_last_attempt_there_is_a_reason_to_give_up(oak: Tenant) -> None:
    job = claimed(oak, attempt=settings.MAX_ATTEMPTS - 2)
    assert lifecycle.out_of_attempts(job, LookupError()) == ""
    job.attempt += 1
    expected = f"It failed {settings.MAX_ATTEMPTS} times. The last error: LookupError."
    assert lifecycle.out_of_attempts(job, LookupError()) == expected


def test_rows_that_died_too_often_are_given_up_on_the_way_to_the_next(oak: Tenant) -> None:
    names = ("dead", "next", "later")
    for name in names:
        ImportJob.objects.create(
            tenant=oak,
            feed="terms",
            record_type="term",
            file_name=name,
            attempt=settings.MAX_ATTEMPTS if name == "dead" else 0,
        )
    given_up: list[str] = []
    job = lifecycle.next_to_run(claim, lambda job: given_up.append(job.file_name))
    assert job is not None
    assert (given_up, job.file_name) == (["dead"], "next")


def test_an_attempts_directory_goes_with_it_and_with_its_death(oak: Tenant) -> None:
    job = claimed(oak)
    spool = Spool("test", lambda: {(job.pk, job.token)})
    dead = settings.SPOOL_DIR / f"test_{job.pk}_{job.token + 1}_x"
    foreign = settings.SPOOL_DIR / "other_1_1_x"
    for path in (dead, foreign):
        path.mkdir(parents=True)
    with spool.folder(job) as folder:
        assert folder.is_dir() and not dead.exists()
        assert spool.clear() == 0
    assert not folder.exists() and foreign.exists()
    foreign.rmdir()
