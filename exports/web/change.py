"""The export form: a new export, and a change of one. Its rows work without script as well."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from exports import define, names, queries
from exports import servers as acts
from exports.define import Definition
from exports.models import Export
from exports.web import draft as drafts
from exports.web import preview, rows, words
from exports.web.draft import Draft
from exports.web.server_forms import UrlForm
from portal.changes import ChangedMeanwhile
from portal.faults import Refused
from portal.models import Role
from portal.web import form_faults
from portal.web.acting import actor, changed_words, or_404
from portal.web.permissions import TenantRequest, require

_SAVING = ("save", "start")


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def export_new(request: TenantRequest) -> HttpResponse:
    """Define an export. `server` and `path` in the address: its first destination."""
    if request.method == "POST":
        return _sent(request, None)
    given = request.GET.get("server", ""), request.GET.get("path", "")
    return _show(request, None, drafts.new(request.tenant, *given))


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def export_change(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Change an export."""
    export = or_404(queries.export(request.tenant, uid))
    if request.method == "POST":
        return _sent(request, export)
    return _show(request, export, drafts.from_export(export))


def _sent(request: TenantRequest, export: Export | None) -> HttpResponse:
    do = request.POST.get("do", "save")
    draft = drafts.from_request(request.tenant, request.POST, saving=do in _SAVING)
    if do == "url":
        is_added = _add_place(request, draft)
        return _show(request, export, draft, 200 if is_added else 422)
    if do not in _SAVING:
        draft.press(do)
        return _show(request, export, draft)
    definition = draft.definition()
    if definition is None:
        return _show(request, export, draft, 422)
    return _saved(request, export, draft, definition, start=do == "start")


def _add_place(request: TenantRequest, draft: Draft) -> bool:
    """Make a destination of the pasted URL; False where it cannot be used, which the form shows."""
    if not draft.url.is_valid():
        return False
    try:
        folder = acts.from_url(request.tenant, actor(request), draft.url.cleaned_data["address"])
    except Refused as refused:
        draft.url.add_error("url", str(refused))
        return False
    draft.places.append(rows.PlaceRow(str(folder.server.uid), folder.path, focus="path"))
    draft.url = UrlForm()
    draft.message = _("The destination was added. Save the export to keep it.")
    return True


def _saved(
    request: TenantRequest,
    export: Export | None,
    draft: Draft,
    definition: Definition,
    *,
    start: bool,
) -> HttpResponse:
    try:
        if export is None:
            export = define.create(request.tenant, actor(request), definition)
        else:
            define.change(export, actor(request), definition, based_on=draft.version)
    except ChangedMeanwhile as changed:
        # To save again is then a decision: the page shows what differs.
        draft.version = changed.number
        draft.form.add_error(None, changed_words(changed, _labels(draft)))
        return _show(request, export, draft, 409)
    except Refused as refused:
        form_faults.add(draft.form, refused)
        return _show(request, export, draft, 422)
    messages.success(request, _("Saved."))
    if start:
        _start(request, export)
    return redirect("export", export.uid)


def _labels(draft: Draft) -> dict[str, str]:
    """What the page calls the parts of an export."""
    labels = {name: str(field.label) for name, field in draft.form.fields.items()}
    return labels | {
        "source": _("What is sent"),
        "columns": _("Columns"),
        "destinations": _("Destinations"),
    }


def _start(request: TenantRequest, export: Export) -> None:
    try:
        define.start(export, actor(request), timezone.now())
    except Refused as refused:
        messages.error(request, _("Not started: %(why)s") % {"why": refused})


def _show(
    request: TenantRequest, export: Export | None, draft: Draft, status: int = 200
) -> HttpResponse:
    draft.show()
    context = {
        "section": "exports",
        "export": export,
        "draft": draft,
        "form": draft.form,
        "paths": draft.samples().paths,
        "parts": {part: words.PARTS[part] for part in names.PARTS},
        "servers": list(draft.servers.values()),
        "preview": preview.of_form(draft.form, draft.source, export),
        "here": request.get_full_path()
        if request.method == "GET"
        else reverse("export-change", args=[export.uid])
        if export
        else reverse("export-new"),
    }
    return render(request, "exports/form.html", context, status=status)
