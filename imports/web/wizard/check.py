"""The last steps: validate the whole file, see the plan, then process or save a template."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imports.drafts import keeping, receiving, running, sampling
from imports.jobs import queries
from imports.mapping.differences import source_words
from imports.mapping.spec import BadSpec, Spec, parse
from imports.models import ImportDraft, ImportJob
from imports.templates.rules import TemplateIdentity, offered_accounts
from imports.web import progress
from imports.web.wizard import frame
from portal.changes import ChangedMeanwhile
from portal.faults import Refused
from portal.models import Account, Role
from portal.web import acting, live
from portal.web.permissions import TenantRequest, require

State = ImportJob.State
_ROWS = 5
_FIELDS = 12


@require_GET
@require(Role.ADMIN)
def check(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """The result of the validation, live while it runs."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    context = {
        "section": "new",
        "draft": draft,
        "steps": frame.steps(draft, "draft-check"),
        "problems": frame.problems(draft),
        **_validation(draft),
    }
    return live.page(request, "imports/wizard/check.html", "imports/wizard/_check.html", context)


def _validation(draft: ImportDraft) -> dict[str, Any]:
    job = draft.dry_run
    if job is None:
        return {"job": None, "every": 0}
    moving = job.state in queries.UNFINISHED
    ended = {} if moving or job.state != State.PLANNED else _plan(draft, job)
    return {
        "job": job,
        "moving": moving,
        "every": 1 if moving else 0,
        "progress": progress.of(job, timezone.now()),
        "current": running.is_current(draft),
        "groups": [] if moving else _groups(job),
        "counts": _counts(job),
        **ended,
    }


def _counts(job: ImportJob) -> list[tuple[str, str, int]]:
    return [
        ("created", _("Create"), job.rows_created),
        ("updated", _("Update"), job.rows_updated),
        ("unchanged", _("Unchanged"), job.rows_unchanged),
        ("removed", _("Remove"), job.rows_removed),
        ("rejected", _("Reject"), job.rows_rejected),
    ]


def _groups(job: ImportJob) -> list[dict[str, Any]]:
    return [
        {"group": group, "examples": [pair for pair in group.examples if len(pair) == 2][:5]}
        for group in queries.issue_groups(job)
    ]


def _plan(draft: ImportDraft, job: ImportJob) -> dict[str, Any]:
    """The first rows as they will be stored, beside the cells of the file."""
    detail = job.plan_detail or {}
    try:
        spec = parse(job.spec or {})
        sample = sampling.take(draft, spec.reading)
    except BadSpec:
        return {}
    rows = dict(sample.rows)
    header = [name.strip() for name in sample.header]
    return {
        "creates": [
            _created(record, spec, header, rows) for record in detail.get("creates", [])[:_ROWS]
        ],
        "updates": detail.get("updates", []),
        "removes": detail.get("removes", [])[:_ROWS],
    }


def _created(
    plan: dict[str, Any], spec: Spec, header: list[str], rows: dict[int, tuple[str, ...]]
) -> dict[str, Any]:
    """One new record: each field with the cells it comes from and the value that is stored."""
    row = rows.get(plan["line"] or 0)
    pairs = []
    for name, value in list(plan["record"].items())[:_FIELDS]:
        field = spec.fields.get(name)
        cells = _cells(field.columns, header, row) if field and row else None
        pairs.append({"name": name, "cells": cells, "stored": value, "by": source_words(field)})
    return {"line": plan["line"], "key": plan["key"].replace("\x1f", " / "), "pairs": pairs}


def _cells(columns: Sequence[str], header: list[str], row: tuple[str, ...]) -> str | None:
    """The row's cells of these columns as one text; None where the file has none of them."""
    places = [header.index(name) for name in columns if name in header]
    return " | ".join(row[at] for at in places if at < len(row)) if places else None


@require_POST
@require(Role.ADMIN)
def validate(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Run the whole file through the engine as a dry run."""
    draft = frame.draft_of(request, uid)
    try:
        running.validate(draft, request.user, frame.version(request))
    except keeping.DraftChanged:
        frame.warn_changed(request, draft)
    except Refused as refused:
        frame.show_reasons(request, refused)
        return redirect("draft-map", uid)
    return redirect("draft-check", uid)


def _initial(draft: ImportDraft) -> dict[str, Any]:
    template = draft.template
    if template is None:
        name = draft.file_name.rpartition(".")[0] or draft.file_name
        names, account = [draft.file_name], receiving.sender(draft)
    else:
        name, names, account = template.name, template.file_names, template.account_id
    return {"name": name, "file_names": "\n".join(names), "account": account}


class TemplateForm(forms.Form):
    """A template's name and the files it is for.

    based_on: the version of the template that the page shows, or the sent page showed.
    identity_seen: likewise of its name, account and file names.
    """

    name = forms.CharField(
        label=gettext_lazy("Name of the template"),
        max_length=200,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    file_names = forms.CharField(
        label=gettext_lazy("File names"),
        help_text=gettext_lazy(
            "One per line. Names must match exactly, including uppercase letters and the extension."
        ),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 2, "spellcheck": "false"}),
    )
    account = forms.ModelChoiceField(
        label=gettext_lazy("Files sent by"),
        queryset=Account.objects.none(),
        required=False,
        empty_label=gettext_lazy("Nobody: uploads on this page only"),
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    def __init__(self, data: Any, request: TenantRequest, draft: ImportDraft) -> None:
        super().__init__(data, initial=_initial(draft))
        self.based_on = (
            running.template_version(draft) if data is None else acting.based_on(request)
        )
        self.identity_seen = (
            running.identity_digest(draft) if data is None else data.get("identity_seen", "")
        )
        accounts = offered_accounts(request.tenant)
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]

    def identity(self) -> TemplateIdentity:
        """What was filled in; the form must be valid."""
        data = self.cleaned_data
        names = tuple(data["file_names"])
        return TemplateIdentity(name=data["name"], account=data["account"], file_names=names)

    def clean_file_names(self) -> list[str]:
        """The names, each once. Raises ValidationError for what cannot be a file's name."""
        lines = str(self.cleaned_data["file_names"]).splitlines()
        names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        if any("/" in name or "\\" in name or len(name) > 255 for name in names):
            raise forms.ValidationError(_("A file name has no folder and at most 255 characters."))
        if len(names) > 100:
            raise forms.ValidationError(_("At most 100 names."))
        return names


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def finish(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Process the file, or save the import as a template."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    form = TemplateForm(request.POST if request.method == "POST" else None, request, draft)

    def show(status: int) -> HttpResponse:
        job = draft.dry_run
        context = {
            "form": form,
            "problems": frame.problems(draft),
            "checked": job if job and running.is_current(draft) else None,
            "planned": bool(job and job.state == State.PLANNED and running.is_current(draft)),
            "doubt": running.doubt(draft),
            "counts": _counts(job) if job else [],
        }
        return frame.page(request, "finish", draft, "draft-finish", context, status)

    return frame.answer(request, draft, lambda: _save(request, draft, form), show)


def _save(request: TenantRequest, draft: ImportDraft, form: TemplateForm) -> HttpResponse:
    """Save a template, or its next version. Raises frame.NotSaved, keeping.DraftChanged."""
    if not form.is_valid():
        raise frame.NotSaved
    actor, version = acting.actor(request), frame.version(request)
    if (doubt := running.doubt(draft)) and "unvalidated" not in request.POST:
        form.add_error(None, str(doubt))
        raise frame.NotSaved
    try:
        saved = running.save_template(
            draft,
            actor,
            version,
            form.identity(),
            based_on=form.based_on,
            identity_seen=form.identity_seen,
        )
    except keeping.DraftChanged:
        raise
    except ChangedMeanwhile as changed:
        # Saving again is then a decision: the page has said what differs.
        form.based_on = changed.number
        form.identity_seen = running.identity_digest(draft)
        form.add_error(None, acting.changed_words(changed))
        raise frame.NotSaved(409) from changed
    except (running.NotReady, BadSpec) as unready:
        form.add_error(None, " ".join(unready.sentences[:5]))
        raise frame.NotSaved from unready
    except Refused as refused:
        for fault in refused.faults:
            field = fault.path[0] if fault.path else None
            form.add_error(str(field) if field in form.fields else None, str(fault))
        raise frame.NotSaved from refused
    words = _("Saved as template “%(name)s”, version %(number)s.")
    messages.success(request, words % {"name": saved.template.name, "number": saved.number})
    return redirect("draft-finish", draft.uid)


@require_POST
@require(Role.ADMIN)
def process(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Carry out the plan that the validation showed."""
    draft = frame.draft_of(request, uid)
    try:
        job = running.process(
            draft,
            acting.actor(request),
            frame.version(request),
            agreed="agreed" in request.POST,
        )
    except keeping.DraftChanged:
        frame.warn_changed(request, draft)
        return redirect("draft-finish", uid)
    except Refused as refused:
        frame.show_reasons(request, refused)
        return redirect("draft-check", uid)
    messages.success(request, _("The file will be imported in a moment."))
    return redirect("job", job.uid)
