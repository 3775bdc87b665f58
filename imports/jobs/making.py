"""Making an import job, whoever asks for it.

A delivery, a person (with a draft, a corrected file or a past file) and an undo have a function
each for what is their own; `_make` does what every job needs, and begins its timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from imports.jobs import outcome
from imports.models import ArrivalFile, ImportJob, TemplateVersion
from imports.models.sources import source_of
from portal import bell
from portal.models import User
from portal.records.definitions import Feed

AskedBy = ImportJob.AskedBy


@dataclass(frozen=True, slots=True)
class JobFile:
    """The file of a job. name: as it was sent; size in bytes; content: its name in storage."""

    name: str
    size: int
    sha256: str
    content: str


def for_arrival(
    row: ArrivalFile,
    feed: Feed,
    note: str,
    *,
    wait: timedelta,
    template_version: TemplateVersion | None = None,
    **columns: Any,
) -> ImportJob:
    """The job of a collected file. It may start after `wait`, or when the collector releases it.

    columns: more of the job's. note: why the file was taken, for the timeline. What the folder and
    the template's version say of limits and days is looked up when the job runs
    (`imports/jobs/instructions.py`).
    """
    file = JobFile(row.name, row.size or 0, row.sha256, row.content)
    return _make(
        row.tenant_id,
        AskedBy.DROP,
        note,
        "Collector",
        **_of_file(file),
        **of_feed(feed),
        arrival_file=row,
        template_version=template_version,
        source=source_of(feed.name, template_version, row.arrival.drop_id),
        ready_at=Now() + wait,
        **columns,
    )


def for_person(
    tenant_id: int, user: User, feed: dict[str, Any], file: JobFile, note: str, **values: Any
) -> ImportJob:
    """The job of a file that a person chose; workers are notified on commit.

    feed: from `of_feed` or `of_feed_of`. values: more columns of the job.
    """
    source = source_of(feed["feed"], values.get("template_version"))
    columns = {**_of_file(file), **feed, "user": user, "source": source, **values}
    asked_by = columns.pop("asked_by", AskedBy.PERSON)
    job = _make(tenant_id, asked_by, note, str(user), **columns)
    bell.ring_on_commit(bell.IMPORT, tenant_id)
    return job


def for_undo(job: ImportJob, user: User) -> ImportJob:
    """The job that undoes this one; workers are notified on commit. It has no file.

    Must be called in a transaction that has locked the job's row and found no refusal.
    """
    undo = _make(
        job.tenant_id,
        AskedBy.UNDO,
        f"Undo of job {job.uid}.",
        str(user),
        **of_feed_of(job),
        user=user,
        undoes=job,
        source=job.source,
        file_name=job.file_name,
    )
    bell.ring_on_commit(bell.IMPORT, job.tenant_id)
    return undo


def lock_past(past: ImportJob) -> None:
    """Keep a past job's stored file until the transaction ends, so that another row may name it.

    Raises FileNotFoundError where its days are over.
    """
    rows = ImportJob.objects.filter(pk=past.pk, content=past.content).exclude(content="")
    if not rows.select_for_update(no_key=True, of=("self",)).exists():
        raise FileNotFoundError(past.content)


def of_feed(feed: Feed) -> dict[str, Any]:
    """The columns that a job takes from its feed."""
    return {"feed": feed.name, "record_type": feed.record_type, "rank": feed.rank}


def of_feed_of(job: ImportJob) -> dict[str, Any]:
    """The same columns as another job has them; the catalog may have lost the feed since."""
    return {"feed": job.feed, "record_type": job.record_type, "rank": job.rank}


def keep_until(days: int | None = None) -> Any:
    """When a stored file may be deleted: after so many days, or the portal's setting."""
    return Now() + timedelta(days=days or settings.KEEP_FILES_DAYS)


def _of_file(file: JobFile) -> dict[str, Any]:
    return {
        "file_name": file.name,
        "file_size": file.size,
        "sha256": file.sha256,
        "content": file.content,
        "kept_until": keep_until(),
    }


def _make(tenant_id: int, asked_by: AskedBy, note: str, actor: str, **columns: Any) -> ImportJob:
    job = ImportJob.objects.create(tenant_id=tenant_id, asked_by=asked_by, **columns)
    outcome.record_state(job, ImportJob.State.READY, note, actor)
    if job.corrects is not None:
        sentence = f"Corrected file sent: job {job.uid}."
        outcome.record_state(job.corrects, job.corrects.state, sentence, actor)
    return job
