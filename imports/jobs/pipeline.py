"""One job from file to records: read → cross-check → plan → hold or apply → report.

The stages are modules of their own; this one only says their order and what happens when one of
them says no. Everything before `apply` may be repeated; apply and finish are one transaction.
"""

from __future__ import annotations

import resource
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models.functions import Now
from django.db.utils import Error as DatabaseError

from imports.check.row_numbers import RowNumbers
from imports.check.validation import ReferenceSet, Validator
from imports.issues import FileRefused
from imports.jobs import attachment, instructions, outcome, pinned_lookups, spool, undo
from imports.jobs.instructions import Instructions
from imports.load import apply, as_events, diff, file_rules, limits, measure, staging
from imports.load import stored as known
from imports.load.file_rules import Late
from imports.load.plan import Absent
from imports.load.reading import Reading, Source, read
from imports.mapping.opening import opened
from imports.mapping.readable import Readable, readable
from imports.mapping.resolving import HoldNeeded
from imports.models import ImportJob
from imports.report.rejects import RejectSpool
from imports.report.summary import Summary, no_rows, warn
from portal import bell, lifecycle, logs
from portal.lifecycle import Heartbeat, LeaseLost
from portal.models import RecordKind
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Operation, RecordType

log = logs.get(__name__)
Stage = ImportJob.Stage
_SKIPS = (Operation.UPSERT, Operation.ADD_ONLY, Operation.UPDATE_ONLY)


@dataclass(frozen=True, slots=True)
class Work:
    """What one attempt at a job needs to hand around."""

    job: ImportJob
    told: Instructions
    target: known.Target
    beat: Heartbeat
    folder: Path

    @property
    def feed(self) -> Feed:
        return self.told.feed

    @property
    def record_type(self) -> RecordType:
        return self.told.record_type


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan ready to be carried out. attachment: storage name of the rejected rows, once written.

    absent: how a mirror tells which records the file does not name; None for no removal of them.
    """

    source: Source
    reading: Reading
    stage: staging.StagingTable
    numbers: limits.Plan
    attachment: Future[str]
    absent: Absent | None


def run(job: ImportJob) -> str:
    """Carry out a claimed job. Returns a sentence for the log. Never raises for the file's sake."""
    logs.bind(job_id=job.pk, tenant_id=job.tenant_id)
    with Heartbeat(job, job.tenant_id) as beat:
        try:
            _recorded(job, beat)
        except LeaseLost as lost:
            attachment.tidy(job)
            return f"Job {job.pk}: {lost}"
    if job.token > 1:
        attachment.tidy(job)
    bell.ring(bell.POLL, job.tenant_id)
    return f"Job {job.pk}: {job.state}."


def _recorded(job: ImportJob, beat: Heartbeat) -> None:
    """One attempt. An error is our fault, whatever it is: recorded, retried, told.

    Raises LeaseLost, also where the error came of another's having the job by now.
    """
    try:
        _attempt(job, beat)
    except LeaseLost:
        raise
    except Exception as error:
        if isinstance(error, DatabaseError):
            connection.close()
        outcome.errored(job, error)


def _attempt(job: ImportJob, beat: Heartbeat) -> None:
    _start(job)
    if job.undoes_id is not None:
        undo.carry_out(job, beat)
        return
    with spool.folder(job) as folder:
        try:
            told = instructions.of(job)
            _settle(job, told)
            _import(Work(job, told, _target(job, told.record_type), beat, folder))
        except FileRefused as refusal:
            _refused(job, folder, refusal)


def _settle(job: ImportJob, told: Instructions) -> None:
    """What the template's settings say becomes the job's own: its page and a release know it."""
    if changes := instructions.settings(job, told.spec):
        _update(job, **changes)
        vars(job).update(changes)


def _refused(job: ImportJob, folder: Path, refusal: FileRefused) -> None:
    """The end of a file that cannot be read as it is; or a person decides, if the template says."""
    if isinstance(refusal, HoldNeeded) and not (job.released_plan or job.dry_run):
        holds = limits.of_header(refusal.reasons, limits.MISSING_COLUMNS)
        outcome.hold(job, limits.Plan(0, 0, 0, 0, 0, 0), Summary(), "", {}, holds)
        return
    outcome.refuse(job, refusal.issues, attachment.of_refusal(job, folder, refusal.issues))


def _import(work: Work) -> None:
    job, spec = work.job, work.told.spec
    json_name = job.file_name if work.feed.json_lines else ""
    with (
        default_storage.open(job.content, "rb") as stored,
        readable(cast(BinaryIO, stored), job.file_size, spec, work.folder, json_name) as file,
    ):
        source = _source(work, file)
        with staging.table(work.job) as stage, RejectSpool(work.folder) as rejects:
            reading = Reading(Summary(), rejects, _known(work), RowNumbers(work.folder))
            warn(reading.summary, source.mapping.warnings)
            _read(work, source, reading, stage)
            _stage(work, Stage.PLANNING)
            found = file_rules.check(
                work.feed, work.record_type, work.target, reading, stage, source.mapping.spelled
            )
            _conclude(work, source, reading, stage, found)


def _read(work: Work, source: Source, reading: Reading, stage: staging.StagingTable) -> None:
    validator = Validator(
        source.mapping,
        work.feed,
        work.record_type,
        catalog().record_type,
        _references(work, source),
        source.dialect.delimiter,
        source.dialect.quote,
    )
    with staging.Writer(stage) as writer:
        read(source, validator, reading, writer, lambda now: _progress(work, now))
    if reading.seen != reading.staged + reading.rejected + reading.known.skipped:
        raise AssertionError("The rows seen are not the rows accepted and rejected.")
    if not reading.seen:
        reading.summary.add(no_rows())


def _conclude(
    work: Work, source: Source, reading: Reading, stage: staging.StagingTable, found: Late
) -> None:
    with ThreadPoolExecutor(1, "report") as beside:
        # The second pass over the file runs while the database compares and writes.
        told = beside.submit(attachment.of_rejects, work.job, work.folder, source, reading, found)
        absent = _absent(work, reading, found)
        planned = file_rules.planned(work.target, reading, stage, found, absent)
        _carry_out(work, Planned(source, reading, stage, planned, told, absent))


def _carry_out(work: Work, plan: Planned) -> None:
    """Stop after the plan, hold, or apply."""
    job, reading = work.job, plan.reading
    holds = measure.holds(
        job, work.record_type, work.target, plan.stage, plan.numbers, reading.known, plan.absent
    )
    if not job.released_plan:
        holds = [*limits.of_header(plan.source.mapping.reasons), *holds]
    if changed := limits.differences(plan.numbers, job.released_plan or {}):
        outcome.moved(job, ImportJob.State.RUNNING, changed)
    if not (job.dry_run or holds):
        _apply(work, plan)
        return
    _stage(work, Stage.REPORTING)
    detail = diff.detail(plan.stage, work.target, reading.staged, plan.absent)
    stop = outcome.planned if job.dry_run else outcome.hold
    stop(job, plan.numbers, reading.summary, plan.attachment.result(), detail, holds)


def _absent(work: Work, reading: Reading, found: Late) -> Absent | None:
    """How a mirror tells what its file does not name.

    None for other files, and where every row was rejected: such a file changes nothing. Where some
    were, the plan is held (`imports/load/limits.py`), for their records are not absent.
    """
    rejected = reading.rejected + int(found.lines.size)
    if work.feed.operation != Operation.MIRROR or rejected == reading.seen > 0:
        return None
    return Absent(work.job.absent_scope)


def _apply(work: Work, plan: Planned) -> None:
    _stage(work, Stage.APPLYING)
    work.beat.check()
    numbers, reading = plan.numbers, plan.reading
    with transaction.atomic():
        lifecycle.fence(work.job)
        if numbers.created or numbers.updated or numbers.removed or reading.staged:
            apply.apply(plan.stage, work.target, work.job.pk, reading.staged, plan.absent)
            as_events.pass_on(work.record_type, plan.stage, work.target, plan.source.mapping)
        outcome.finish(work.job, numbers, reading.summary, _attached(plan))


def _attached(plan: Planned) -> str:
    """The attachment's name, when its pass over the file has ended too.

    That is nearly always before the writing; where not, the transaction is kept from falling
    silent, which the database ends after a lease (`portal/settings.py`).
    """
    while True:
        try:
            return plan.attachment.result(settings.HEARTBEAT_SECONDS)
        except FutureTimeoutError:
            lifecycle.speak()


def _start(job: ImportJob) -> None:
    note = "" if job.attempt == 1 else f"Attempt {job.attempt} of {settings.MAX_ATTEMPTS}."
    outcome.moved(job, ImportJob.State.RUNNING, note)
    # An earlier attempt may have left its numbers and our fault behind.
    zeros = {"bytes_read": 0, "rows_read": 0, "rows_rejected": 0, "warnings": 0}
    nothing = {"reason": "", "fault": ImportJob.Fault.NONE}
    _update(job, stage=Stage.READING, started_at=Now(), **zeros, **nothing)


def _stage(work: Work, stage: str) -> None:
    _update(work.job, stage=stage)


def _progress(work: Work, reading: Reading) -> None:
    work.beat.check()
    _update(
        work.job,
        bytes_read=reading.consumed,
        rows_read=reading.seen,
        rows_rejected=reading.rejected,
        warnings=reading.warnings,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _update(job: ImportJob, **changes: object) -> None:
    if not ImportJob.objects.filter(pk=job.pk, token=job.token).update(**changes):
        raise LeaseLost(f"Job {job.pk} was taken over.")


def _source(work: Work, it: Readable) -> Source:
    told = work.told
    tables = pinned_lookups.pinned(work.job.tenant_id, work.job.lookups)
    dialect, mapping = opened(it.file, it.size, told.plain_feed, told.plain_type, it.spec, tables)
    source = Source(it.file, it.size, dialect, mapping, work.feed.absorb_extra, it.json_lines)
    proven = source.settle_locales(lambda: _proven_before(work.job))
    facts = {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    _update(work.job, dialect={**facts, **({"proven": proven} if proven else {})})
    return source


def _proven_before(job: ImportJob) -> dict[str, bool]:
    """How the last imported file of the same feed and template was proven to write its columns."""
    version = job.template_version
    jobs = ImportJob.objects.filter(
        tenant_id=job.tenant_id,
        feed=job.feed,
        template_version__template=version and version.template_id,
        state__in=(ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE),
        dialect__has_key="proven",
    )
    last = jobs.order_by("-pk").values_list("dialect", flat=True).first()
    return dict(last["proven"]) if last else {}


def _target(job: ImportJob, record_type: RecordType) -> known.Target:
    kind = RecordKind.objects.get(name=record_type.name)
    return known.Target(job.tenant_id, kind.pk)


def _known(work: Work) -> known.KnownRecords:
    if work.feed.operation in _SKIPS:
        return known.load(work.target, work.folder)
    return known.nothing_known()


def _references(work: Work, source: Source) -> dict[str, ReferenceSet]:
    names = {f.references for f in source.mapping.fields if f.references}
    return {
        name: known.references_to(work.target.tenant_id, catalog().record_type(name))
        for name in sorted(names)
    }
