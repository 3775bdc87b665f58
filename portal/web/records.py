"""Pages of the record store: types, lists with search, one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.models import Record, RecordKind, Role
from portal.records import search
from portal.records.catalog import catalog
from portal.records.definitions import RecordType
from portal.slices import Slice
from portal.web import labels
from portal.web.permissions import TenantRequest, require

_COLUMNS = 5


@require_GET
@require(Role.VIEWER)
def type_list(request: TenantRequest) -> HttpResponse:
    """Every record type with the number of its records, by pack."""
    counts = search.counts(request.tenant)
    packs = [
        {
            "pack": pack,
            "types": [(t, counts.get(t.name)) for t in pack.record_types],
        }
        for pack in catalog().packs
    ]
    context = {"section": "records", "packs": packs, "empty": not counts}
    return render(request, "portal/records.html", context)


@dataclass(frozen=True, slots=True)
class Matches:
    """The records that the list shows. how: "all", "key", "fields" or "slow"."""

    part: Slice[Record]
    how: str


@require_GET
@require(Role.VIEWER)
def record_list(request: TenantRequest, name: str) -> HttpResponse:
    """The records of a type by key; `q` is searched in the start of keys, then in all fields."""
    definition = _type(name)
    query = request.GET.get("q", "").strip().replace("\x00", "")[:200]
    kind = RecordKind.objects.filter(name=name).first()
    matches = _find(request, definition, kind, query) if kind else Matches(Slice([]), "all")
    columns = _columns(definition)
    context = {
        "section": "records",
        "type": definition,
        "columns": columns,
        "rows": [(r, [_shown(r.data.get(f.name)) for f in columns]) for r in matches.part.rows],
        "part": matches.part,
        "how": matches.how,
        "query": query,
        "everywhere": "everywhere" in request.GET,
        "count": search.counts(request.tenant).get(name),
    }
    return render(request, "portal/record_list.html", context)


def _find(request: TenantRequest, definition: RecordType, kind: RecordKind, query: str) -> Matches:
    tenant, params = request.tenant, request.GET
    if not ("everywhere" in params and query):
        # A changed cursor does no harm: it only leads to another slice of the tenant's own records.
        after, before = params.get("after", ""), params.get("before", "")
        prefix = search.key_prefix(query, definition.fold_key)
        part = search.page(tenant, kind, prefix=prefix, after=_mark(after), before=_mark(before))
        if part.rows or not query:
            return Matches(part, "key" if query else "all")
    try:
        return Matches(search.search(tenant, kind, query), "fields")
    except search.TooSlow:
        return Matches(Slice([]), "slow")


def _mark(text: str) -> str:
    return text.replace("\x00", "")


def _type(name: str) -> RecordType:
    definition = labels.record_type(name)
    if definition is None:
        raise Http404
    return definition


def _columns(definition: RecordType) -> list[Any]:
    """The title fields; the key and the first fields if a type has no title fields."""
    names = definition.title or (*definition.key, *(f.name for f in definition.fields))
    return [definition.field(name) for name in dict.fromkeys(names)][:_COLUMNS]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return "" if value is None else str(value)


@require_GET
@require(Role.VIEWER)
def record_page(request: TenantRequest, name: str, number: int) -> HttpResponse:
    """One record: each field by its label, and the jobs that created and last changed it."""
    definition = _type(name)
    record = Record.objects.filter(tenant=request.tenant, kind__name=name, pk=number).first()
    if record is None:
        raise Http404
    declared = [(f.label or f.name, f, _shown(record.data.get(f.name))) for f in definition.fields]
    names = {f.name for f in definition.fields}
    others = [(n, None, _shown(v)) for n, v in sorted(record.data.items()) if n not in names]
    context = {
        "section": "records",
        "type": definition,
        "record": record,
        "fields": [*declared, *others],
    }
    return render(request, "portal/record.html", context)
