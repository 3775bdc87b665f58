"""The error attachment of a job, written to storage, for the sender to correct and drop again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from imports.issues import Issue
from imports.load.file_rejects import FileRejects
from imports.load.reading import FileReading, FileSource
from imports.models import ImportJob
from imports.report.attachment_rows import write_attachment
from imports.report.rejects import Reject, merge
from portal import lifecycle, storage


def of_rejects(
    job: ImportJob,
    folder: Path,
    source: FileSource,
    reading: FileReading,
    file_rejects: FileRejects,
) -> str:
    """Storage name of the attachment with every rejected row; empty where none was rejected."""
    issues_by_line, mapping = file_rejects.by_line(), source.mapping
    header = mapping.as_written or mapping.header
    if not reading.rejected and not issues_by_line:
        return ""

    def fill(target: BinaryIO) -> None:
        records = reading.again(source, file_rejects.lines)
        later = (Reject(line, raw, tuple(issues_by_line[line])) for line, raw in records)
        rejects = merge(reading.spool, later)
        dialect = source.dialect
        write_attachment(target, header, dialect.delimiter, rejects, dialect.quote)

    return _save(job, folder, fill)


def of_refusal(job: ImportJob, folder: Path, issues: Sequence[Issue]) -> str:
    """Storage name of the attachment of a file that was refused as a whole: its issues only."""

    def fill(target: BinaryIO) -> None:
        rejects = (Reject(issue.line or 0, b"", (issue,)) for issue in issues)
        write_attachment(target, (), ",", rejects)

    return _save(job, folder, fill)


def tidy(job: ImportJob) -> None:
    """Remove what this attempt and earlier ones stored, save what the job's row names."""
    rows = ImportJob.objects.filter(pk=job.pk).values_list("attachment", flat=True)
    storage.tidy_attempts(_folder(job), job.token, kept=rows.first)


def _folder(job: ImportJob) -> str:
    return f"attachments/{job.tenant_id}/{job.uid}"


def _save(job: ImportJob, folder: Path, fill: Callable[[BinaryIO], None]) -> str:
    path = folder / "attachment.csv"
    with path.open("wb") as target:
        fill(target)
    with path.open("rb") as written:
        return default_storage.save(f"{_folder(job)}/{job.token}.errors.csv", File(written))


def name_of(attachment: Future[str]) -> str:
    """The attachment's name in storage, once its pass over the file has ended too.

    It nearly always ends before the records are written. Where it does not, the transaction waits
    for it, and sends queries meanwhile: the database ends one that is idle for longer than a lease
    (`portal/settings.py`).
    """
    while True:
        try:
            return attachment.result(settings.HEARTBEAT_SECONDS)
        except FutureTimeoutError:
            lifecycle.keep_transaction_alive()
