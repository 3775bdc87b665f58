"""Where a job writes, and whether later jobs may have overtaken it."""

from __future__ import annotations

from imports.jobs.instructions import Instructions
from imports.load.file_rejects import FileRejects
from imports.load.plan import Absent
from imports.load.reading import FileReading
from imports.load.stored import Overtaken, Target
from imports.models import ImportJob
from portal.models import RecordKind
from portal.records.definitions import Operation, RecordType


def target_of(job: ImportJob, record_type: RecordType) -> Target:
    """The tenant's records of the type."""
    kind = RecordKind.objects.get(name=record_type.name)
    return Target(job.tenant_id, kind.pk, _overtaken(job))


def _overtaken(job: ImportJob) -> Overtaken | None:
    """A job that has waited, or brings again what an earlier one rejected, does not run in turn."""
    if job.asked_by == ImportJob.AskedBy.RETRY and job.corrects_id is not None:
        return Overtaken(job.feed, job.corrects_id)
    return Overtaken(job.feed, job.pk) if job.waits_until is not None else None


def absent_of(
    job: ImportJob, guards: Instructions, reading: FileReading, file_rejects: FileRejects
) -> Absent | None:
    """Which records a mirror removes because its file does not name them.

    None for other files, and where every row was rejected: such a file changes nothing. Where some
    were, the plan is held (`imports/load/limits.py`), for their records are not absent.
    """
    rejected = reading.rejected + int(file_rejects.lines.size)
    if guards.feed.operation != Operation.MIRROR or rejected == reading.seen > 0:
        return None
    return Absent(job.source, guards.absent_scope)
