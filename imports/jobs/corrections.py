"""A corrected file comes back through the browser: a new job of the same feed and template.

It is the error attachment with its rows put right, so only those rows run (design.md section 7).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models.functions import Now

from imports.issues import FileRefused
from imports.jobs import instructions, outcome
from imports.models import ImportJob
from portal import audit, bell
from portal.models import User
from portal.records.definitions import Operation

State = ImportJob.State
_BLOCK = 1 << 20


class NotTaken(Exception):
    """The file was not taken, and nothing was changed: why, as a sentence."""


if TYPE_CHECKING:
    _File = File[bytes]
else:  # the stubs' generic is a plain class at run time
    _File = File


class _Hashed(_File):
    """A file that hashes what storage reads from it."""

    def __init__(self, file: UploadedFile[bytes]) -> None:
        super().__init__(file)
        self._parts = file
        self.sha256 = hashlib.sha256()

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        for block in self._parts.chunks(chunk_size or _BLOCK):
            self.sha256.update(block)
            yield block


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
    hashed = _Hashed(file)
    content = default_storage.save(f"corrections/{job.tenant_id}/{job.uid}.csv", hashed)
    try:
        return _made(job, file, content, hashed.sha256.hexdigest(), user, address)
    except BaseException:
        default_storage.delete(content)
        raise


def _made(
    job: ImportJob,
    file: UploadedFile[bytes],
    content: str,
    digest: str,
    user: User,
    address: str | None,
) -> ImportJob:
    with transaction.atomic():
        made = ImportJob.objects.create(
            tenant_id=job.tenant_id,
            feed=job.feed,
            record_type=job.record_type,
            rank=job.rank,
            template_version=job.template_version,
            spec=job.spec,
            operation=_operation(job),
            absent_scope=job.absent_scope,
            limits=job.limits,
            limits_per=job.limits_per,
            asked_by=ImportJob.AskedBy.PERSON,
            user=user,
            file_name=(file.name or job.file_name)[:300].replace("\x00", ""),
            file_size=file.size or 0,
            sha256=digest,
            content=content,
            kept_until=Now() + timedelta(days=settings.KEEP_FILES_DAYS),
        )
        outcome.moved(made, State.READY, f"Corrected file of job {job.uid}.", str(user))
        outcome.moved(job, job.state, f"Corrected file sent: job {made.uid}.", str(user))
        audit.record(
            job.tenant_id, "job.correct", str(job.uid),
            user=user, address=address, file=made.file_name, job=str(made.uid),
        )  # fmt: skip
        bell.ring_on_commit(bell.IMPORT, job.tenant_id)
    return made


def _operation(job: ImportJob) -> str:
    """The job's; but the rows of a part of a mirror's file say nothing about the other records."""
    try:
        operation = instructions.of(job).feed.operation
    except FileRefused:
        return job.operation
    if operation == Operation.MIRROR and job.state == State.INCOMPLETE:
        return str(Operation.UPSERT)
    return job.operation
