"""A spec from JSON or YAML data and back: strict, every fault with its path. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from imports.mapping.definitions import (
    AUTO,
    DELIMITERS,
    ENCODINGS,
    QUOTES,
    VERSION,
    BadSpec,
    BlankRule,
    FieldSpec,
    Missing,
    OwnField,
    ReadingOptions,
    Settings,
    Spec,
    Unknown,
)
from imports.mapping.limit_parsing import read_limits, read_limits_per
from imports.mapping.step_parsing import growth, parse_step
from imports.mapping.steps import JOINING
from imports.mapping.strict_reading import Path, StrictReader, shown
from portal.records.definitions import FieldType, Operation

MOST_COLUMNS = 1_000
_MOST_NAME = 65_536
_MOST_SOURCES = 50
_MOST_STEPS = 20
_MOST_GROWTH = 300  # times: a chunk of cells must fit in the memory after all steps too
_MOST_OWN = 500
_MOST_LINES = 1_000
_MOST_DAYS = 3_650
_MOST_VALUE = 4_000
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
    reader = StrictReader()
    given = reader.keys(data, ("spec",), _KEYS, ("version", "columns", "fields"))
    if "version" in given and given["version"] != VERSION:
        message = "found %(value)s, expected %(version)s"
        reader.add(("version",), "version", message, value=shown(given["version"]), version=VERSION)
    spec = Spec(
        columns=_columns(given.get("columns", ()), reader),
        fields=_fields(given.get("fields", {}), reader),
        reading=_reading(given.get("reading", {}), reader),
        own_fields=_own_fields(given.get("own_fields", ()), reader),
        settings=_settings(given.get("settings", {}), reader),
    )
    _check_columns(spec, reader)
    if reader.faults:
        raise BadSpec(*reader.faults)
    return spec


def _columns(value: object, reader: StrictReader) -> tuple[str, ...]:
    names = reader.items(
        value, ("columns",), MOST_COLUMNS, lambda item, path: reader.text(item, path, _MOST_NAME)
    )
    _check_repeated(names, ("columns",), reader)
    return names


def _check_repeated(names: Iterable[str], path: Path, reader: StrictReader) -> None:
    for name, times in Counter(name for name in names if name).items():
        if times > 1:
            message = 'found "%(name)s" %(times)s times, expected each name once'
            reader.add(path, "name_repeated", message, name=name[:60], times=times)


def _fields(value: object, reader: StrictReader) -> Mapping[str, FieldSpec]:
    items = reader.mapping(value, ("fields",), MOST_COLUMNS + _MOST_OWN)
    fields = {}
    for name, item in items.items():
        reader.text(name, ("fields",), least=1)
        fields[name] = _field(item, ("fields", name[:60]), reader)
    return MappingProxyType(fields)


def _field(value: object, path: Path, reader: StrictReader) -> FieldSpec:
    given = reader.keys(value, path, _FIELD)
    names = reader.items(
        given.get("columns", ()),
        (*path, "columns"),
        _MOST_SOURCES,
        lambda item, place: reader.text(item, place, _MOST_NAME, least=1),
    )
    steps = reader.items(
        given.get("steps", ()),
        (*path, "steps"),
        _MOST_STEPS,
        lambda item, place: parse_step(item, place, reader),
    )
    spec = FieldSpec(
        columns=names,
        constant=reader.text_or_none(given.get("constant"), (*path, "constant"), _MOST_VALUE),
        default=reader.text_or_none(given.get("default"), (*path, "default"), _MOST_VALUE),
        steps=steps,
    )
    if isinstance(value, Mapping):
        _check_source(spec, path, reader)
        _check_steps(spec, (*path, "steps"), reader)
    return spec


def _check_source(spec: FieldSpec, path: Path, reader: StrictReader) -> None:
    if spec.constant is not None and (spec.columns or spec.steps or spec.default is not None):
        message = "found a constant and other values, expected only a constant"
        reader.add(path, "constant_and_more", message)
    elif spec.constant is None and not spec.columns:
        message = "found neither columns nor a constant, expected one of them"
        reader.add(path, "no_source", message)
    if len(set(spec.columns)) < len(spec.columns):
        message = "found a column twice, expected each once"
        reader.add((*path, "columns"), "column_repeated", message)


def _check_steps(spec: FieldSpec, path: Path, reader: StrictReader) -> None:
    first, *rest = spec.steps or (None,)
    if len(spec.columns) > 1 and not isinstance(first, JOINING):
        message = "found %(count)s columns, expected join or first_non_blank as first step"
        reader.add(path, "columns_not_joined", message, count=len(spec.columns))
    if growth(spec.steps) > _MOST_GROWTH:
        message = "found replacements that make a text far too long, expected fewer or shorter ones"
        reader.add(path, "text_grows", message)
    if any(isinstance(step, JOINING) for step in rest):
        message = "found a join after the first step, expected it as the first step"
        reader.add(path, "joined_late", message)


def _reading(value: object, reader: StrictReader) -> ReadingOptions:
    given = reader.keys(value, ("reading",), _READING)
    sheet = given.get("sheet")
    if isinstance(sheet, int):
        sheet = reader.whole_number(sheet, ("reading", "sheet"), 1, 10_000)
    elif sheet is not None:
        sheet = reader.text(sheet, ("reading", "sheet"), least=1)

    def choice(key: str, default: str, allowed: tuple[str, ...]) -> str:
        return reader.choice(given.get(key, default), ("reading", key), allowed)

    def lines(key: str, default: int) -> int:
        return reader.whole_number(given.get(key, default), ("reading", key), 0, _MOST_LINES)

    return ReadingOptions(
        encoding=choice("encoding", AUTO, (AUTO, *ENCODINGS)),
        delimiter=choice("delimiter", AUTO, (AUTO, *DELIMITERS)),
        quote=choice("quote", '"', tuple(QUOTES)),
        header_row=lines("header_row", 1),
        skip_rows=lines("skip_rows", 0),
        skip_last=lines("skip_last", 0),
        sheet=sheet,
    )


def _own_fields(value: object, reader: StrictReader) -> tuple[OwnField, ...]:
    def read(item: object, path: Path) -> OwnField:
        given = reader.keys(item, path, _OWN, ("name",))
        kind = reader.choice(given.get("type", "text"), (*path, "type"), _OWN_TYPES)
        name = reader.text(given.get("name", "x"), (*path, "name"), 100, least=1)
        if name != name.strip() or name.startswith("_"):
            message = (
                "found %(value)s, expected a name without spaces at either end that does not "
                "begin with _"
            )
            reader.add((*path, "name"), "own_field_name", message, value=shown(name))
        label = reader.text(given.get("label", ""), (*path, "label"))
        return OwnField(name=name, type=FieldType(kind), label=label)

    own = reader.items(value, ("own_fields",), _MOST_OWN, read)
    _check_repeated((field.name.lower() for field in own), ("own_fields",), reader)
    return own


def _settings(value: object, reader: StrictReader) -> Settings:
    given = reader.keys(value, ("settings",), _SETTINGS)
    path: Path = ("settings",)
    operation, blank, days = given.get("operation"), given.get("blank"), given.get("keep_days")
    unknown = given.get("unknown_columns", Unknown.WARN.value)
    missing = given.get("missing_columns", Missing.SUGGEST.value)
    return Settings(
        operation=None
        if operation is None
        else reader.member(operation, (*path, "operation"), Operation),
        absent_scope=reader.text_or_none(given.get("absent_scope"), (*path, "absent_scope")),
        blank=None if blank is None else reader.member(blank, (*path, "blank"), BlankRule),
        unknown_columns=reader.member(unknown, (*path, "unknown_columns"), Unknown),
        missing_columns=reader.member(missing, (*path, "missing_columns"), Missing),
        limits=read_limits(given.get("limits", {}), (*path, "limits"), reader),
        limits_per=read_limits_per(given.get("limits_per"), (*path, "limits_per"), reader),
        mail=reader.flag(given.get("mail", False), (*path, "mail")),
        keep_days=None
        if days is None
        else reader.whole_number(days, (*path, "keep_days"), 1, _MOST_DAYS),
    )


def _check_columns(spec: Spec, reader: StrictReader) -> None:
    """Each column that a field takes must be one of the sample's."""
    columns = set(spec.columns)
    for name, field in spec.fields.items():
        for column in field.columns:
            if column not in columns and column:
                path = ("fields", name[:60], "columns")
                message = "found %(value)s, expected a name among `columns`"
                reader.add(path, "unknown_column", message, value=shown(column))


def as_json(spec: Spec) -> dict[str, object]:
    """The spec as data that `parse` takes; reading and settings in full."""
    reading, settings = spec.reading, spec.settings
    per = settings.limits_per
    return {
        "version": spec.version,
        "reading": {key: getattr(reading, key) for key in _READING},
        "columns": list(spec.columns),
        "fields": {name: _field_as_json(field) for name, field in spec.fields.items()},
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


def _field_as_json(field: FieldSpec) -> dict[str, object]:
    if field.constant is not None:
        return {"constant": field.constant}
    written: dict[str, object] = {"columns": list(field.columns)}
    if field.steps:
        written["steps"] = [step.as_json() for step in field.steps]
    if field.default is not None:
        written["default"] = field.default
    return written
