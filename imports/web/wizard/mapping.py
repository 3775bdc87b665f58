"""The fourth step: which column is which field, as two lists: by field and by column."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from imports.check.columns import near_names
from imports.drafts import guessing, keeping, running, trying
from imports.mapping.definitions import BadSpec
from imports.mapping.differences import source
from imports.mapping.spec import parse
from imports.models import ImportDraft
from imports.web.wizard import frame
from portal.models import Role
from portal.records.definitions import Field, FieldType
from portal.web.permissions import TenantRequest, require

_ALL_SHOWN = 60  # columns that every select may offer; of more the likely ones
_PER_PAGE = 50
_KEEP = "as-it-is"
OWN_TYPES = tuple(kind.value for kind in FieldType if kind is not FieldType.ENUM)


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def fields(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Every field with the column it takes, why, and what is in it."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    targets, status = guessing.targets(draft), 200
    made = keeping.part(draft, "fields")
    if request.method == "POST":
        made = _sent(request, draft, targets, made)
        status = _saved(request, draft, made)
        if status == 302:
            where = request.POST.get("then", "")
            if where.isascii() and where.isdigit() and int(where) < len(targets):
                return redirect("draft-field", uid, int(where))
            return redirect("draft-check" if where == "check" else "draft-map", uid)
        draft.spec = keeping.with_part(draft, fields=made)
    return frame.page(request, "map", draft, "draft-map", _context(draft, targets, made), status)


def _sent(
    request: TenantRequest, draft: ImportDraft, targets: list[Field], made: dict[str, Any]
) -> dict[str, Any]:
    """The mapping as the page's selects say."""
    header = [name.strip() for name in draft.sample.get("header", ())]
    changed = dict(made)
    for number, field in enumerate(targets):
        said = request.POST.get(f"column-{number}", _KEEP)
        if said == "":
            changed.pop(field.name, None)
        elif said.isascii() and said.isdigit() and int(said) < len(header):
            changed[field.name] = _one_column(changed.get(field.name, {}), header[int(said)])
    return changed


def _one_column(made: Mapping[str, Any], column: str) -> dict[str, Any]:
    """The field with another column: what is done to its values stays."""
    if made.get("columns") == [column]:
        return dict(made)
    steps = [step for step in made.get("steps", ()) if not {"join", "first_non_blank"} & set(step)]
    kept = {"default": made["default"]} if made.get("default") is not None else {}
    return {"columns": [column], **({"steps": steps} if steps else {}), **kept}


def _saved(request: TenantRequest, draft: ImportDraft, made: dict[str, Any]) -> int:
    try:
        spec = keeping.with_part(draft, fields=made)
        keeping.save(draft, request.user, frame.version(request), spec=spec, step="map")
    except keeping.Stale:
        frame.told_late(request, draft)
        return 409
    return 302


def _context(draft: ImportDraft, targets: list[Field], made: dict[str, Any]) -> dict[str, Any]:
    header = [name.strip() for name in draft.sample.get("header", ())]
    ideas = {idea["column"]: idea for idea in draft.sample.get("ideas", ())}
    _feed, record_type = guessing.target(draft)
    rows = [
        _row(number, field, made.get(field.name), header, ideas, draft)
        | {"needed": guessing.needed(field, record_type)}
        for number, field in enumerate(targets)
    ]
    used = {name for one in made.values() for name in one.get("columns", ())}
    return {
        "rows": rows,
        "problems": problems(draft),
        "missing": [row for row in rows if row["needed"] and not row["made"]],
        "used": len(used),
        "total": len(header),
        "unused": len([name for name in header if name and name not in used]),
        "wide": len(header) > _ALL_SHOWN,
    }


def problems(draft: ImportDraft) -> list[str]:
    """What keeps the draft from being validated, a sentence each."""
    try:
        running.ready_spec(draft)
    except running.NotReady as waiting:
        return waiting.reasons
    return []


def _row(
    number: int,
    field: Field,
    made: dict[str, Any] | None,
    header: list[str],
    ideas: dict[int, dict[str, Any]],
    draft: ImportDraft,
) -> dict[str, Any]:
    columns = list((made or {}).get("columns", ()))
    at = header.index(columns[0]) if len(columns) == 1 and columns[0] in header else None
    idea = ideas.get(at) if at is not None else None
    guess = idea if idea and idea["field"] == field.name else None
    spec, faults = trying.parsed(made, header_of(draft)) if made else (None, [])
    complex_ = made is not None and at is None
    return {
        "number": number,
        "field": field,
        "made": made,
        "options": _options(field, header, at),
        "complex": complex_,
        "words": source(spec) if spec and (spec.steps or complex_ or spec.default) else "",
        "faults": faults,
        "guess": guess,
        "sure": _sure(guess),
        "samples": idea["samples"] if idea else (),
    }


def header_of(draft: ImportDraft) -> list[str]:
    """The draft's columns by name, each once."""
    return list(
        dict.fromkeys(name.strip() for name in draft.sample.get("header", ()) if name.strip())
    )


def _sure(guess: Mapping[str, Any] | None) -> str:
    """How sure a suggestion is, as a word and a share."""
    if guess is None:
        return ""
    percent = round(guess["confidence"] * 100)
    word = _("sure") if percent >= 90 else _("likely") if percent >= 70 else _("a guess")
    return _("%(word)s, %(percent)s %%") % {"word": word, "percent": percent}


def _options(field: Field, header: list[str], at: int | None) -> list[tuple[int, str, bool]]:
    """The columns that the field's select offers: all, or of very many the likely ones."""
    if len(header) <= _ALL_SHOWN:
        offered = [i for i, name in enumerate(header) if name]
    else:
        near = set(near_names(field.name, header)) | set(near_names(field.label, header))
        offered = [i for i, name in enumerate(header) if name and (i == at or name in near)]
    return [(i, header[i], i == at) for i in offered]


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def columns(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Every column with the fields that it feeds; a free one may become a field of the tenant's."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    faults: list[str] = []
    status = 200
    if request.method == "POST":
        faults, status = _own_field(request, draft)
        if status == 302:
            return redirect(f"{request.path}?{request.GET.urlencode()}")
    wanted = request.GET.get("show", "")
    found = _columns(draft, only_free=wanted == "free", name=request.GET.get("q", "")[:100])
    context = {
        "page": Paginator(found, _PER_PAGE).get_page(request.GET.get("page")),
        "show": wanted,
        "q": request.GET.get("q", ""),
        "own_types": OWN_TYPES,
        "faults": faults,
    }
    return frame.page(request, "columns", draft, "draft-map", context, status)


def _columns(draft: ImportDraft, *, only_free: bool, name: str) -> list[dict[str, Any]]:
    feeds: dict[str, list[str]] = {}
    for field, made in keeping.part(draft, "fields").items():
        for column in made.get("columns", ()):
            feeds.setdefault(column, []).append(field)
    ideas = {idea["column"]: idea for idea in draft.sample.get("ideas", ())}
    numbers = {field.name: n for n, field in enumerate(guessing.targets(draft))}
    return [
        {
            "number": at,
            "name": column,
            "fields": [(one, numbers.get(one)) for one in feeds.get(column.strip(), ())],
            "idea": ideas.get(at, {}),
        }
        for at, column in enumerate(draft.sample.get("header", ()))
        if not (only_free and feeds.get(column.strip())) and name.lower() in column.lower()
    ]


def _own_field(request: TenantRequest, draft: ImportDraft) -> tuple[list[str], int]:
    """Make a column a field of the tenant's own. Returns its faults, and the answer's status."""
    said = request.POST.get("column", "")
    header = draft.sample.get("header", [])
    if not (said.isascii() and said.isdigit() and int(said) < len(header)):
        return [_("Choose a column.")], 422
    column = header[int(said)].strip()
    own = {
        "name": request.POST.get("name", "").strip() or column,
        "type": request.POST.get("type", "text"),
        "label": "",
    }
    spec = keeping.with_part(
        draft,
        own_fields=[*draft.spec.get("own_fields", ()), own],
        fields={**keeping.part(draft, "fields"), own["name"]: {"columns": [column]}},
    )
    faults = _faults_of_own(draft, spec)
    if faults:
        return faults, 422
    try:
        keeping.save(draft, request.user, frame.version(request), spec=spec)
    except keeping.Stale:
        frame.told_late(request, draft)
        return [], 409
    return [], 302


def _faults_of_own(draft: ImportDraft, spec: dict[str, Any]) -> list[str]:
    """Why the new field cannot be: its name is bad, or another field's."""
    try:
        own = parse({**spec, "columns": [], "fields": {}}).own_fields
    except BadSpec as bad:
        return bad.faults
    known = {field.name.lower() for field in guessing.targets(draft)}
    if own[-1].name.lower() in known:
        return [
            _("There is already a field “%(name)s”. Choose another name.") % {"name": own[-1].name}
        ]
    return []
