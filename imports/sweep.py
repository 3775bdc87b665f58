"""The sweep: every 15 seconds it rings for what is due, so that a lost message loses nothing.

It also clears away what killed workers left in the database, and files whose days are over.
"""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.functions import Now

from imports import queue, staging
from imports.collect_template import forget_unmatched
from imports.models import ArrivalFile, ImportJob
from portal import beats, bell, scores
from portal.dropserver.leftovers import clear_parts
from portal.models import Drop
from portal.notify import outbox, sending


def sweep() -> str:
    """Ring, clear up, and leave a sign of life. Must be called across tenants."""
    beats.beat("sweep")
    importing = set(queue.ready().values_list("tenant_id", flat=True))
    for tenant_id in sorted(importing):
        bell.ring(bell.IMPORT, tenant_id)
    collecting = set(Drop.objects.filter(enabled=True).values_list("tenant_id", flat=True))
    for tenant_id in sorted(collecting):
        bell.ring(bell.POLL, tenant_id)
    telling = outbox.due() | set(sending.unsent().values_list("tenant_id", flat=True))
    for tenant_id in sorted(telling):
        bell.ring(bell.MAIL, tenant_id)
    cleared = clear_staging() + forget_old_files() + forget_unmatched() + clear_parts()
    cleared += outbox.forget_old()
    scores.expire()
    return f"Rang for {len(importing)} imports, {len(collecting)} folders; cleared {cleared}."


def clear_staging() -> int:
    """Drop staging tables of attempts that no longer run."""
    tables = staging.leftovers()
    running = queue.running() if tables else set()
    stray = [name for name, job, token in tables if (job, token) not in running]
    with connection.cursor() as cursor:
        for name in stray:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return len(stray)


def forget_old_files() -> int:
    """Delete originals whose days are over (design.md: keep files for N days)."""
    due = ImportJob.objects.filter(kept_until__lt=Now()).exclude(content="")
    jobs = list(due.filter(state__in=ImportJob.FINAL_STATES)[:100])
    for job in jobs:
        default_storage.delete(job.content)
        ArrivalFile.objects.filter(job=job).update(content="")
        ImportJob.objects.filter(pk=job.pk).update(content="")
    return len(jobs)
