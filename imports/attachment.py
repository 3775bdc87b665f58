"""The error attachment of a job, written to storage: what the sender corrects and drops again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from django.core.files import File
from django.core.files.storage import default_storage

from imports.issues import Issue
from imports.late import Late
from imports.models import ImportJob
from imports.reading import Reading, Source
from imports.report import Reject, fetch, merge, write_attachment


def of_rejects(job: ImportJob, folder: Path, source: Source, reading: Reading, found: Late) -> str:
    """Storage name of the attachment with every rejected row; empty where none was rejected."""
    wanted = found.by_line()
    if not reading.rejected and not wanted:
        return ""

    def fill(target: BinaryIO) -> None:
        late = fetch(
            source.file,
            source.dialect,
            source.width,
            wanted,
            absorb_extra=source.absorb_extra,
        )
        rejects = merge(reading.spool, late)
        dialect = source.dialect
        write_attachment(target, source.mapping.header, dialect.delimiter, rejects, dialect.quote)

    return _save(job, folder, fill)


def of_refusal(job: ImportJob, folder: Path, issues: Sequence[Issue]) -> str:
    """Storage name of the attachment of a file that was refused as a whole: its issues only."""

    def fill(target: BinaryIO) -> None:
        rejects = (Reject(issue.line or 0, b"", (issue,)) for issue in issues)
        write_attachment(target, (), ",", rejects)

    return _save(job, folder, fill)


def _save(job: ImportJob, folder: Path, fill: Callable[[BinaryIO], None]) -> str:
    path = folder / "attachment.csv"
    with path.open("wb") as target:
        fill(target)
    with path.open("rb") as written:
        name = f"attachments/{job.tenant_id}/{job.uid}/{job.token}.errors.csv"
        return default_storage.save(name, File(written))
