"""The sweep clears away what killed workers left, and nothing that is in use."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models.functions import Now

from imports import sweep
from imports.drafts import files
from imports.jobs import making, queue
from imports.load import staging
from imports.models import ImportDraft, ImportJob
from portal import tenancy
from tests.imports.institution import CAMPUS, Institution


def test_it_drops_the_staging_tables_and_spools_of_dead_attempts_only(
    institution: Institution,
) -> None:
    institution.job("accounts", CAMPUS["accounts"])
    job = queue.next_job(institution.tenant.pk)
    table = staging.StagingTable(job)
    with staging.Writer(table):
        pass
    mine = settings.SPOOL_DIR / f"job_{job.pk}_{job.token}_x"
    dead = settings.SPOOL_DIR / f"job_{job.pk}_{job.token - 1}_x"
    for folder in (mine, dead):
        folder.mkdir(parents=True)
    with tenancy.everyone("a sweep"):
        assert sweep.clear_staging() == 0
        assert queue.spool.clear() == 1
        assert mine.exists()
        ImportJob.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
        assert sweep.clear_staging() == 1
        assert queue.spool.clear() == 1
    assert staging.leftovers() == []
    assert not mine.exists()


def test_it_rings_and_says_for_how_many(institution: Institution) -> None:
    institution.job("accounts", CAMPUS["accounts"])
    with tenancy.everyone("a sweep"):
        assert sweep.sweep().startswith("Rang for 1 imports")


def test_it_deletes_originals_whose_days_are_over(institution: Institution) -> None:
    old = institution.send("accounts", CAMPUS["accounts"], kept_until=Now() - timedelta(days=1))
    kept = institution.send("accounts", CAMPUS["accounts"], kept_until=Now() + timedelta(days=1))
    with tenancy.everyone("a sweep"):
        assert sweep.forget_old_files() == 1
    assert not default_storage.exists(old.content)
    assert default_storage.exists(kept.content)
    assert ImportJob.objects.get(pk=old.pk).content == ""


def over(job: ImportJob) -> None:
    ImportJob.objects.filter(pk=job.pk).update(kept_until=Now() - timedelta(days=1))


def forget() -> int:
    with tenancy.everyone("a sweep"):
        return sweep.forget_old_files()


def test_a_file_stays_as_long_as_another_job_needs_it(institution: Institution) -> None:
    first = institution.send("accounts", CAMPUS["accounts"])
    second = institution.job("accounts", CAMPUS["accounts"])
    ImportJob.objects.filter(pk=second.pk).update(content=first.content)
    second.refresh_from_db()
    over(first)
    assert forget() == 1
    assert ImportJob.objects.get(pk=first.pk).content == ""
    assert default_storage.exists(second.content)
    institution.work()
    second.refresh_from_db()
    assert second.state == "complete"
    over(second)
    forget()
    assert not default_storage.exists(first.content)


@pytest.mark.parametrize("state", ["ready", "running", "errored", "held"])
def test_a_file_of_a_job_that_is_not_at_its_end_is_not_deleted(
    institution: Institution, state: str
) -> None:
    job = institution.job("accounts", CAMPUS["accounts"], state=state)
    over(job)
    assert forget() == 0
    assert default_storage.exists(job.content)


@pytest.mark.parametrize(
    "named", [{"content": "*"}, {"table": "*"}, {"fetched": {"content": "*"}}], ids=str
)
def test_a_file_stays_as_long_as_a_draft_names_it(
    institution: Institution, named: dict[str, Any]
) -> None:
    job = institution.send("accounts", CAMPUS["accounts"])
    filled = json.loads(json.dumps(named).replace("*", job.content))
    draft = ImportDraft.objects.create(
        tenant=institution.tenant, user=institution.person(), feed="accounts", **filled
    )
    over(job)
    forget()
    assert default_storage.exists(job.content)
    draft.delete()
    files.release_all(draft)
    assert not default_storage.exists(job.content)


def test_nobody_makes_a_job_of_a_file_that_is_just_being_deleted(institution: Institution) -> None:
    job = institution.send("accounts", CAMPUS["accounts"])
    over(job)
    forget()
    with pytest.raises(FileNotFoundError), transaction.atomic():
        making.lock_past(job)


def test_a_file_that_somebody_is_just_taking_again_is_left_for_the_next_sweep(
    institution: Institution,
) -> None:
    job = institution.send("accounts", CAMPUS["accounts"])
    over(job)
    counts: list[int] = []

    def sweep_elsewhere() -> None:
        counts.append(forget())
        connection.close()

    with transaction.atomic():
        making.lock_past(job)
        other = threading.Thread(target=sweep_elsewhere)
        other.start()
        other.join()
    assert counts == [0]
    assert default_storage.exists(job.content)
    assert forget() == 1
