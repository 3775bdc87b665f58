"""The sweep: every 15 seconds it rings for what is due, so that a lost message loses nothing.

It also clears away what killed workers left in the database, and files whose days are over.
"""

from __future__ import annotations

import random

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from imports.collect.template_files import forget_unmatched
from imports.drafts import files
from imports.jobs import queue
from imports.load import staging
from imports.models import ArrivalFile, ImportJob
from portal import beats, bell, logs
from portal.dropserver.leftovers import clear_parts
from portal.models import Drop
from portal.notify import outbox, sending
from portal.people import scores

log = logs.get(__name__)


def sweep() -> str:
    """Ring, clear up, and leave a sign of life. Must be called across tenants."""
    beats.beat("sweep")
    importing = set(queue.ready().values_list("tenant_id", flat=True))
    _ring(bell.IMPORT, importing)
    collecting = set(Drop.objects.filter(enabled=True).values_list("tenant_id", flat=True))
    _ring(bell.POLL, collecting)
    telling = outbox.due() | set(sending.unsent().values_list("tenant_id", flat=True))
    _ring(bell.MAIL, telling)
    cleared = clear_staging() + forget_old_files() + forget_unmatched() + clear_parts()
    cleared += files.forget_old() + outbox.forget_old()
    scores.expire()
    return f"Rang for {len(importing)} imports, {len(collecting)} folders; cleared {cleared}."


def _ring(task: str, tenants: set[int]) -> None:
    """Ring for each, in an order of chance: where there is more to do than the workers can, some
    bells lapse before the next sweep, and not always the same tenants'."""
    for tenant_id in random.sample(sorted(tenants), len(tenants)):
        bell.ring(task, tenant_id, expires=2 * settings.SWEEP_SECONDS)


def clear_staging() -> int:
    """Drop staging tables of attempts that no longer run; one still in use waits for the next time.

    A worker that sleeps in the middle of a COPY holds its table: the sweep must not wait for it.
    """
    tables = staging.leftovers()
    running = queue.running(ImportJob.objects.all()) if tables else set()
    stray = [name for name, job, token in tables if (job, token) not in running]
    return sum(_drop(name) for name in stray)


def _drop(table: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
    except OperationalError as error:
        log.warning("staging_table_in_use", table=table, error=repr(error))
        return False
    return True


def forget_old_files() -> int:
    """Delete originals and attachments whose days are over (design.md: keep files for N days)."""
    due = ImportJob.objects.filter(kept_until__lt=Now()).exclude(content="", attachment="")
    jobs = list(due.filter(state__in=ImportJob.FINAL_STATES)[:100])
    for job in jobs:
        for name in filter(None, (job.content, job.attachment)):
            default_storage.delete(name)
        ArrivalFile.objects.filter(job=job).update(content="")
        ImportJob.objects.filter(pk=job.pk).update(content="", attachment="")
    return len(jobs)
