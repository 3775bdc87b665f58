"""A spec from JSON or YAML data and back: strict, every fault named with its path. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from imports.mapping.definitions import (
    AUTO,
    DELIMITERS,
    ENCODINGS,
    MEASURES,
    QUOTES,
    VERSION,
    BadSpec,
    BlankRule,
    FieldSpec,
    Limits,
    LimitsPer,
    Missing,
    OwnField,
    Reading,
    Settings,
    Spec,
    Unknown,
)
from imports.mapping.faults import Faults
from imports.mapping.step_parsing import growth, parse_step, step_as_json
from imports.mapping.steps import JOINING
from portal.records.definitions import FieldType, Operation

MOST_COLUMNS = 1_000
_MOST_NAME = 65_536
_MOST_SOURCES = 50
_MOST_STEPS = 20
_MOST_GROWTH = 300  # times: a chunk of cells must fit in the memory after all steps too
_MOST_OWN = 500
_MOST_LINES = 1_000
_MOST_DAYS = 3_650
_MOST_ROWS = 10**12
_MOST_VALUE = 4_000
_PERCENT = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,3})?%")
_KEYS = ("version", "reading", "columns", "fields", "own_fields", "settings")
_READING = ("encoding", "delimiter", "quote", "header_row", "skip_rows", "skip_last", "sheet")
_FIELD = ("columns", "constant", "default", "steps")
_OWN = ("name", "type", "label")
_SETTINGS = (
    "operation",
    "absent_scope",
    "blank",
    "unknown_columns",
    "missing_columns",
    "limits",
    "limits_per",
    "mail",
    "keep_days",
)
# Enumerations need values, which an own field has no place for.
_OWN_TYPES = tuple(kind.value for kind in FieldType if kind is not FieldType.ENUM)


def parse(data: Mapping[str, object]) -> Spec:
    """The spec. Raises BadSpec with every fault."""
    faults = Faults()
    given = faults.keys(data, "spec", _KEYS, ("version", "columns", "fields"))
    if "version" in given and given["version"] != VERSION:
        faults.expected("version", given["version"], f"{VERSION}")
    spec = Spec(
        columns=_columns(given.get("columns", ()), faults),
        fields=_fields(given.get("fields", {}), faults),
        reading=_reading(given.get("reading", {}), faults),
        own_fields=_own_fields(given.get("own_fields", ()), faults),
        settings=_settings(given.get("settings", {}), faults),
    )
    _check_columns(spec, faults)
    if faults.count:
        raise BadSpec(faults.all())
    return spec


def _columns(value: object, faults: Faults) -> tuple[str, ...]:
    names = faults.listed(
        value, "columns", MOST_COLUMNS, lambda item, path: faults.text(item, path, _MOST_NAME)
    )
    for name, times in Counter(name for name in names if name).items():
        if times > 1:
            faults.add("columns", f'found "{name[:60]}" {times} times, expected each name once')
    return names


def _fields(value: object, faults: Faults) -> Mapping[str, FieldSpec]:
    found = faults.mapping(value, "fields", MOST_COLUMNS + _MOST_OWN)
    return MappingProxyType(
        {
            name: _field(item, f"fields.{faults.text(name, 'fields', least=1)[:60]}", faults)
            for name, item in found.items()
        }
    )


def _field(value: object, path: str, faults: Faults) -> FieldSpec:
    given = faults.keys(value, path, _FIELD)
    names = faults.listed(
        given.get("columns", ()),
        f"{path}.columns",
        _MOST_SOURCES,
        lambda item, place: faults.text(item, place, _MOST_NAME, least=1),
    )
    steps = faults.listed(
        given.get("steps", ()),
        f"{path}.steps",
        _MOST_STEPS,
        lambda item, place: parse_step(item, place, faults),
    )
    made = FieldSpec(
        columns=names,
        constant=faults.text_or_none(given.get("constant"), f"{path}.constant", _MOST_VALUE),
        default=faults.text_or_none(given.get("default"), f"{path}.default", _MOST_VALUE),
        steps=steps,
    )
    if isinstance(value, Mapping):
        _check_field(made, path, faults)
    return made


def _check_field(made: FieldSpec, path: str, faults: Faults) -> None:
    if made.constant is not None and (made.columns or made.steps or made.default is not None):
        faults.add(path, "found a constant and other values, expected only a constant")
    elif made.constant is None and not made.columns:
        faults.add(path, "found neither columns nor a constant, expected one of them")
    first, *rest = made.steps or (None,)
    joined = isinstance(first, JOINING)
    if len(made.columns) > 1 and not joined:
        faults.add(
            f"{path}.steps",
            f"found {len(made.columns)} columns, expected join or first_non_blank as first step",
        )
    if len(set(made.columns)) < len(made.columns):
        faults.add(f"{path}.columns", "found a column twice, expected each once")
    if growth(made.steps) > _MOST_GROWTH:
        faults.add(
            f"{path}.steps",
            "found replacements that make a text far too long, expected fewer or shorter ones",
        )
    if any(isinstance(step, JOINING) for step in rest):
        faults.add(
            f"{path}.steps", "found a join after the first step, expected it as the first step"
        )


def _reading(value: object, faults: Faults) -> Reading:
    given = faults.keys(value, "reading", _READING)
    sheet = given.get("sheet")
    if isinstance(sheet, int):
        sheet = faults.count_of(sheet, "reading.sheet", 1, 10_000)
    elif sheet is not None:
        sheet = faults.text(sheet, "reading.sheet", least=1)
    return Reading(
        encoding=faults.one_of(given.get("encoding", AUTO), "reading.encoding", (AUTO, *ENCODINGS)),
        delimiter=faults.one_of(
            given.get("delimiter", AUTO), "reading.delimiter", (AUTO, *DELIMITERS)
        ),
        quote=faults.one_of(given.get("quote", '"'), "reading.quote", QUOTES),
        header_row=faults.count_of(
            given.get("header_row", 1), "reading.header_row", 0, _MOST_LINES
        ),
        skip_rows=faults.count_of(given.get("skip_rows", 0), "reading.skip_rows", 0, _MOST_LINES),
        skip_last=faults.count_of(given.get("skip_last", 0), "reading.skip_last", 0, _MOST_LINES),
        sheet=sheet,
    )


def _own_fields(value: object, faults: Faults) -> tuple[OwnField, ...]:
    def read(item: object, path: str) -> OwnField:
        given = faults.keys(item, path, _OWN, ("name",))
        kind = faults.one_of(given.get("type", "text"), f"{path}.type", _OWN_TYPES)
        name = faults.text(given.get("name", "x"), f"{path}.name", 100, least=1)
        if name != name.strip() or name.startswith("_"):
            faults.expected(
                f"{path}.name",
                name,
                "a name without spaces at either end that does not begin with _",
            )
        label = faults.text(given.get("label", ""), f"{path}.label")
        return OwnField(name=name, type=FieldType(kind), label=label)

    own = faults.listed(value, "own_fields", _MOST_OWN, read)
    for name, times in Counter(one.name.lower() for one in own).items():
        if times > 1:
            faults.add("own_fields", f'found "{name}" {times} times, expected each name once')
    return own


def _settings(value: object, faults: Faults) -> Settings:
    given = faults.keys(value, "settings", _SETTINGS)
    path = "settings"
    operation, blank, days = given.get("operation"), given.get("blank"), given.get("keep_days")
    unknown = given.get("unknown_columns", Unknown.WARN.value)
    missing = given.get("missing_columns", Missing.SUGGEST.value)
    return Settings(
        operation=None
        if operation is None
        else faults.member(operation, f"{path}.operation", Operation),
        absent_scope=faults.text_or_none(given.get("absent_scope"), f"{path}.absent_scope"),
        blank=None if blank is None else faults.member(blank, f"{path}.blank", BlankRule),
        unknown_columns=faults.member(unknown, f"{path}.unknown_columns", Unknown),
        missing_columns=faults.member(missing, f"{path}.missing_columns", Missing),
        limits=_limits(given.get("limits", {}), f"{path}.limits", faults),
        limits_per=_limits_per(given.get("limits_per"), f"{path}.limits_per", faults),
        mail=faults.flag(given.get("mail", False), f"{path}.mail"),
        keep_days=None
        if days is None
        else faults.count_of(days, f"{path}.keep_days", 1, _MOST_DAYS),
    )


def _limits(value: object, path: str, faults: Faults) -> Limits:
    given = faults.keys(value, path, MEASURES)
    limits: dict[str, int | str] = {}
    for name, item in given.items():
        if isinstance(item, str | int) and _is_limit(item):
            limits[name] = item
        else:
            what = 'a number of rows or a percentage such as "10%"'
            faults.expected(f"{path}.{name}", item, what)
    return MappingProxyType(limits)


def _is_limit(value: str | int) -> bool:
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None
    return not isinstance(value, bool) and 0 <= value <= _MOST_ROWS


def _limits_per(value: object, path: str, faults: Faults) -> LimitsPer | None:
    if value is None:
        return None
    given = faults.keys(value, path, ("field", "limits"), ("field", "limits"))
    return LimitsPer(
        field=faults.text(given.get("field", "x"), f"{path}.field", least=1),
        limits=_limits(given.get("limits", {}), f"{path}.limits", faults),
    )


def _check_columns(spec: Spec, faults: Faults) -> None:
    """Each column that a field takes must be one of the sample's."""
    known = set(spec.columns)
    for name, made in spec.fields.items():
        for column in made.columns:
            if column not in known and column:
                faults.expected(f"fields.{name[:60]}.columns", column, "a name among `columns`")


def as_json(spec: Spec) -> dict[str, object]:
    """The spec as data that `parse` takes; reading and settings in full."""
    reading, settings = spec.reading, spec.settings
    per = settings.limits_per
    return {
        "version": spec.version,
        "reading": {key: getattr(reading, key) for key in _READING},
        "columns": list(spec.columns),
        "fields": {name: _field_as_json(made) for name, made in spec.fields.items()},
        "own_fields": [
            {"name": own.name, "type": own.type.value, "label": own.label}
            for own in spec.own_fields
        ],
        "settings": {
            "operation": settings.operation and settings.operation.value,
            "absent_scope": settings.absent_scope,
            "blank": settings.blank and settings.blank.value,
            "unknown_columns": settings.unknown_columns.value,
            "missing_columns": settings.missing_columns.value,
            "limits": dict(settings.limits),
            "limits_per": per and {"field": per.field, "limits": dict(per.limits)},
            "mail": settings.mail,
            "keep_days": settings.keep_days,
        },
    }


def _field_as_json(made: FieldSpec) -> dict[str, object]:
    if made.constant is not None:
        return {"constant": made.constant}
    written: dict[str, object] = {"columns": list(made.columns)}
    if made.steps:
        written["steps"] = [step_as_json(step) for step in made.steps]
    if made.default is not None:
        written["default"] = made.default
    return written
