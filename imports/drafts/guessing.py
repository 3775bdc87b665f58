"""Which field each column most likely is: by names, values, and earlier mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from django.conf import settings
from django.db.models import F, QuerySet, Sum

from imports.drafts import keeping, sampling
from imports.mapping import automatch
from imports.mapping.effective import applied, extended
from imports.mapping.spec import BadSpec, OwnField, Spec, parse
from imports.models import ImportDraft, LearnedMapping
from portal import tenancy
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Field, RecordType

_LONGEST = 200  # characters of a remembered header

Remembered: TypeAlias = dict[str, dict[str, int]]


def target(draft: ImportDraft) -> tuple[Feed, RecordType]:
    """The draft's feed and record type, with its operation and own fields."""
    spec = settings_only(draft)
    feed = catalog().feed(draft.feed)
    record_type = catalog().record_type(feed.record_type)
    return applied(spec, feed), extended(record_type, spec.own_fields)


def settings_only(draft: ImportDraft) -> Spec:
    """The draft's spec without its mapping, and without parts that are not valid yet."""
    empty: dict[str, Any] = {"version": 1, "columns": [], "fields": {}}
    for names in (("own_fields", "settings"), ("settings",), ("own_fields",), ()):
        try:
            return parse({**empty, **{n: draft.spec[n] for n in names if n in draft.spec}})
        except BadSpec:
            continue
    return Spec(columns=(), fields={})


def targets(draft: ImportDraft) -> list[Field]:
    """The fields that a column may be, those that must be mapped first."""
    feed, record_type = target(draft)
    fields = automatch.targets_of(feed, record_type)
    return sorted(fields, key=lambda field: not needed(field, record_type))


def needed(field: Field, record_type: RecordType) -> bool:
    """Whether the mapping must have a source for the field."""
    return field.required or field.header_required or field.name in record_type.key


def mapped(draft: ImportDraft, facts: dict[str, Any]) -> dict[str, Any]:
    """The draft's sample, suggestions and mapping under its present reading, to be saved.

    A field keeps its columns where the file still has them; the others get the likeliest ones.
    facts: further members of the sample, such as notes. Raises BadSpec for a bad reading.
    """
    taken = sampling.take(draft, sampling.reading_of(draft))
    if taken.refusal:  # the mapping is kept for a file or a reading that works
        return {"sample": {**facts, "header": [], "ideas": []}, "spec": draft.spec}
    feed, record_type = target(draft)
    rows = [cells for _, cells in taken.rows]
    learned = remembered(draft.tenant_id, record_type.name, taken.header)
    shared = remembered_elsewhere(draft.tenant_id, record_type.name, taken.header)
    ideas = automatch.suggest(taken.header, rows, feed, record_type, learned, shared)
    sample = {
        **facts,
        "header": list(taken.header),
        "ideas": [asdict(idea) for idea in ideas],
    }
    fields = _kept(keeping.part(draft, "fields"), set(taken.columns))
    taken_columns = {name for field in fields.values() for name in field.get("columns", ())}
    for idea in ideas:
        name = taken.header[idea.column].strip()
        if idea.field and idea.field not in fields and name and name not in taken_columns:
            fields[idea.field] = {"columns": [name]}
    return {
        "sample": sample,
        "spec": keeping.with_part(draft, columns=taken.columns, fields=fields),
    }


def mapped_again(draft: ImportDraft) -> dict[str, Any]:
    """As `mapped`, for a file whose notes and confidence stay."""
    return mapped(draft, {name: draft.sample.get(name) for name in ("notes", "confidence")})


def _kept(fields: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    return {
        name: field
        for name, field in fields.items()
        if "constant" in field or (field.get("columns") and set(field["columns"]) <= columns)
    }


def remembered(tenant_id: int, record_type: str, header: Sequence[str]) -> Remembered:
    """The fields that the tenant mapped columns of these names to: normal form, field, times."""
    return _by_header(LearnedMapping.objects.filter(tenant_id=tenant_id), record_type, header)


def remembered_elsewhere(tenant_id: int, record_type: str, header: Sequence[str]) -> Remembered:
    """What other tenants mapped columns of these names to, where the operator shares that."""
    if not settings.SHARE_LEARNED_MAPPINGS:
        return {}
    with tenancy.everyone("what others mapped: counts of columns' names, as the operator allows"):
        rows = LearnedMapping.objects.exclude(tenant_id=tenant_id)
        return _by_header(rows, record_type, header)


def _by_header(
    rows: QuerySet[LearnedMapping], record_type: str, header: Sequence[str]
) -> Remembered:
    forms = {automatch.normal_form(name)[:_LONGEST] for name in header} - {""}
    rows = rows.filter(record_type=record_type, header__in=forms)
    remembered: Remembered = {}
    for name, field, times in rows.values_list("header", "field").annotate(n=Sum("count")):
        remembered.setdefault(name, {})[field] = times
    return remembered


def learn(tenant_id: int, record_type: str, spec: Spec) -> None:
    """Remember which columns the spec maps to the type's fields."""
    names = {field.name for field in catalog().record_type(record_type).fields}
    for name, field in spec.fields.items():
        if name not in names or len(field.columns) != 1:
            continue
        form = automatch.normal_form(field.columns[0])[:_LONGEST]
        row, fresh = LearnedMapping.objects.get_or_create(
            tenant_id=tenant_id, record_type=record_type, header=form, field=name
        )
        if not fresh:
            LearnedMapping.objects.filter(pk=row.pk).update(count=F("count") + 1)


def own_fields(draft: ImportDraft) -> list[OwnField]:
    """The tenant's own fields in the draft."""
    return list(settings_only(draft).own_fields)
