"""What the sender reads in the folder after an import: a few lines of plain text.

The first word is complete, incomplete, failed or held (docs/senders.md); scripts test it. It comes
before the file's name, which may hold any of these words.
"""

from __future__ import annotations

from imports.models import ImportJob

_WORDS = {
    ImportJob.State.COMPLETE: "complete",
    ImportJob.State.INCOMPLETE: "incomplete",
    ImportJob.State.FAILED: "failed",
    ImportJob.State.HELD: "held",
    ImportJob.State.DISCARDED: "discarded",
    ImportJob.State.PLANNED: "dry run",
}


def text(job: ImportJob, errors_file: str) -> str:
    """The result file's content. errors_file: name of the attachment beside it, or empty."""
    lines = [f"{_WORDS[ImportJob.State(job.state)]}: {job.file_name}"]
    if job.reason:
        lines.append(job.reason)
    if job.state == ImportJob.State.HELD:
        lines.append("Nothing is imported until a data manager releases it. Do not send it again.")
    lines += ["", *_counts(job)]
    for group in job.issue_groups.order_by("-count")[:20]:
        where = f" in {group.column}" if group.column else ""
        lines += ["", f"{group.count:,} x {group.code}{where}", f"  {group.message}"]
        at = [str(line) for line, _ in group.examples if line]
        if at:
            lines.append(f"  Lines: {', '.join(at)}" + (", …" if group.count > len(at) else ""))
    if errors_file:
        how = "send that file"
        if job.template_version_id:
            how = f"send them under the name {job.file_name}"
        lines += ["", f"The rejected rows are in {errors_file}: correct them and {how}."]
    return "\r\n".join([*lines, ""])


def unmatched(name: str, reason: str) -> str:
    """The result file's content for a file that no import template names."""
    return "\r\n".join([f"unmatched: {name}", reason, ""])


def _counts(job: ImportJob) -> list[str]:
    names = ("read", "created", "updated", "unchanged", "removed", "rejected")
    return [f"{name:>10}: {getattr(job, f'rows_{name}'):,}" for name in names]
