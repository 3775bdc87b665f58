"""The sweep clears away what killed workers left, and nothing that is in use."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from imports import sweep
from imports.jobs import queue
from imports.load import staging
from imports.models import ImportJob
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
