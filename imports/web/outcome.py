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
        return job.reason or _("The undo failed; nothing was changed.")
    if job.state == State.COMPLETE:
        return _complete(job)
    if job.state == State.INCOMPLETE:
        return _incomplete(job)
    if job.state == State.FAILED:
        return _failed(job)
    return str(_WORDS[State(job.state)]())


def _complete(job: ImportJob) -> str:
    changed = job.rows_created + job.rows_updated + job.rows_removed
    if job.rows_read and not changed:
        return _("Every row was accepted, and nothing had to change: the store has it all already.")
    return ngettext(
        "The one row was accepted and is in the store.",
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
        return _("Nothing was changed. The fault is ours, not the file's.")
    return _("Nothing was changed: the file cannot be imported as it is.")


_WORDS = {
    State.READY: lambda: _("The file waits for its turn; files of one institution run in order."),
    State.RUNNING: lambda: _("The file is being imported."),
    State.ERRORED: lambda: _(
        "Something went wrong on our side. It is tried again by itself; you need do nothing."
    ),
    State.HELD: lambda: _("Nothing was changed yet: the import waits for a person to decide."),
    State.DISCARDED: lambda: _("A person gave this import up. Nothing was changed."),
    State.PLANNED: lambda: _("This was a dry run: the counts show what would happen."),
}
