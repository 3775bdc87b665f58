"""A corrected file comes back through the browser: a new job of the same feed and template.

It is the error attachment with its rows put right, so only those rows run (design.md section 7).
"""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from imports.issues import FileRefused
from imports.jobs import instructions, making, outcome
from imports.jobs.waiting import has_come_since
from imports.models import ImportJob, TemplateVersion
from portal import audit
from portal.models import User
from portal.records.definitions import Feed, Operation
from portal.storage import HashedFile

State = ImportJob.State


_NOT_AGAIN = "This job has no rejected rows that could be tried again as they are."


class NotTaken(Exception):
    """The file was not taken, and nothing was changed: why, as a sentence."""


def expected(job: ImportJob) -> bool:
    """Whether the job waits for a corrected file: some or all of its rows were rejected."""
    if job.dry_run or job.undoes_id is not None:
        return False
    refused = job.state == State.FAILED and job.fault == ImportJob.Fault.SENDER
    return job.state == State.INCOMPLETE or refused


def can_be_tried_again(job: ImportJob) -> bool:
    """Whether its rejected rows may go in as they are, because what they lacked has come since."""
    offered = expected(job) and bool(job.attachment) and has_come_since(job)
    return offered and not job.corrections.exists()


def again(job: ImportJob, user: User, address: str | None = None) -> ImportJob:
    """Run the rejected rows once more as they were sent. Raises NotTaken.

    What a later file of the feed has written meanwhile is newer, and stays.
    """
    if not can_be_tried_again(job):
        raise NotTaken(_NOT_AGAIN)
    with default_storage.open(job.attachment) as attachment:
        hashed = HashedFile(cast(BinaryIO, attachment))
        content = default_storage.save(f"corrections/{job.tenant_id}/{job.uid}.csv", hashed)
    file = making.JobFile(job.file_name, hashed.size_read, hashed.sha256, content)
    try:
        return _again(job, file, user, address)
    except BaseException:
        default_storage.delete(content)
        raise


def _again(job: ImportJob, file: making.JobFile, user: User, address: str | None) -> ImportJob:
    with transaction.atomic():
        job = ImportJob.objects.select_for_update(no_key=True).get(pk=job.pk)
        if not can_be_tried_again(job):  # somebody else was faster
            raise NotTaken(_NOT_AGAIN)
        note = f"The rejected rows of job {job.uid}, once more."
        retry = _make(job, file, user, note, asked_by=ImportJob.AskedBy.RETRY)
        outcome.record_state(
            job, job.state, f"Rejected rows tried again: job {retry.uid}.", str(user)
        )
        audit.record(
            job.tenant_id, "job.again", str(job.uid),
            user=user, address=address, file=retry.file_name, job=str(retry.uid),
        )  # fmt: skip
    return retry


def take(
    job: ImportJob, file: UploadedFile[bytes], user: User, address: str | None = None
) -> ImportJob:
    """Store the file, block by block, and make its job. Raises NotTaken."""
    if not expected(job):
        raise NotTaken("This job has no rows to correct.")
    if not file.size:
        raise NotTaken("The file is empty. Choose the corrected error attachment.")
    hashed = HashedFile(file)
    content = default_storage.save(f"corrections/{job.tenant_id}/{job.uid}.csv", hashed)
    try:
        return _job(job, file, content, hashed.sha256, user, address)
    except BaseException:
        default_storage.delete(content)
        raise


def _job(
    job: ImportJob,
    file: UploadedFile[bytes],
    content: str,
    digest: str,
    user: User,
    address: str | None,
) -> ImportJob:
    name = file.name or job.file_name
    with transaction.atomic():
        stored = making.JobFile(name[:300].replace("\x00", ""), file.size or 0, digest, content)
        correction = _make(job, stored, user, f"Corrected file of job {job.uid}.")
        outcome.record_state(
            job, job.state, f"Corrected file sent: job {correction.uid}.", str(user)
        )
        audit.record(
            job.tenant_id, "job.correct", str(job.uid),
            user=user, address=address, file=correction.file_name, job=str(correction.uid),
        )  # fmt: skip
    return correction


def _make(job: ImportJob, file: making.JobFile, user: User, note: str, **values: Any) -> ImportJob:
    """A job for rows that the other one rejected, with all that it had."""
    return making.for_person(
        job.tenant_id,
        user,
        making.of_feed_of(job),
        file,
        note,
        corrects=job,
        source=job.source,
        template_version=job.template_version,
        spec=job.spec,
        operation=_operation(job),
        absent_scope=job.absent_scope,
        limits=job.limits,
        limits_per=job.limits_per,
        **values,
    )


def operation_of_part(
    original: ImportJob | None, feed: Feed, version: TemplateVersion | None
) -> str:
    """The operation of a correction that came through a folder.

    original: the job that it corrects, if that is there. A file that only is named like an error
    attachment is taken for a part too: it must never remove what it does not name.
    """
    job = original or ImportJob(
        feed=feed.name,
        record_type=feed.record_type,
        template_version=version,
        state=State.INCOMPLETE,
    )
    return _operation(job)


def _operation(job: ImportJob) -> str:
    """The job's; but the rows of a part of a mirror's file say nothing about the other records."""
    try:
        operation = instructions.of_job(job).feed.operation
    except FileRefused:
        return job.operation
    if operation == Operation.MIRROR and job.state == State.INCOMPLETE:
        return str(Operation.UPSERT)
    return job.operation
