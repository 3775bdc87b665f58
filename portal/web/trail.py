"""The audit trail of the tenant: who did what and when, as a list with filters and as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal import audit, slices
from portal.audit import ACTIONS, TrailFilter
from portal.models import AuditEntry, Role
from portal.people_csv import streamed
from portal.web import address
from portal.web.permissions import TenantRequest, require
from portal.web.timelines import TimelineForm, newest

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_AT_ONCE = 1_000
_LONGEST = 200  # characters of a detail on the page


class TrailFilterForm(TimelineForm):
    """The act, who did it, what it was done to, and days in the tenant's zone."""

    action = forms.ChoiceField(
        label=_("Action"),
        required=False,
        choices=[("", _("Anything")), *ACTIONS.items()],
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    who = forms.CharField(
        label=_("E-mail of the person"),
        required=False,
        max_length=254,
        widget=forms.TextInput(attrs=_TEXT),
    )
    what = forms.CharField(
        label=_("Name of the target"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_TEXT),
    )


@require_GET
@require(Role.ADMIN)
def trail(request: TenantRequest) -> HttpResponse:
    """The acts, the newest first."""
    form = TrailFilterForm(request.GET)
    only = TrailFilter(**form.chosen())
    part = newest(request, audit.entries(request.tenant, only))
    context = {
        "section": "trail",
        "form": form,
        "part": part,
        "rows": [(entry, _label(entry), _details(entry)) for entry in part.rows],
        "filtered": only != TrailFilter(),
    }
    return render(request, "portal/trail.html", context)


@require_GET
@require(Role.ADMIN)
def trail_csv(request: TenantRequest) -> StreamingHttpResponse:
    """The filtered trail as a CSV file for people, streamed, newest first."""
    form = TrailFilterForm(request.GET)
    rows = audit.entries(request.tenant, TrailFilter(**form.chosen()))
    audit.record(
        request.tenant.pk,
        "trail.download",
        user=request.user,
        address=address.client(request) or None,
    )
    zone = timezone.get_current_timezone()
    name = f"audit-{timezone.localtime():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        streamed(
            CSV_HEADER, ((_csv_cells(entry, zone) for entry in batch) for batch in _batches(rows))
        ),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


CSV_HEADER = ("at", "who", "address", "action", "subject", "detail")


def _batches(rows: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    after = ""
    while True:
        part = slices.newest_first(rows, after, "", _AT_ONCE)
        yield part.rows
        if not (after := part.after):
            return


def _csv_cells(entry: AuditEntry, zone: tzinfo) -> list[str]:
    detail = "; ".join(f"{name}: {value}" for name, value in _details(entry, None))
    return [
        entry.at.astimezone(zone).isoformat(timespec="seconds"),
        entry.user.email if entry.user else "",
        entry.address or "",
        entry.action,
        entry.subject,
        detail,
    ]


def _label(entry: AuditEntry) -> Any:
    return ACTIONS.get(entry.action, entry.action)


def _details(entry: AuditEntry, most: int | None = _LONGEST) -> list[tuple[str, str]]:
    """The details of an entry, as texts."""
    detail = entry.detail if isinstance(entry.detail, dict) else {}
    return [(name, _text(value)[:most]) for name, value in detail.items() if _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {_text(part)}" for name, part in value.items() if part or part == 0
        )
    return "" if value is None else str(value)
