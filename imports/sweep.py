"""The sweep: every 15 seconds it notifies workers of what is due; so no lost message loses work.

It also removes what killed workers left in the database, and files whose days are over.
"""

from __future__ import annotations

import random

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from imports.collect.template_files import forget_unmatched
from imports.drafts import files
from imports.jobs import queue, stored_files
from imports.load import staging
from imports.models import ArrivalFile, ImportJob
from portal import beats, bell, logs
from portal.dropserver.leftovers import clear_parts
from portal.models import Drop
from portal.notify import outbox, sending
from portal.people import scores

log = logs.get(__name__)


def sweep() -> str:
    """Notify workers, clean up, and record a sign of life. Must be called across tenants."""
    beats.beat("sweep")
    importing = set(queue.ready().values_list("tenant_id", flat=True))
    _notify(bell.IMPORT, importing)
    collecting = set(Drop.objects.filter(enabled=True).values_list("tenant_id", flat=True))
    _notify(bell.POLL, collecting)
    mailing = outbox.due() | set(sending.unsent().values_list("tenant_id", flat=True))
    _notify(bell.MAIL, mailing)
    cleared = clear_staging() + forget_old_files() + forget_unmatched() + clear_parts()
    cleared += files.forget_old() + outbox.forget_old()
    scores.expire()
    return f"Rang for {len(importing)} imports, {len(collecting)} folders; cleared {cleared}."


def _notify(task: str, tenants: set[int]) -> None:
    """Notify workers of each tenant in random order.

    Where there is more work than workers, some messages expire before the next sweep, and these
    should not always be the same tenants'.
    """
    for tenant_id in random.sample(sorted(tenants), len(tenants)):
        bell.ring(task, tenant_id, expires=2 * settings.SWEEP_SECONDS)


def clear_staging() -> int:
    """Drop staging tables of attempts that no longer run, save those still in use."""
    tables = staging.leftovers()
    running = queue.running(ImportJob.objects.all()) if tables else set()
    stray = [name for name, job, token in tables if (job, token) not in running]
    return sum(_drop(name) for name in stray)


def _drop(table: str) -> bool:
    try:
        staging.drop_leftover(table)
    except OperationalError as error:
        log.warning("staging_table_in_use", table=table, error=repr(error))
        return False
    return True


def forget_old_files() -> int:
    """Forget originals and attachments whose days are over (design.md: keep files for N days).

    A file that another job, a draft or a delivery names stays until their days are over too.
    """
    due = ImportJob.objects.filter(kept_until__lt=Now()).exclude(content="", attachment="")
    final = due.filter(state__in=ImportJob.FINAL_STATES)
    with transaction.atomic():
        jobs = list(final.select_for_update(skip_locked=True, no_key=True, of=("self",))[:100])
        rows = ImportJob.objects.filter(pk__in=[job.pk for job in jobs])
        rows.update(content="", attachment="")
        ArrivalFile.objects.filter(job__in=jobs).update(content="")
        # While the rows are locked, nobody makes another job of their files.
        stored_files.delete_unnamed(name for job in jobs for name in (job.content, job.attachment))
    return len(jobs)
