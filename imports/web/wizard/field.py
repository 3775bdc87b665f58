"""One field's page: its columns, the steps for their values, and the results for sample rows."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from imports.drafts import counting, guessing, keeping, sampling, trying
from imports.jobs import pinned_lookups
from imports.mapping.tables import written_in
from imports.mapping.values import ValueSuggestion, value_map
from imports.models import ImportDraft
from imports.web.wizard import frame, step_form
from imports.web.wizard.mapping import header_of, save_mapping
from portal.models import Role
from portal.records.definitions import Field
from portal.web.permissions import TenantRequest, require

_TRIED = 8
_VALUES = 100  # values a page


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def field(request: TenantRequest, uid: uuid.UUID, number: int) -> HttpResponse:
    """See and change where one field comes from. Raises Http404 for a number without a field."""
    draft = frame.draft_of(request, uid)
    targets = guessing.targets(draft)
    if not draft.content or number >= len(targets):
        raise Http404
    target = targets[number]
    source: dict[str, Any] = keeping.part(draft, "fields").get(target.name) or {"columns": []}
    if request.method == "POST":
        source = _sent_source(request, draft, target, source)

    def save() -> HttpResponse:
        mapping = {**keeping.part(draft, "fields"), target.name: source}
        if source == {"columns": []}:
            del mapping[target.name]
        save_mapping(request, draft, mapping)
        return redirect(_next(request, uid, number))

    def show(status: int) -> HttpResponse:
        context = {
            "number": number,
            "last": len(targets) - 1,
            "field": target,
            "needed": guessing.needed(target, guessing.target(draft)[1]),
            **_context(request, draft, target, source),
        }
        return frame.page(request, "field", draft, "draft-map", context, status)

    return frame.answer(request, draft, save, show)


def _sent_source(
    request: TenantRequest, draft: ImportDraft, target: Field, before: dict[str, Any]
) -> dict[str, Any]:
    """The field's source after the form and its button. before: as it is stored."""
    source = step_form.source_of(request.POST, header_of(draft), before)
    if "constant" in source:
        return source
    do, steps = request.POST.get("do", ""), step_form.own_steps(source)
    joined = [step_form.joining(source)] if step_form.joining(source) else []
    kind = request.POST.get("kind", "")
    if do == "add" and kind in step_form.KINDS:
        steps.append({kind: _initial_parameters(draft, target, source, kind)})
    steps = step_form.moved(steps, do)
    source.pop("steps", None)
    return {**source, **({"steps": [*joined, *steps]} if joined or steps else {})}


def _initial_parameters(
    draft: ImportDraft, target: Field, source: dict[str, Any], kind: str
) -> Any:
    """The parameters of a new step; of a value map the likely meanings of the values."""
    usual = step_form.KINDS[kind][1]
    if kind == "lookup":
        tables = pinned_lookups.columns(draft.tenant_id)
        first = next(iter(tables), "")
        return {"table": first, "column": tables[first][1], "other": "reject"} if tables else usual
    if kind != "map" or not source["columns"] or not target.values:
        return usual
    counted = dict(counting.values_of(draft, source["columns"][0])["values"])
    ideas = [idea for idea in value_map(target, counted) if idea.is_likely]
    return {"values": {idea.spelling: idea.value for idea in ideas}, "other": "reject"}


def _next(request: TenantRequest, uid: uuid.UUID, number: int) -> str:
    do = request.POST.get("do", "")
    if do == "done":
        return f"{reverse('draft-map', args=[uid])}#field-{number}"
    place = reverse("draft-field", args=[uid, number])
    word, _hyphen, at = do.partition("-")
    if word == "values":
        return f"{place}?values={step_form.number(at)}#steps"
    if word in ("add", "up", "down", "remove"):
        return f"{place}#steps"
    return place


def _context(
    request: TenantRequest, draft: ImportDraft, target: Field, source: dict[str, Any]
) -> dict[str, Any]:
    header = header_of(draft)
    columns = list(source.get("columns", ()))
    spec, faults = trying.parsed(source, header) if source != {"columns": []} else (None, [])
    sample = sampling.take(draft, sampling.reading_of(draft))
    rows = [cells for _line, cells in sample.rows[:_TRIED]]
    tables = pinned_lookups.current(draft.tenant_id, written_in({"fields": {"field": source}}))
    tried = trying.run(spec, target, sample.header, rows, tables) if spec and sample.rows else []
    join = step_form.joining(source)
    return {
        "source": source,
        "constant": "constant" in source,
        "selects": [_select(header, place, columns) for place in range(max(1, len(columns) + 1))],
        "several": len(columns) > 1,
        "join": join,
        "between": join.get("join", " "),
        "step_inputs": [
            _step(request, draft, target, columns, place, step)
            for place, step in enumerate(step_form.own_steps(source))
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
    target: Field,
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
        shown |= _value_map(request, draft, target, columns, given)
    return shown


def _guess(idea: ValueSuggestion | None, meant: str | None) -> str:
    """The mark beside a value: that its meaning was guessed and why, or what it might mean."""
    if idea is None or meant not in (None, idea.value):
        return ""
    words = _("a guess: %(reason)s") if meant else _("perhaps %(value)s: %(reason)s")
    return words % {"value": idea.value, "reason": idea.reason}


def _looked_up(draft: ImportDraft, given: dict[str, Any]) -> dict[str, Any]:
    """The columns that values can come from, with the chosen one marked."""
    tables = pinned_lookups.columns(draft.tenant_id)
    table, column = given.get("table", ""), given.get("column")
    if column is None and table in tables:
        column = tables[table][1]
    choices = [
        (step_form.chosen(name, value), name, value, (name, value) == (table, column))
        for name, columns in tables.items()
        for value in columns[1:]
    ]
    gone = table and not any(on for *_rest, on in choices)
    return {"sources": choices, "gone": step_form.chosen(table, column or "") if gone else ""}


def _value_map(
    request: TenantRequest,
    draft: ImportDraft,
    target: Field,
    columns: list[str],
    given: dict[str, Any],
) -> dict[str, Any]:
    """One page of a value map: the file's values with their counts, then the other mapped ones."""
    counted = counting.values_of(draft, columns[0]) if len(columns) == 1 else {"values": []}
    values = given.get("values", {})
    rows = [(value, count) for value, count in counted["values"] if value]
    in_file = {value for value, _count in rows}
    rows += [(value, 0) for value in values if value not in in_file]
    page = Paginator(rows, _VALUES).get_page(request.GET.get("values"))
    ideas = value_map(target, dict(page.object_list)) if target.values else []
    guesses = {idea.spelling: idea for idea in ideas if idea.value and not idea.is_certain}
    return {
        "page": page,
        "pairs": [
            (value, count, values.get(value, ""), _guess(guesses.get(value), values.get(value)))
            for value, count in page.object_list
        ],
        "guessed": any(values.get(value) == idea.value for value, idea in guesses.items()),
        "counted": counted,
        "left": sum(1 for value, _count in rows if value not in values),
        "total": len(rows),
        "choices": target.values,
    }
