"""One field's page: its columns, what is done to their values, and what comes out."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from imports.drafts import counting, guessing, keeping, sampling, trying
from imports.jobs import pinned_lookups
from imports.mapping.tables import written_in
from imports.mapping.values import value_map
from imports.models import ImportDraft
from imports.web.wizard import frame, step_form
from imports.web.wizard.mapping import header_of
from portal.models import Role
from portal.records.definitions import Field
from portal.web.permissions import TenantRequest, require

_TRIED = 8
_VALUES = 100  # values a page
_SURE = 0.7


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def field(request: TenantRequest, uid: uuid.UUID, number: int) -> HttpResponse:
    """See and change how one field is made. Raises Http404 for a number beyond the fields."""
    draft = frame.draft_of(request, uid)
    targets = guessing.targets(draft)
    if not draft.content or number >= len(targets):
        raise Http404
    wanted = targets[number]
    made: dict[str, Any] = keeping.part(draft, "fields").get(wanted.name) or {"columns": []}
    status = 200
    if request.method == "POST":
        made = _changed(request, draft, wanted, made)
        status = _saved(request, draft, wanted, made)
        if status == 302:
            return redirect(_next(request, uid, number))
    context = {
        "number": number,
        "last": len(targets) - 1,
        "field": wanted,
        "needed": guessing.needed(wanted, guessing.target(draft)[1]),
        **_context(request, draft, wanted, made),
    }
    return frame.page(request, "field", draft, "draft-map", context, status)


def _changed(
    request: TenantRequest, draft: ImportDraft, wanted: Field, before: dict[str, Any]
) -> dict[str, Any]:
    """The field as the form and its button say."""
    made = step_form.field_of(request.POST, header_of(draft), before)
    if "constant" in made:
        return made
    do, steps = request.POST.get("do", ""), step_form.own_steps(made)
    joined = [step_form.joining(made)] if step_form.joining(made) else []
    kind = request.POST.get("kind", "")
    if do == "add" and kind in step_form.KINDS:
        steps.append({kind: _begun(draft, wanted, made, kind)})
    steps = step_form.moved(steps, do)
    made.pop("steps", None)
    return {**made, **({"steps": [*joined, *steps]} if joined or steps else {})}


def _begun(draft: ImportDraft, wanted: Field, made: dict[str, Any], kind: str) -> Any:
    """What a new step starts with; a value map with what the values most likely mean."""
    begun = step_form.KINDS[kind][1]
    if kind == "lookup":
        known = pinned_lookups.columns(draft.tenant_id)
        first = next(iter(known), "")
        return {"table": first, "column": known[first][1], "other": "reject"} if known else begun
    if kind != "map" or not made["columns"] or not wanted.values:
        return begun
    counted = dict(counting.values_of(draft, made["columns"][0])["values"])
    ideas = [idea for idea in value_map(wanted, counted) if idea.value and idea.confidence >= _SURE]
    return {"values": {idea.found: idea.value for idea in ideas}, "other": "reject"}


def _saved(request: TenantRequest, draft: ImportDraft, wanted: Field, made: dict[str, Any]) -> int:
    fields = keeping.part(draft, "fields")
    fields[wanted.name] = made
    if made == {"columns": []}:
        del fields[wanted.name]
    try:
        spec = keeping.with_part(draft, fields=fields)
        keeping.save(draft, request.user, frame.version(request), spec=spec, step="map")
    except keeping.Stale:
        frame.told_late(request, draft)
        return 409
    return 302


def _next(request: TenantRequest, uid: uuid.UUID, number: int) -> str:
    do = request.POST.get("do", "")
    if do == "done":
        return f"{reverse('draft-map', args=[uid])}#field-{number}"
    place = reverse("draft-field", args=[uid, number])
    word, _sign, at = do.partition("-")
    if word == "values":
        return f"{place}?values={step_form.number(at)}#steps"
    if word in ("add", "up", "down", "remove"):
        return f"{place}#steps"
    return place


def _context(
    request: TenantRequest, draft: ImportDraft, wanted: Field, made: dict[str, Any]
) -> dict[str, Any]:
    header = header_of(draft)
    columns = list(made.get("columns", ()))
    spec, faults = trying.parsed(made, header) if made != {"columns": []} else (None, [])
    sample = sampling.take(draft, sampling.reading_of(draft))
    rows = [cells for _line, cells in sample.rows[:_TRIED]]
    tables = pinned_lookups.current(draft.tenant_id, written_in({"fields": {"field": made}}))
    tried = trying.run(spec, wanted, sample.header, rows, tables) if spec and sample.rows else []
    join = step_form.joining(made)
    return {
        "made": made,
        "constant": "constant" in made,
        "selects": [_select(header, place, columns) for place in range(max(1, len(columns) + 1))],
        "several": len(columns) > 1,
        "join": join,
        "between": join.get("join", " "),
        "steps_made": [
            _step(request, draft, wanted, columns, place, step)
            for place, step in enumerate(step_form.own_steps(made))
        ],
        "kinds": [(kind, label) for kind, (label, _begin) in step_form.KINDS.items()],
        "faults": faults,
        "tried": tried,
        "column_names": columns,
    }


def _select(header: list[str], place: int, columns: list[str]) -> dict[str, Any]:
    chosen = columns[place] if place < len(columns) else None
    return {
        "place": place,
        "options": [(at, name, name == chosen) for at, name in enumerate(header)],
    }


def _step(
    request: TenantRequest,
    draft: ImportDraft,
    wanted: Field,
    columns: list[str],
    place: int,
    step: dict[str, Any],
) -> dict[str, Any]:
    ((kind, given),) = step.items()
    shown = {"place": place, "kind": kind, "label": step_form.KINDS[kind][0], "given": given}
    if kind == "date" and isinstance(given, dict):
        shown["formats"] = "\n".join(given.get("formats", ()))
    if kind == "lookup" and isinstance(given, dict):
        shown |= _looked_up(draft, given)
    if kind == "map" and isinstance(given, dict):
        shown |= _mapped(request, draft, wanted, columns, given)
    return shown


def _looked_up(draft: ImportDraft, given: dict[str, Any]) -> dict[str, Any]:
    """The columns that values can be taken from, the one that is chosen marked."""
    known = pinned_lookups.columns(draft.tenant_id)
    table, column = given.get("table", ""), given.get("column")
    if column is None and table in known:
        column = known[table][1]
    choices = [
        (step_form.chosen(name, one), name, one, (name, one) == (table, column))
        for name, columns in known.items()
        for one in columns[1:]
    ]
    gone = table and not any(on for *_rest, on in choices)
    return {"sources": choices, "gone": step_form.chosen(table, column or "") if gone else ""}


def _mapped(
    request: TenantRequest,
    draft: ImportDraft,
    wanted: Field,
    columns: list[str],
    given: dict[str, Any],
) -> dict[str, Any]:
    """A value map's page of values: those of the file with their counts, then those only mapped."""
    counted = counting.values_of(draft, columns[0]) if len(columns) == 1 else {"values": []}
    values = given.get("values", {})
    found = [(value, count) for value, count in counted["values"] if value]
    known = {value for value, _count in found}
    found += [(value, 0) for value in values if value not in known]
    page = Paginator(found, _VALUES).get_page(request.GET.get("values"))
    pairs = [(value, count, values.get(value, "")) for value, count in page.object_list]
    left = sum(1 for value, _count in found if value not in values)
    return {"page": page, "pairs": pairs, "counted": counted, "left": left, "total": len(found),
            "choices": wanted.values}  # fmt: skip
