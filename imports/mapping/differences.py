"""The differences between two versions of a template, in words for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imports.mapping.definitions import FieldSpec, Limits, LimitsPer, OwnField, Spec
from imports.mapping.steps import Map

_NOTHING = "nothing"
_READING = MappingProxyType(
    {
        "encoding": "Encoding",
        "delimiter": "Delimiter",
        "quote": "Quote",
        "header_row": "Header row",
        "skip_rows": "Lines skipped at the top",
        "skip_last": "Rows without a key that may be left out at the end",
        "sheet": "Sheet",
    }
)
_UNSAID = MappingProxyType(
    {
        "operation": "as the feed says",
        "blank": "as the feed says",
        "sheet": "the first",
        "keep_days": "the portal's default",
    }
)
_SETTINGS = MappingProxyType(
    {
        "operation": "Operation",
        "absent_scope": "Field that limits what is removed",
        "blank": "Blank cell",
        "unknown_columns": "Unknown columns",
        "missing_columns": "Missing columns",
        "limits": "Limits",
        "limits_per": "Limits per value",
        "mail": "Mail on completion",
        "keep_days": "Days that files are kept",
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. path: its subject; before, after: in words, "nothing" where there is none."""

    path: str
    before: str
    after: str


def diff(old: Spec, new: Spec) -> list[Change]:
    """The differences from one version to another, in the order of the page."""
    pairs = [
        *_attributes(old.reading, new.reading, _READING),
        ("Columns of the sample", _names(old.columns), _names(new.columns)),
        *_fields(old, new),
        *_own_fields(old, new),
        *_attributes(old.settings, new.settings, _SETTINGS),
    ]
    return [Change(path, before, after) for path, before, after in pairs if before != after]


def source_words(field: FieldSpec | None) -> str:
    """Where a field's value comes from, in words."""
    if field is None:
        return _NOTHING
    if field.constant is not None:
        return f'always "{field.constant}"'
    columns = ", ".join(f'"{name}"' for name in field.columns)
    parts = [columns, *(step.words() for step in field.steps)]
    if field.default is not None:
        parts.append(f'if blank "{field.default}"')
    return "; ".join(parts)


def reading_words(spec: Spec) -> list[tuple[str, str]]:
    """How the file is written: label and words, all of them."""
    return [(label, after) for label, _, after in _attributes(spec.reading, spec.reading, _READING)]


def settings_words(spec: Spec) -> list[tuple[str, str]]:
    """What the file does to the store: label and words, all of them."""
    pairs = _attributes(spec.settings, spec.settings, _SETTINGS)
    return [(label, after) for label, _, after in pairs]


def _fields(old: Spec, new: Spec) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*old.fields, *new.fields]):
        before, after = old.fields.get(name), new.fields.get(name)
        yield f'Field "{name}"', source_words(before), source_words(after)
        if before is not None and after is not None:
            yield from _maps(name, before, after)


def _maps(name: str, before: FieldSpec, after: FieldSpec) -> Iterator[tuple[str, str, str]]:
    """The single values of value maps, of which `source_words` names only some."""
    olds = [step.values for step in before.steps if isinstance(step, Map)]
    news = [step.values for step in after.steps if isinstance(step, Map)]
    if len(olds) != len(news):
        return
    for old, new in zip(olds, news, strict=True):
        for value in dict.fromkeys([*old, *new]):
            path = f'Field "{name}", value "{value}"'
            yield path, old.get(value, _NOTHING), new.get(value, _NOTHING)


def _own_fields(old: Spec, new: Spec) -> Iterator[tuple[str, str, str]]:
    before = {own.name: own for own in old.own_fields}
    after = {own.name: own for own in new.own_fields}
    for name in dict.fromkeys([*before, *after]):
        yield f'Custom field "{name}"', _own_words(before.get(name)), _own_words(after.get(name))


def _own_words(own: OwnField | None) -> str:
    return f"{own.type.value} {own.label}".strip() if own else _NOTHING


def _attributes(
    old: object, new: object, labels: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for name, label in labels.items():
        yield label, _word(name, getattr(old, name)), _word(name, getattr(new, name))


def _word(name: str, value: object) -> str:
    if value is None and name in _UNSAID:
        return _UNSAID[name]
    if name == "limits_per" and isinstance(value, LimitsPer):
        return f"{value.field}: {_limits(value.limits)}"
    if isinstance(value, Mapping):
        return _limits(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _NOTHING if value is None else str(value)


def _limits(limits: Limits) -> str:
    return ", ".join(f"{name} {limits[name]}" for name in sorted(limits)) or _NOTHING


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or _NOTHING
