"""One job from file to records: read → cross-check → plan → hold or apply → report.

The stages are modules of their own; this one gives their order and what happens when one of them
refuses. Everything before `apply` may be repeated; apply and finish are one transaction.
"""

from __future__ import annotations

import functools
import resource
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from imports.check.row_numbers import RowNumbers
from imports.check.validation import Validator
from imports.issues import FileRefused
from imports.jobs import (
    astray,
    attachment,
    holding,
    instructions,
    locales,
    outcome,
    pinned_lookups,
    queue,
    undo,
    waiting,
)
from imports.jobs.instructions import Instructions
from imports.jobs.targets import absent_of, target_of
from imports.load import apply, as_events, cautions, file_rules, limits, measure, staging, stored
from imports.load.file_rejects import FileRejects
from imports.load.measure import PlannedFile
from imports.load.measured import Plan
from imports.load.plan import Absent
from imports.load.reading import FileReading, FileSource, read
from imports.load.released import differences
from imports.load.stored import StoredRecords, Target
from imports.mapping.opening import opened
from imports.mapping.readable import Readable, readable
from imports.mapping.resolving import HoldNeeded
from imports.models import ImportJob
from imports.report.rejects import RejectSpool
from imports.report.summary import Summary, no_rows, warn
from portal import bell, lifecycle, logs
from portal.lifecycle import Heartbeat, LeaseLost
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Operation, RecordType

Stage = ImportJob.Stage
_SKIPS = (Operation.UPSERT, Operation.ADD_ONLY, Operation.UPDATE_ONLY)


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One attempt at a job, with what all its steps need."""

    job: ImportJob
    instructions: Instructions
    target: Target
    beat: Heartbeat
    folder: Path

    @property
    def feed(self) -> Feed:
        return self.instructions.feed

    @property
    def record_type(self) -> RecordType:
        return self.instructions.record_type


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """A plan ready to be carried out. attachment: storage name of the rejected rows, once written.

    absent: which records a mirror removes because its file does not name them; None for none.
    """

    source: FileSource
    reading: FileReading
    stage: staging.StagingTable
    plan: Plan
    attachment: Future[str]
    absent: Absent | None


def run(job: ImportJob) -> str:
    """Carry out a claimed job. Returns a sentence for the log. A bad file raises nothing."""
    logs.bind(job_id=job.pk, tenant_id=job.tenant_id)
    lost = lifecycle.run_attempt(
        job,
        job.tenant_id,
        work=functools.partial(_attempt, job),
        errored=functools.partial(outcome.errored, job),
        tidy=functools.partial(attachment.tidy, job),
    )
    if lost is not None:
        return f"Job {job.pk}: {lost}"
    waiting.wake(job)
    bell.ring(bell.POLL, job.tenant_id)
    return f"Job {job.pk}: {job.state}."


def _attempt(job: ImportJob, beat: Heartbeat) -> None:
    _start(job)
    if job.undoes_id is not None:
        undo.carry_out(job, beat)
        return
    with queue.spool.folder(job) as folder:
        try:
            read_instructions = instructions.of_job(job)
            _fill_from_template(job, read_instructions)
            target = target_of(job, read_instructions.record_type)
            _import(JobAttempt(job, read_instructions, target, beat, folder))
        except FileRefused as refusal:
            _refused(job, folder, refusal)


def _fill_from_template(job: ImportJob, read_instructions: Instructions) -> None:
    """Copy the template's settings to the job: its page and a release read them there."""
    if changes := instructions.columns_from_template(job, read_instructions.spec):
        _update(job, **changes)
        vars(job).update(changes)


def _refused(job: ImportJob, folder: Path, refusal: FileRefused) -> None:
    """End the job of a file that cannot be read, or hold it where the template asks for that."""
    if isinstance(refusal, HoldNeeded) and not job.dry_run:
        holds = limits.of_header(refusal.reasons, limits.MISSING_COLUMNS)
        nothing = outcome.ShownPlan({})
        outcome.hold(job, Plan(0, 0, 0, 0, 0, 0), Summary(), "", nothing, holds)
        return
    issues = astray.advised(job, refusal)
    outcome.refuse(job, issues, attachment.of_refusal(job, folder, issues))


def _import(attempt: JobAttempt) -> None:
    job, spec = attempt.job, attempt.instructions.spec
    json_name = job.file_name if attempt.feed.json_lines else ""
    with (
        default_storage.open(job.content, "rb") as content,
        readable(cast(BinaryIO, content), job.file_size, spec, attempt.folder, json_name) as file,
    ):
        source = _source(attempt, file)
        with staging.table(attempt.job) as stage, RejectSpool(attempt.folder) as rejects:
            numbers = RowNumbers(attempt.folder)
            reading = FileReading(Summary(), rejects, _stored(attempt), numbers)
            warn(reading.summary, source.mapping.warnings)
            _read(attempt, source, reading, stage)
            _stage(attempt, Stage.PLANNING)
            headers = source.mapping.spelled
            file_rejects = file_rules.check(
                attempt.feed, attempt.record_type, attempt.target, reading, stage, headers
            )
            lacking = waiting.missing(reading.summary)
            if lacking and waiting.may_wait(job):
                outcome.wait(job, lacking)
                return
            _conclude(attempt, source, reading, stage, file_rejects)


def _read(
    attempt: JobAttempt, source: FileSource, reading: FileReading, stage: staging.StagingTable
) -> None:
    validator = Validator(
        source.mapping,
        attempt.feed,
        attempt.record_type,
        catalog().record_type,
        stored.references(attempt.target.tenant_id, source.mapping.fields),
        source.dialect.delimiter,
        source.dialect.quote,
    )
    with staging.Writer(stage) as writer:
        read(source, validator, reading, writer, lambda reading: _progress(attempt, reading))
    if reading.seen != reading.staged + reading.rejected + reading.stored.skipped:
        raise AssertionError("The rows seen are not the rows accepted and rejected.")
    if not reading.seen:
        reading.summary.add(no_rows())


def _conclude(
    attempt: JobAttempt,
    source: FileSource,
    reading: FileReading,
    stage: staging.StagingTable,
    file_rejects: FileRejects,
) -> None:
    job = attempt.job
    with ThreadPoolExecutor(1, "report") as executor:
        # The second pass over the file runs while the database compares and writes.
        attached = executor.submit(
            attachment.of_rejects, job, attempt.folder, source, reading, file_rejects
        )
        absent = absent_of(job, attempt.instructions, reading, file_rejects)
        plan = file_rules.planned(attempt.target, reading, stage, file_rejects, absent)
        _carry_out(attempt, ReadyPlan(source, reading, stage, plan, attached, absent))


def _carry_out(attempt: JobAttempt, ready: ReadyPlan) -> None:
    """Stop after the plan, hold, or apply."""
    job, plan, reading = attempt.job, ready.plan, ready.reading
    file = PlannedFile(
        attempt.record_type, attempt.target, ready.stage, reading.staged, plan, reading.stored,
        ready.absent,
    )  # fmt: skip
    digests = holding.digests_to_compare(job, file)
    header = (*ready.source.mapping.reasons, *astray.doubts(job, ready.source.mapping))
    holds = holding.reasons(job, attempt.instructions, file, header, digests)
    depending = cautions.add(file, reading, ready.source.mapping.spelled)
    if left := measure.others_left(file):
        outcome.record_state(job, ImportJob.State.RUNNING, left)
    if not (job.dry_run or holds):
        if grown := differences(plan, job.released_plan or {}):
            note = f"The plan has changed within the limits of the release: {grown}."
            outcome.record_state(job, ImportJob.State.RUNNING, note)
        _apply(attempt, ready)
        return
    _stage(attempt, Stage.REPORTING)
    shown = holding.shown(job, file, digests, depending)
    stop = outcome.finish_dry_run if job.dry_run else outcome.hold
    stop(job, plan, reading.summary, ready.attachment.result(), shown, holds)


def _apply(attempt: JobAttempt, ready: ReadyPlan) -> None:
    _stage(attempt, Stage.APPLYING)
    attempt.beat.check()
    job, target, plan, reading = attempt.job, attempt.target, ready.plan, ready.reading
    with transaction.atomic():
        lifecycle.fence(job)
        if plan.created or plan.updated or plan.removed or reading.staged:
            apply.apply(ready.stage, target, job.pk, reading.staged, ready.absent)
            as_events.pass_on(attempt.record_type, ready.stage, target, ready.source.mapping)
        outcome.finish(job, plan, reading.summary, attachment.name_of(ready.attachment))


def _start(job: ImportJob) -> None:
    note = "" if job.attempt == 1 else f"Attempt {job.attempt} of {settings.MAX_ATTEMPTS}."
    outcome.record_state(job, ImportJob.State.RUNNING, note)
    # An earlier attempt may have left its counts and the portal's fault.
    zeros = {"bytes_read": 0, "rows_read": 0, "rows_rejected": 0, "warnings": 0}
    nothing = {"reason": "", "fault": ImportJob.Fault.NONE}
    _update(job, stage=Stage.READING, started_at=Now(), **zeros, **nothing)


def _stage(attempt: JobAttempt, stage: str) -> None:
    _update(attempt.job, stage=stage)


def _progress(attempt: JobAttempt, reading: FileReading) -> None:
    attempt.beat.check()
    _update(
        attempt.job,
        bytes_read=reading.consumed,
        rows_read=reading.seen,
        rows_rejected=reading.rejected,
        warnings=reading.warnings,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _update(job: ImportJob, **changes: object) -> None:
    if not ImportJob.objects.filter(pk=job.pk, token=job.token).update(**changes):
        raise LeaseLost(f"Job {job.pk} was taken over.")


def _source(attempt: JobAttempt, readable: Readable) -> FileSource:
    feed, record_type = attempt.instructions.plain_feed, attempt.instructions.plain_type
    tables = pinned_lookups.pinned(attempt.job.tenant_id, attempt.job.lookups)
    file, size = readable.file, readable.size
    dialect, mapping = opened(file, size, feed, record_type, readable.spec, tables)
    absorb_extra = attempt.feed.absorb_extra
    key = mapping.positions_of(attempt.record_type.key)
    source = FileSource(file, size, dialect, mapping, absorb_extra, readable.json_lines, key)
    proven = source.settle_locales(lambda: locales.proven_before(attempt.job))
    facts = {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    _update(attempt.job, dialect={**facts, **({"proven": proven} if proven else {})})
    return source


def _stored(attempt: JobAttempt) -> StoredRecords:
    if attempt.feed.operation in _SKIPS:
        return stored.load_hashes(attempt.target, attempt.folder)
    return stored.no_records()
