"""What the sender reads in the folder: a few lines of plain text, and the same as data.

The first word is a state that scripts test (docs/senders.md); it comes before the file's name,
which may hold any of these words. `docs/result.schema.json` describes the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from imports.check.characters import visible
from imports.collect import advice
from imports.models import ArrivalFile, ImportJob
from portal.models import Tenant

VERSION = 1
_WORDS = {
    ImportJob.State.COMPLETE: "complete",
    ImportJob.State.INCOMPLETE: "incomplete",
    ImportJob.State.FAILED: "failed",
    ImportJob.State.HELD: "held",
    ImportJob.State.DISCARDED: "discarded",
    ImportJob.State.PLANNED: "dry run",
}
UNDONE = "undone"
_COUNTS = ("read", "created", "updated", "unchanged", "removed", "rejected")
_CHANGES = ("created", "updated", "removed")
_MOST_GROUPS = 20
_SHOWN_VALUE = 40


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one file or manifest.

    name: as it was sent. state: the first word. lines: of a manifest, those that are not valid.
    lost: uploads of that name that were overwritten before they were taken. attachment: name of
    the file with the rejected rows beside it; empty without one.
    """

    tenant: Tenant
    state: str
    name: str
    reason: str = ""
    todo: str = ""
    file: ArrivalFile | None = None
    job: ImportJob | None = None
    attachment: str = ""
    lines: tuple[ArrivalFile, ...] = ()
    lost: tuple[ArrivalFile, ...] = ()
    size: int | None = None
    written: datetime = field(default_factory=timezone.now)

    def moment(self, at: datetime | None) -> str:
        """To the second, in the institution's zone, which is named."""
        if at is None:
            return "-"
        return f"{at.astimezone(self.tenant.zone):%Y-%m-%d %H:%M:%S} {self.tenant.zone}"

    def iso(self, at: datetime | None) -> str | None:
        """The same for programs."""
        return at.astimezone(self.tenant.zone).isoformat(timespec="seconds") if at else None


def of_job(file: ArrivalFile, job: ImportJob, attachment: str, **more: Any) -> Receipt:
    """The receipt of a file that a job has ended for, or holds."""
    state, reason = state_of(job), job.reason
    if state == UNDONE:
        reason = (
            "It was imported and undone later; the records are as they were before it, except where"
            " something else has changed them since."
        )
    elif job.state == ImportJob.State.DISCARDED:
        reason = f"A data manager decided against it; nothing was changed. {reason}"
    return Receipt(
        tenant=file.tenant,
        state=state,
        name=file.name,
        reason=reason.strip(),
        todo=advice.of_job(job, attachment, state),
        file=file,
        job=job,
        attachment=attachment,
        **more,
    )


def state_of(job: ImportJob) -> str:
    """What holds of the job now, in the word that senders read."""
    applied = job.state in (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE)
    return UNDONE if applied and job.is_undone else _WORDS[ImportJob.State(job.state)]


def reported(job: ImportJob) -> str:
    """What a receipt is written again for: the state, and whether the rows were sent again."""
    return f"{state_of(job)}{' corrected' if job.correction else ''}"


def text(receipt: Receipt) -> str:
    """The result file's content."""
    lines = [f"{receipt.state}: {receipt.name}"]
    lines += [part for part in (receipt.reason, receipt.todo) if part]
    lines += [line for row in receipt.lost for line in ("", row.reason)]
    lines += ["", *_facts(receipt)]
    if receipt.job is not None:
        lines += ["", *_counts(receipt.job, receipt.state), *_groups(receipt.job)]
    for row in receipt.lines:
        lines += ["", f"{row.problem}: {row.name}", f"  {row.reason}"]
    return "\r\n".join([*lines, ""])


def data(receipt: Receipt) -> str:
    """The same as JSON, for scripts."""
    job, file = receipt.job, receipt.file
    content = {
        "version": VERSION,
        "state": receipt.state.replace(" ", "_"),
        "written": receipt.iso(receipt.written),
        "timeZone": str(receipt.tenant.zone),
        "reason": receipt.reason,
        "todo": receipt.todo,
        "file": {
            "name": receipt.name,
            "size": file.size if file else receipt.size,
            "md5": (file and file.md5) or None,
            "sha256": (file and file.sha256) or None,
            "received": receipt.iso(file.arrival.created_at if file else None),
        },
        "job": _job(receipt, job) if job else None,
        "attachment": receipt.attachment or None,
        "problems": [_problem(group) for group in _all_groups(job)] if job else [],
        "lines": [
            {"line": row.index + 1, "name": row.name, "code": row.problem, "reason": row.reason}
            for row in receipt.lines
        ],
        "replaced": [{"name": row.name, "size": row.size} for row in receipt.lost],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _facts(receipt: Receipt) -> Iterator[str]:
    """Which file, which job and when: a receipt must not be taken for another day's."""
    if receipt.job is not None:
        yield f"       job: {receipt.job.pk}"
    file = receipt.file
    if file is not None:
        yield f"  received: {receipt.moment(file.arrival.created_at)}"
    if receipt.job is not None and receipt.job.finished_at:
        yield f"     ended: {receipt.moment(receipt.job.finished_at)}"
    yield f"   written: {receipt.moment(receipt.written)}"
    size = file.size if file else receipt.size
    if size is not None:
        yield f"     bytes: {size:,}"
    if file is not None and file.md5:
        yield f"       MD5: {file.md5}"
        yield f"   SHA-256: {file.sha256}"


def _counts(job: ImportJob, state: str) -> Iterator[str]:
    """What was done; of a plan that was not carried out, what it would do."""
    planned = state in ("held", "discarded", "dry run")
    for name in _COUNTS:
        words = f"would be {name}" if planned and name in _CHANGES else name
        yield f"{words:>{17 if planned else 10}}: {getattr(job, f'rows_{name}'):,}"


def _groups(job: ImportJob) -> Iterator[str]:
    groups = _all_groups(job)
    for group in groups[:_MOST_GROUPS]:
        where = f" in {group.column}" if group.column else ""
        yield from ("", f"{group.count:,} x {group.code}{where}", f"  {group.message}")
        if at := _places(group.examples):
            yield f"  Lines: {', '.join(at)}" + (", …" if group.count > len(at) else "")
    if len(groups) > _MOST_GROUPS:
        yield from ("", f"And {len(groups) - _MOST_GROUPS:,} more causes; the .json file has them.")


def _places(examples: list[list[Any]]) -> list[str]:
    """The lines of a group; with their values where the message has only the first of several."""
    values = {value for line, value in examples if line}
    if len(values) < 2:
        return [str(line) for line, _ in examples if line]
    return [f'{line} "{_shown(value)}"' for line, value in examples if line]


def _shown(value: str) -> str:
    text = visible(value)
    return text if len(text) <= _SHOWN_VALUE else f"{text[:_SHOWN_VALUE]}…"


def _all_groups(job: ImportJob) -> list[Any]:
    return list(job.issue_groups.order_by("-count", "pk"))


def _job(receipt: Receipt, job: ImportJob) -> dict[str, Any]:
    return {
        "number": job.pk,
        "id": str(job.uid),
        "final": job.is_final,
        "fault": job.fault or None,
        "ended": receipt.iso(job.finished_at),
        "applied": receipt.state in ("complete", "incomplete"),
        "rows": {name: getattr(job, f"rows_{name}") for name in _COUNTS},
    }


def _problem(group: Any) -> dict[str, Any]:
    return {
        "severity": group.severity,
        "code": group.code,
        "column": group.column or None,
        "count": group.count,
        "message": group.message,
        "lines": [line for line, _ in group.examples if line],
    }
