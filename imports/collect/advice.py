"""What a sender is to do about an outcome: one sentence or two, only where there is something."""

from __future__ import annotations

from imports.issues import Code
from imports.models import ImportJob
from portal.models import Drop

State = ImportJob.State

UNREADABLE_MANIFEST = (
    "Nothing that it may name was imported. Correct it and send it again with the extension .done; "
    "the data files that are here need not be sent again."
)
INVALID_LINES = (
    "The lines below were not imported{others}. Send the files of these lines and a new manifest "
    "that names them."
)


def of_lines(invalid: int, lines: int) -> str:
    """What to do about a manifest of which some lines are not valid, or all of them."""
    return INVALID_LINES.format(
        others="; each of the others has its own result" * (invalid < lines)
    )


def of_job(job: ImportJob, attachment: str, state: str) -> str:
    """What to do about a job's file. attachment: name of the file with the rejected rows."""
    if state == "held":
        return "Nothing is imported until a data manager releases it. Do not send it again."
    if job.state == State.FAILED and job.fault == ImportJob.Fault.PORTAL:
        return "The file is kept and can be tried again; it need not be sent again."
    if state not in ("incomplete", "failed"):
        return ""
    if job.correction is not None:
        return _corrected(job.correction)
    if attachment:
        how = "put that file back here under its name"
        return f"The rejected rows are in {attachment}: correct them and {how}{_manifest(job)}."
    if job.state != State.FAILED or job.undoes_id is not None:
        return ""
    if needs_template(job):
        return (
            "The file need not be changed for that: somebody who makes templates for your "
            f"institution corrects the template; then send the file again{_manifest(job)}."
        )
    if job.issue_groups.filter(code=Code.OTHER_FEED).exists():
        return "The file need not be changed for that."
    return f"Correct the file and send it again{_manifest(job)}."


def _corrected(later: ImportJob) -> str:
    """Of rows that were sent again."""
    return (
        f"Its rejected rows came again in {later.file_name} (job {later.pk}), which is "
        f"{later.get_state_display().lower()}: see the result of that file."
    )


def needs_template(job: ImportJob) -> bool:
    """Whether it is the template that must be corrected, and not the file."""
    return job.issue_groups.filter(code=Code.BAD_TEMPLATE).exists()


def by_manifest(job: ImportJob) -> bool:
    """Whether the job's file came with a manifest."""
    row = job.arrival_file
    return row is not None and row.arrival.drop.protocol == Drop.Protocol.MANIFEST


def _manifest(job: ImportJob) -> str:
    return ", with a manifest that names it" if by_manifest(job) else ""
