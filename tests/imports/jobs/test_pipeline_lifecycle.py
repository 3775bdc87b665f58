"""A job through faults: a lost lease, our own errors, retries, and whose turn it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.models.functions import Now

from imports.jobs import pipeline, queue
from imports.load import apply, file_rules, staging
from imports.models import ImportJob
from portal.locks import Lock
from portal.models import Tenant
from tests.imports.institution import CAMPUS, Institution, counts, states
from tests.locked import job_elsewhere, lock_elsewhere

State = ImportJob.State


def overtake(job: ImportJob) -> None:
    """What another worker does that takes the job when its lease has run out."""
    ImportJob.objects.filter(pk=job.pk).update(token=99, owner="another worker")


def during(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Any) -> None:
    """Let something happen in the world just before a step; the step itself stays as it is."""
    step = getattr(module, name)

    def after_that(*args: Any, **kwargs: Any) -> Any:
        act()
        return step(*args, **kwargs)

    monkeypatch.setattr(module, name, after_that)


def due(job: ImportJob) -> None:
    ImportJob.objects.filter(pk=job.pk).update(ready_at=Now())


def test_who_has_lost_the_lease_writes_nothing(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    during(monkeypatch, file_rules, "planned", lambda: overtake(job))
    sentence = pipeline.run(queue.next_job(institution.tenant.pk))
    assert "taken over" in sentence or "held by somebody else" in sentence
    job.refresh_from_db()
    assert (job.state, job.owner, counts(job)["read"]) == ("running", "another worker", 3)
    assert institution.records("accounts") == {}
    assert states(job) == ["running"]
    assert not staging.leftovers()


def test_the_lease_is_asked_for_inside_the_transaction_that_writes(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    during(monkeypatch, pipeline.lifecycle, "fence", lambda: overtake(job))
    assert "held by somebody else" in pipeline.run(queue.next_job(institution.tenant.pk))
    assert institution.records("accounts") == {}


def test_an_error_after_the_lease_was_lost_is_not_the_new_owners(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])

    def act() -> None:
        overtake(job)
        raise OSError("The disk is full.")

    during(monkeypatch, file_rules, "planned", act)
    assert f"Job {job.pk}" in pipeline.run(queue.next_job(institution.tenant.pk))
    job.refresh_from_db()
    assert (job.state, job.reason) == ("running", "")


def test_our_own_fault_is_tried_again_and_then_given_up(
    institution: Institution, caplog: pytest.LogCaptureFixture
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    default_storage.delete(job.content)
    for attempt, seconds in ((1, 5), (2, 30)):
        institution.work()
        job.refresh_from_db()
        assert (job.state, job.fault, job.attempt) == ("errored", "portal", attempt)
        assert f"retries in {seconds} seconds" in job.reason
        left = (job.ready_at - job.events.latest("pk").at).total_seconds()
        assert seconds - 1 < left <= seconds
        assert not institution.work(), "It is tried again before its time."
        due(job)
    institution.work()
    job.refresh_from_db()
    assert (job.state, job.fault, job.owner, job.lease_until) == ("failed", "portal", "", None)
    assert "a portal error" in job.reason
    assert states(job) == ["running", "errored", "running", "errored", "running", "failed"]
    assert not staging.leftovers()


def test_a_job_that_errs_once_is_complete_the_next_time(institution: Institution) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    with default_storage.open(job.content) as file:
        content = file.read()
    default_storage.delete(job.content)
    institution.work()
    with default_storage.open(job.content, "wb") as file:
        file.write(content)
    due(job)
    institution.work()
    job.refresh_from_db()
    assert (job.state, job.fault, job.reason) == ("complete", "", "")


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "held"])
def test_an_earlier_fault_of_ours_is_forgotten(institution: Institution, dry_run: bool) -> None:
    job = institution.job("accounts", CAMPUS["accounts"], dry_run=dry_run, limits={"creates": 1})
    ImportJob.objects.filter(pk=job.pk).update(fault="portal", rows_rejected=7, warnings=7)
    institution.work()
    job.refresh_from_db()
    assert job.state == ("planned" if dry_run else "held")
    assert (job.fault, job.rows_rejected, job.warnings) == ("", 0, 0)


def test_a_connection_cut_during_apply_leaves_nothing_and_is_tried_again(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])

    def cut() -> None:
        monkeypatch.undo()
        address = {**connection.get_connection_params(), "options": ""}
        with psycopg.connect(**address) as owner:
            pid = connection.connection.info.backend_pid
            owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    during(monkeypatch, apply, "_insert", cut)
    pipeline.run(queue.next_job(institution.tenant.pk))
    job.refresh_from_db()
    assert (job.state, job.fault) == ("errored", "portal")
    assert institution.records("accounts") == {}
    due(job)
    institution.work()
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("complete", {"read": 3, "created": 3})


def test_jobs_run_in_the_order_of_their_feeds(institution: Institution) -> None:
    jobs = [institution.job(feed, CAMPUS[feed]) for feed in reversed(CAMPUS)]
    done = institution.work()
    assert [job.feed for job in done] == list(CAMPUS)
    assert {ImportJob.objects.get(pk=job.pk).state for job in jobs} == {"complete"}


def test_of_one_tenant_one_job_runs_at_a_time(institution: Institution) -> None:
    first = institution.job("accounts", CAMPUS["accounts"])
    institution.job("org_units", CAMPUS["org_units"])
    running = queue.next_job(institution.tenant.pk)
    assert running.pk == first.pk
    assert queue.next_job(institution.tenant.pk) is None
    pipeline.run(running)
    assert queue.next_job(institution.tenant.pk).feed == "org_units"


def test_two_workers_claim_for_a_tenant_one_after_the_other(institution: Institution) -> None:
    """Else both would see that no job runs."""
    job = institution.job("accounts", CAMPUS["accounts"])
    with (
        lock_elsewhere(Lock.CLAIM_JOB, institution.tenant.pk),
        pytest.raises(OperationalError, match="lock timeout"),
    ):
        queue.next_job(institution.tenant.pk)
    assert queue.next_job(institution.tenant.pk) == job


def test_other_tenants_do_not_wait(institution: Institution) -> None:
    institution.job("accounts", CAMPUS["accounts"])
    assert queue.next_job(institution.tenant.pk)
    assert Tenant.objects.exclude(pk=institution.tenant.pk).count() == 0
    assert queue.next_job(institution.tenant.pk + 1) is None


def test_later_kinds_wait_while_an_earlier_one_is_tried_again(institution: Institution) -> None:
    """Else our fault would become theirs: rows rejected for want of what was not imported."""
    units = institution.job("org_units", CAMPUS["org_units"])
    institution.job("courses", CAMPUS["courses"])
    with default_storage.open(units.content) as file:
        content = file.read()
    default_storage.delete(units.content)
    done = institution.work()
    assert [job.feed for job in done] == ["org_units"]
    institution.job("accounts", CAMPUS["accounts"])
    assert [job.feed for job in institution.work()] == ["accounts"]
    with default_storage.open(units.content, "wb") as file:
        file.write(content)
    due(units)
    done = institution.work()
    assert [(job.feed, job.state) for job in done] == [
        ("org_units", "complete"),
        ("courses", "complete"),
    ]


def test_a_job_whose_worker_died_is_taken_up_again(institution: Institution) -> None:
    institution.job("accounts", CAMPUS["accounts"])
    dead = queue.next_job(institution.tenant.pk)
    with staging.Writer(staging.StagingTable(dead)):
        pass
    ImportJob.objects.filter(pk=dead.pk).update(lease_until=Now() - timedelta(seconds=1))
    (again,) = institution.work()
    assert (again.pk, again.state, again.attempt) == (dead.pk, "complete", 2)
    assert [job for _, job, token in staging.leftovers()] == [dead.pk]
    staging.StagingTable(dead).drop()


@pytest.mark.parametrize("state", ["complete", "held", "discarded", "failed"])
def test_a_job_that_is_not_running_is_not_taken_up_whatever_its_lease_says(
    institution: Institution, state: str
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    past = Now() - timedelta(seconds=1)
    ImportJob.objects.filter(pk=job.pk).update(state=state, lease_until=past)
    assert queue.next_job(institution.tenant.pk) is None


def test_a_job_whose_row_is_locked_runs_whatever_its_lease_says(institution: Institution) -> None:
    """It is applying: its heartbeat cannot prolong the lease then."""
    institution.job("accounts", CAMPUS["accounts"])
    job = queue.next_job(institution.tenant.pk)
    attempt = {(job.pk, job.token)}
    jobs = ImportJob.objects.filter(tenant_id=institution.tenant.pk)
    assert queue.running(jobs) == attempt
    jobs.update(lease_until=Now() - timedelta(seconds=1))
    with job_elsewhere(job.pk):
        assert queue.running(jobs) == attempt
    assert queue.running(jobs) == set()


def test_a_job_whose_worker_dies_each_time_is_given_up(institution: Institution) -> None:
    job = institution.job("accounts", CAMPUS["accounts"])
    for _ in range(3):
        assert queue.next_job(institution.tenant.pk)
        ImportJob.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    institution.job("accounts", CAMPUS["accounts"])
    assert len(institution.work()) == 1
    job.refresh_from_db()
    assert (job.state, job.fault) == (State.FAILED, "portal")
    assert "without an error message 3 times" in job.reason
