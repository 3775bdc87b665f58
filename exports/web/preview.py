"""What htmx shows beside the export form's fields: the file's name, and values at a path."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from exports import forms, layout, names, samples, windows
from exports.models import Export
from exports.web import draft as drafts
from exports.web import rows
from portal.faults import Refused
from portal.models import Role
from portal.web.permissions import TenantRequest, require


@dataclass(frozen=True, slots=True)
class Preview:
    """The name that tonight's file would have, or what is wrong with the pattern."""

    name: str = ""
    faults: tuple[str, ...] = ()


@require_GET
@require(Role.ADMIN)
def name_preview(request: TenantRequest) -> HttpResponse:
    """Show the name that the fields of the form give; the form may be unfinished."""
    form = forms.ExportForm(drafts.types(request.tenant), request.GET)
    form.is_valid()
    values = {name: request.GET.get(name, "") for name in form.fields}
    shown = _preview(values, form.source(), None)
    return render(request, "exports/_name_preview.html", {"preview": shown})


def of_form(form: forms.ExportForm, source: Mapping[str, Any], export: Export | None) -> Preview:
    """The name that a form gives, as it was sent or filled in for the first time."""
    values = {name: form[name].value() or "" for name in form.fields}
    return _preview(values, source, export.uid if export else None)


def _preview(
    values: Mapping[str, Any], source: Mapping[str, Any], uid: uuid.UUID | None
) -> Preview:
    pattern, fmt = str(values["name_pattern"]), str(values["format"])
    packed = str(values["compression"])
    try:
        extension = names.extension(fmt, packed)
        zone = windows.zone_of(str(values["time_zone"])).key
    except (KeyError, Refused):
        return Preview()
    if faults := names.check(pattern, fmt, packed):
        return Preview(faults=tuple(map(str, faults)))
    event = layout.event_part(source, str(values["name"]))
    name = names.preview(pattern, event=event, zone=zone, extension=extension, export_uid=uid)
    return Preview(name)


@require_GET
@require(Role.ADMIN)
def sample(request: TenantRequest) -> HttpResponse:
    """Show values at the typed path, or that no sample has it."""
    form = forms.ExportForm(drafts.types(request.tenant), request.GET)
    form.is_valid()
    number = request.GET.get("number", "")
    number = number if number.isascii() and number.isdigit() and len(number) < 4 else "0"
    kind = request.GET.get(f"column-{number}-kind", "path")
    row = rows.ColumnRow("", kind, request.GET.get(f"column-{number}-value", "").strip())
    rows.show_samples([row], samples.newest(request.tenant, form.source()))
    return render(request, "exports/_samples.html", {"row": row})
