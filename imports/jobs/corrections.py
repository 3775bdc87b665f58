"""A corrected file comes back through the browser: a new job of the same feed and template.

It is the error attachment with its rows put right, so only those rows run (design.md section 7).
"""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from imports.issues import FileRefused
from imports.jobs import instructions, making
from imports.models import ImportJob, TemplateVersion
from portal import audit
from portal.models import User
from portal.records.definitions import Feed, Operation
from portal.storage import HashedFile

State = ImportJob.State


class NotTaken(Exception):
    """The file was not taken, and nothing was changed: why, as a sentence."""


def expected(job: ImportJob) -> bool:
    """Whether the job waits for a corrected file: some or all of its rows were rejected."""
    if job.dry_run or job.undoes_id is not None:
        return False
    refused = job.state == State.FAILED and job.fault == ImportJob.Fault.SENDER
    return job.state == State.INCOMPLETE or refused


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
        correction = making.for_person(
            job.tenant_id,
            user,
            making.of_feed_of(job),
            making.JobFile(name[:300].replace("\x00", ""), file.size or 0, digest, content),
            f"Corrected file of job {job.uid}.",
            template_version=job.template_version,
            spec=job.spec,
            operation=_operation(job),
            absent_scope=job.absent_scope,
            limits=job.limits,
            limits_per=job.limits_per,
            corrects=job,
        )
        audit.record(
            job.tenant_id, "job.correct", str(job.uid),
            user=user, address=address, file=correction.file_name, job=str(correction.uid),
        )  # fmt: skip
    return correction


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
