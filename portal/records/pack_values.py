"""The keys of a pack file: how each value of the YAML becomes an attribute.

Pure. A converter takes the value and its place (words for the message) and raises PackFault.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from portal.records.definitions import Blank, FieldType, Operation, RowOperation

Converter: TypeAlias = Callable[[object, str], Any]
Converters: TypeAlias = Mapping[str, Converter]
_Member = TypeVar("_Member", bound=enum.StrEnum)


class PackFault(Exception):
    """A value is not understood. The message has its place inside the file."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")


def text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise PackFault(place, f"{value!r} is not a text; write it in quotes")
    return value


def flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise PackFault(place, f"{value!r} is neither true nor false")
    return value


def count(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PackFault(place, f"{value!r} is not a whole number")
    return value


def listed(value: object, place: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise PackFault(place, f"{value!r} is not a list; write it as [..., ...]")
    return value


def mapping(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PackFault(place, f"{value!r} is not a mapping of keys to values")
    return {text(key, place): item for key, item in value.items()}


def texts(value: object, place: str) -> tuple[str, ...]:
    return tuple(text(item, place) for item in listed(value, place))


def _folded_texts(value: object, place: str) -> Mapping[str, str]:
    pairs = mapping(value, place).items()
    return MappingProxyType({key.lower(): text(item, place) for key, item in pairs})


def _member(members: type[_Member]) -> Converter:
    def convert(value: object, place: str) -> _Member:
        for member in members:
            if value == member.value:
                return member
        allowed = ", ".join(member.value for member in members)
        raise PackFault(place, f"{value!r} is unknown; use one of {allowed}")

    return convert


def _operations(value: object, place: str) -> Mapping[str, Operation]:
    convert = _member(Operation)
    pairs = mapping(value, place).items()
    return MappingProxyType({key.lower(): convert(item, place) for key, item in pairs})


def _row_operation(value: object, place: str) -> RowOperation:
    given = {"blank": None, **mapping(value, place)}
    return RowOperation(**attributes(_ROW_OPERATION, ("column", "values"), given, place))


def _operation_or_none(value: object, place: str) -> Operation | None:
    operation: Operation | None = None if value is None else _member(Operation)(value, place)
    return operation


def attributes(
    converters: Converters, needed: Sequence[str], value: object, place: str
) -> dict[str, Any]:
    """The mapping's values, converted one by one. Raises PackFault for a key unknown or missing."""
    given = mapping(value, place)
    for key in given:
        if key not in converters:
            allowed = ", ".join(sorted(converters))
            raise PackFault(place, f'the key "{key}" is unknown; use one of {allowed}')
    for key in needed:
        if key not in given:
            raise PackFault(place, f'the key "{key}" is missing')
    return {key: converters[key](item, f"{place}: `{key}`") for key, item in given.items()}


FIELD: Converters = {
    "name": text,
    "type": _member(FieldType),
    "label": text,
    "required": flag,
    "header_required": flag,
    "max_length": count,
    "pattern": text,
    "pattern_words": text,
    "values": texts,
    "value_aliases": _folded_texts,
    "aliases": texts,
    "references": text,
    "many": flag,
    "blank": _member(Blank),
    "sample": text,
    "description": text,
}
RULE: Converters = {
    "kind": text,
    "field": text,
    "other": text,
    "values": texts,
    "severity": text,
}
RECORD_TYPE: Converters = {
    "name": text,
    "label": text,
    "key": texts,
    "fold_key": flag,
    "rank": count,
    "title": texts,
    "description": text,
    "version": count,
}
_ROW_OPERATION: Converters = {
    "column": text,
    "values": _operations,
    "blank": _operation_or_none,
}
FEED: Converters = {
    "name": text,
    "label": text,
    "record_type": text,
    "folders": texts,
    "file_name": text,
    "operation": _member(Operation),
    "row_operation": _row_operation,
    "blank": _member(Blank),
    "columns": texts,
    "header_strict": flag,
    "absorb_extra": flag,
    "keep_unknown": flag,
    "json_lines": flag,
    "rank": count,
    "description": text,
    "version": count,
}
