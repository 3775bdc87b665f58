"""The last steps: validate the whole file, see what would happen, then process it or save it."""

from __future__ import annotations

import uuid
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
from imports.mapping.differences import source
from imports.mapping.spec import BadSpec, Spec, parse
from imports.models import ImportDraft, ImportJob
from imports.templates.rules import Refused
from imports.web import progress
from imports.web.wizard import frame
from imports.web.wizard.mapping import problems
from portal.models import Account, Role
from portal.web import address, live
from portal.web.permissions import TenantRequest, require

State = ImportJob.State
_ROWS = 5
_FIELDS = 12


@require_GET
@require(Role.ADMIN)
def check(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """What the validation found, live while it runs."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    context = {
        "section": "new",
        "draft": draft,
        "steps": frame.steps(draft, "draft-check"),
        "problems": problems(draft),
        **_found(request, draft),
    }
    return live.page(request, "imports/wizard/check.html", "imports/wizard/_check.html", context)


def _found(request: TenantRequest, draft: ImportDraft) -> dict[str, Any]:
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
    """The first rows as they will be stored, beside what the file says."""
    detail = job.plan_detail or {}
    try:
        spec = parse(job.spec or {})
        sample = sampling.take(draft, spec.reading)
    except BadSpec:
        return {}
    rows = dict(sample.rows)
    header = [name.strip() for name in sample.header]
    return {
        "creates": [_stored(one, spec, header, rows) for one in detail.get("creates", [])[:_ROWS]],
        "updates": detail.get("updates", []),
        "removes": detail.get("removes", [])[:_ROWS],
    }


def _stored(
    one: dict[str, Any], spec: Spec, header: list[str], rows: dict[int, tuple[str, ...]]
) -> dict[str, Any]:
    """One new record: each field, what the file says for it, and what is stored."""
    cells = rows.get(one["line"] or 0)
    pairs = []
    for name, value in list(one["record"].items())[:_FIELDS]:
        made = spec.fields.get(name)
        said = _said(made.columns, header, cells) if made and cells else None
        pairs.append({"name": name, "said": said, "stored": value, "by": source(made)})
    return {"line": one["line"], "key": one["key"].replace("\x1f", " / "), "pairs": pairs}


def _said(columns: Any, header: list[str], cells: tuple[str, ...]) -> str | None:
    places = [header.index(name) for name in columns if name in header]
    return " | ".join(cells[at] for at in places if at < len(cells)) if places else None


@require_POST
@require(Role.ADMIN)
def validate(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Run the whole file through the engine as a dry run."""
    draft = frame.draft_of(request, uid)
    try:
        running.validate(draft, request.user, frame.version(request))
    except running.NotReady as waiting:
        for reason in waiting.reasons[:5]:
            messages.error(request, reason)
        return redirect("draft-map", uid)
    except keeping.Stale:
        frame.told_late(request, draft)
    return redirect("draft-check", uid)


class TemplateForm(forms.Form):
    """What a template is called, and which files it is for."""

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
        made = draft.template
        super().__init__(data, initial={
            "name": made.name if made else draft.file_name.rpartition(".")[0] or draft.file_name,
            "file_names": "\n".join(made.file_names if made else [draft.file_name]),
            "account": made.account_id if made else receiving.sender(draft),
        })  # fmt: skip
        accounts = Account.objects.filter(tenant=request.tenant).order_by("username")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]

    def clean_file_names(self) -> list[str]:
        """The names, each once. Raises ValidationError for what no file can be called."""
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
    status = _saved(request, draft, form) if request.method == "POST" else 200
    if status == 302:
        return redirect("draft-finish", uid)
    job = draft.dry_run
    context = {
        "form": form,
        "problems": problems(draft),
        "checked": job if job and running.is_current(draft) else None,
        "planned": bool(job and job.state == State.PLANNED and running.is_current(draft)),
        "counts": _counts(job) if job else [],
    }
    return frame.page(request, "finish", draft, "draft-finish", context, status)


def _saved(request: TenantRequest, draft: ImportDraft, form: TemplateForm) -> int:
    if not form.is_valid():
        return 422
    client = address.client(request) or None
    try:
        made = running.save_template(
            draft, request.user, frame.version(request), client, **form.cleaned_data
        )
    except running.NotReady as waiting:
        form.add_error(None, " ".join(waiting.reasons[:5]))
        return 422
    except Refused as refused:
        for fault in refused.faults:
            form.add_error(_place(fault), fault)
        return 422
    except keeping.Stale:
        frame.told_late(request, draft)
        return 409
    words = _("Saved as template “%(name)s”, version %(number)s.")
    messages.success(request, words % {"name": made.template.name, "number": made.number})
    return 302


def _place(fault: str) -> str:
    """The field that what speaks against a template is about."""
    return "name" if fault.startswith(("name:", "There is a template named")) else "file_names"


@require_POST
@require(Role.ADMIN)
def process(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Carry out what the validation showed."""
    draft = frame.draft_of(request, uid)
    try:
        job = running.process(
            draft, request.user, frame.version(request), address.client(request) or None,
            agreed="agreed" in request.POST,
        )  # fmt: skip
    except running.NotReady as waiting:
        for reason in waiting.reasons[:5]:
            messages.error(request, reason)
        return redirect("draft-check", uid)
    except keeping.Stale:
        frame.told_late(request, draft)
        return redirect("draft-finish", uid)
    messages.success(request, _("The file will be imported in a moment."))
    return redirect("job", job.uid)
