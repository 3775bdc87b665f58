"""The outcome of a job in one sentence."""

from __future__ import annotations

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from imports.models import ImportJob

State = ImportJob.State


def sentence(job: ImportJob) -> str:
    """What happened to the file, as short as a data manager reads it."""
    if job.undoes_id is not None and job.is_final:
        sentence = job.reason or _("The undo failed. Nothing was changed.")
        later = _("This undo was undone itself later.")
        return f"{sentence} {later}" if job.is_undone else sentence
    if job.is_undone:
        return _("It was imported and undone later: see the undo below for what was restored.")
    if job.state in (State.INCOMPLETE, State.FAILED) and (came := corrected_by(job)):
        return _corrected(job, came)
    if job.state == State.COMPLETE:
        return _complete(job)
    if job.state == State.INCOMPLETE:
        return _incomplete(job)
    if job.state == State.FAILED:
        return _failed(job)
    if job.state == State.READY and job.waits_until is not None:
        return _(
            "Rows of the file refer to records that are not there yet. It waits some minutes for"
            " them, and is then imported."
        )
    return str(_WORDS[State(job.state)]())


def corrected_by(job: ImportJob) -> list[ImportJob]:
    """The jobs of corrected files that came for this one, oldest first."""
    return list(job.corrections.order_by("pk"))


def _corrected(job: ImportJob, later: list[ImportJob]) -> str:
    rejected = (
        _("Nothing was imported from this file.")
        if job.state == State.FAILED
        else ngettext(
            "One row was rejected; the others are in the store.",
            "%(n)s of %(all)s rows were rejected; the others are in the store.",
            job.rows_rejected,
        )
        % {"n": intcomma(job.rows_rejected), "all": intcomma(job.rows_read)}
    )
    state = later[-1].get_state_display()
    return f"{rejected} " + _("A corrected file came later: %(state)s.") % {"state": state}


def is_plan(job: ImportJob) -> bool:
    """Whether the job's numbers are of a plan: nothing was done, or nothing yet."""
    return job.state in (State.HELD, State.DISCARDED, State.PLANNED)


def counts(job: ImportJob) -> list[tuple[str, str, int]]:
    """The job's numbers of rows with their words: of what was done, or only of what would be."""
    if job.state == State.DISCARDED:
        effects = (
            _("Would have been created"),
            _("Would have been updated"),
            _("Would have been removed"),
        )
    elif is_plan(job):
        effects = _("Create"), _("Update"), _("Remove")
    else:
        effects = _("Created"), _("Updated"), _("Removed")
    created, updated, removed = effects
    return [
        ("read", _("Read"), job.rows_read),
        ("created", created, job.rows_created),
        ("updated", updated, job.rows_updated),
        ("unchanged", _("Unchanged"), job.rows_unchanged),
        ("removed", removed, job.rows_removed),
        ("rejected", _("Rejected"), job.rows_rejected),
    ]


def _complete(job: ImportJob) -> str:
    changed = job.rows_created + job.rows_updated + job.rows_removed
    if job.rows_read and not changed:
        return _(
            "Every row was accepted. Nothing had to change: the store already has all of them."
        )
    return ngettext(
        "The only row was accepted and is in the store.",
        "All %(n)s rows were accepted and are in the store.",
        job.rows_read,
    ) % {"n": intcomma(job.rows_read)}


def _incomplete(job: ImportJob) -> str:
    return ngettext(
        "One row was rejected; the others are in the store. Correct it in the error "
        "attachment and send that file.",
        "%(n)s of %(all)s rows were rejected; the others are in the store. Correct them in the "
        "error attachment and send that file.",
        job.rows_rejected,
    ) % {"n": intcomma(job.rows_rejected), "all": intcomma(job.rows_read)}


def _failed(job: ImportJob) -> str:
    if job.fault == ImportJob.Fault.PORTAL:
        return _("Nothing was changed. The problem is on our side, not in the file.")
    return _("Nothing was changed: the file cannot be imported as it is.")


_WORDS = {
    State.READY: lambda: _(
        "The file is waiting for its turn. Files of an institution are processed in order."
    ),
    State.RUNNING: lambda: _("The file is being imported."),
    State.ERRORED: lambda: _(
        "Something went wrong on our side. It is retried automatically; you do not need "
        "to do anything."
    ),
    State.HELD: lambda: _(
        "Nothing has been changed yet. The import is waiting for somebody to decide."
    ),
    State.DISCARDED: lambda: _("Somebody discarded this import. Nothing was changed."),
    State.PLANNED: lambda: _("This was a dry run: the counts show what would happen."),
}
