"""The fourth step: which column is which field, as a list of fields and a list of columns."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from imports.check.columns import near_names
from imports.drafts import guessing, keeping, likely, running, trying
from imports.mapping.differences import source_words
from imports.mapping.spec import BadSpec, parse
from imports.models import ImportDraft
from imports.web.wizard import frame, step_form
from portal.faults import Refused
from portal.models import Role
from portal.records.definitions import Field, FieldType
from portal.web import acting
from portal.web.permissions import TenantRequest, require

_ALL_SHOWN = 60  # columns that a select offers; with more columns only the likely ones
_PER_PAGE = 50
_KEEP = "as-it-is"
OWN_TYPES = tuple(kind.value for kind in FieldType if kind is not FieldType.ENUM)


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def fields(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Every field with its column, the reason for it, and sample values."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    targets = guessing.targets(draft)
    mapping = keeping.part(draft, "fields")
    if request.method == "POST":
        mapping = _sent_mapping(request, draft, targets, mapping)

    def save() -> HttpResponse:
        save_mapping(request, draft, mapping)
        then = request.POST.get("then", "")
        if (number := _position(then, targets)) is not None:
            return redirect("draft-field", uid, number)
        return _validated(request, draft) if then == "check" else redirect("draft-map", uid)

    def show(status: int) -> HttpResponse:
        draft.spec = keeping.with_part(draft, fields=mapping)
        context = _context(draft, targets, mapping)
        return frame.page(request, "map", draft, "draft-map", context, status)

    return frame.answer(request, draft, save, show)


def _validated(request: TenantRequest, draft: ImportDraft) -> HttpResponse:
    """Begin the validation of what was saved; the page shows what keeps it from that."""
    try:
        running.validate(draft, request.user, draft.version)
    except keeping.DraftChanged:
        raise
    except Refused as refused:
        frame.show_reasons(request, refused)
        return redirect("draft-map", draft.uid)
    return redirect("draft-check", draft.uid)


def save_mapping(request: TenantRequest, draft: ImportDraft, mapping: dict[str, Any]) -> None:
    """Save the fields and their sources. Raises keeping.DraftChanged."""
    spec = keeping.with_part(draft, fields=mapping)
    keeping.save(draft, request.user, frame.version(request), spec=spec, step="map")


def _position(text: str, items: Sequence[object]) -> int | None:
    """The text as a position in the list; None where it is none."""
    number = acting.whole_number(text)
    return number if number is not None and number < len(items) else None


def _sent_mapping(
    request: TenantRequest, draft: ImportDraft, targets: list[Field], mapping: dict[str, Any]
) -> dict[str, Any]:
    """The mapping after the choices in the page's selects."""
    header = [name.strip() for name in draft.sample.get("header", ())]
    changed = dict(mapping)
    for number, field in enumerate(targets):
        choice = request.POST.get(f"column-{number}", _KEEP)
        if choice == "":
            changed.pop(field.name, None)
        elif (at := _position(choice, header)) is not None:
            changed[field.name] = _with_column(changed.get(field.name, {}), header[at])
    return changed


def _with_column(source: Mapping[str, Any], column: str) -> dict[str, Any]:
    """The source of a field with another column; its steps for single values stay."""
    if source.get("columns") == [column]:
        return dict(source)
    steps = step_form.own_steps(source)
    kept = {"default": source["default"]} if source.get("default") is not None else {}
    return {"columns": [column], **({"steps": steps} if steps else {}), **kept}


def _context(draft: ImportDraft, targets: list[Field], mapping: dict[str, Any]) -> dict[str, Any]:
    header = [name.strip() for name in draft.sample.get("header", ())]
    ideas = {idea["column"]: idea for idea in draft.sample.get("ideas", ())}
    _feed, record_type = guessing.target(draft)
    rows = [
        _row(number, field, mapping.get(field.name), header, ideas, draft)
        | {"needed": guessing.needed(field, record_type)}
        for number, field in enumerate(targets)
    ]
    used = {name for source in mapping.values() for name in source.get("columns", ())}
    missing = [row for row in rows if row["needed"] and not row["source"]]
    return {
        "rows": rows,
        "problems": frame.problems(draft),
        "missing": missing,
        "likely_feeds": likely.better_feeds(draft) if missing else [],
        "used": len(used),
        "total": len(header),
        "unused": len([name for name in header if name and name not in used]),
        "wide": len(header) > _ALL_SHOWN,
    }


def _row(
    number: int,
    field: Field,
    source: dict[str, Any] | None,
    header: list[str],
    ideas: dict[int, dict[str, Any]],
    draft: ImportDraft,
) -> dict[str, Any]:
    columns = list((source or {}).get("columns", ()))
    at = header.index(columns[0]) if len(columns) == 1 and columns[0] in header else None
    idea = ideas.get(at) if at is not None else None
    guess = idea if idea and idea["field"] == field.name else None
    spec, faults = trying.parsed(source, header_of(draft)) if source else (None, [])
    is_complex = source is not None and at is None
    return {
        "number": number,
        "field": field,
        "source": source,
        "options": _options(field, header, at),
        "complex": is_complex,
        "words": source_words(spec) if spec and (spec.steps or is_complex or spec.default) else "",
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
    """The options of the field's select: all columns, or the likely ones of very many."""
    if len(header) <= _ALL_SHOWN:
        offered = [i for i, name in enumerate(header) if name]
    else:
        near = set(near_names(field.name, header)) | set(near_names(field.label, header))
        offered = [i for i, name in enumerate(header) if name and (i == at or name in near)]
    return [(i, header[i], i == at) for i in offered]


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def columns(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Every column with its fields; a free one may become a field of the tenant's own."""
    draft = frame.draft_of(request, uid)
    if not draft.content:
        return redirect("draft-file", uid)
    faults: list[str] = []

    def save() -> HttpResponse:
        faults.extend(_add_own_field(request, draft))
        if faults:
            raise frame.NotSaved
        return redirect(f"{request.path}?{request.GET.urlencode()}")

    def show(status: int) -> HttpResponse:
        context = {**_columns_context(request, draft), "faults": faults}
        return frame.page(request, "columns", draft, "draft-map", context, status)

    return frame.answer(request, draft, save, show)


def _columns_context(request: TenantRequest, draft: ImportDraft) -> dict[str, Any]:
    shown = request.GET.get("show", "")
    rows = _columns(draft, only_free=shown == "free", name=request.GET.get("q", "")[:100])
    return {
        "page": Paginator(rows, _PER_PAGE).get_page(request.GET.get("page")),
        "show": shown,
        "q": request.GET.get("q", ""),
        "own_types": OWN_TYPES,
    }


def _columns(draft: ImportDraft, *, only_free: bool, name: str) -> list[dict[str, Any]]:
    feeds: dict[str, list[str]] = {}
    for field, source in keeping.part(draft, "fields").items():
        for column in source.get("columns", ()):
            feeds.setdefault(column, []).append(field)
    ideas = {idea["column"]: idea for idea in draft.sample.get("ideas", ())}
    numbers = {field.name: n for n, field in enumerate(guessing.targets(draft))}
    return [
        {
            "number": at,
            "name": column,
            "fields": [(field, numbers.get(field)) for field in feeds.get(column.strip(), ())],
            "idea": ideas.get(at, {}),
        }
        for at, column in enumerate(draft.sample.get("header", ()))
        if not (only_free and feeds.get(column.strip())) and name.lower() in column.lower()
    ]


def _add_own_field(request: TenantRequest, draft: ImportDraft) -> list[str]:
    """Make a column a field of the tenant's own, or return why it cannot be one.

    Raises keeping.DraftChanged.
    """
    header = draft.sample.get("header", [])
    at = _position(request.POST.get("column", ""), header)
    if at is None:
        return [_("Choose a column.")]
    column = header[at].strip()
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
    faults = _own_field_faults(draft, spec)
    if not faults:
        keeping.save(draft, request.user, frame.version(request), spec=spec)
    return faults


def _own_field_faults(draft: ImportDraft, spec: dict[str, Any]) -> list[str]:
    """Why the new field cannot be added: its name is bad, or another field's."""
    try:
        own = parse({**spec, "columns": [], "fields": {}}).own_fields
    except BadSpec as bad:
        return bad.sentences
    names = {field.name.lower() for field in guessing.targets(draft)}
    if own[-1].name.lower() in names:
        return [
            _("There is already a field “%(name)s”. Choose another name.") % {"name": own[-1].name}
        ]
    return []
