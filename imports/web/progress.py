"""How far a running job is, how fast, and how long it will still take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from imports.models import ImportJob

_TOO_EARLY_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Progress:
    """percent: of the file's bytes. rate: rows a second. left: seconds; None where unknown."""

    percent: int
    stage: str
    rows: int
    rate: float | None
    left: float | None


def of(job: ImportJob, now: datetime) -> Progress | None:
    """The progress of a running job; None for every other.

    The time left is known while the file is read; comparing and writing show their stage.
    """
    if job.state != ImportJob.State.RUNNING:
        return None
    seconds = (now - job.started_at).total_seconds() if job.started_at else 0.0
    measured = seconds >= _TOO_EARLY_SECONDS
    reading = job.stage in (ImportJob.Stage.READING, ImportJob.Stage.QUEUED)
    left = None
    if measured and reading and 0 < job.bytes_read <= job.file_size:
        left = (job.file_size - job.bytes_read) * seconds / job.bytes_read
    return Progress(
        percent=job.percent,
        stage=job.get_stage_display(),
        rows=job.rows_read,
        rate=job.rows_read / seconds if measured and reading else None,
        left=left,
    )
