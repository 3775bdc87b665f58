"""Strict reading of a pack file (YAML): what is not understood is refused with its place.

The keys of the file are the attributes of `definitions.py`, with these short forms:
`- repeat: 3` with `fields:` stands for its fields three times, `{n}` in their texts being 1, 2, 3;
a list inside `fields` (a YAML anchor) stands for its items; `max_length` of a record type holds for
each of its text fields without its own. Pure except for reading the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from portal.records.definitions import Feed, Field, FieldType, RecordType, Rule
from portal.records.pack_values import (
    FEED,
    FIELD,
    RECORD_TYPE,
    RULE,
    Converters,
    PackFault,
    attributes,
    count,
    listed,
    text,
)
from portal.records.soundness import feed_faults, record_type_faults

_MAX_REPEAT = 50


class PackError(Exception):
    """A pack cannot be used. The message names the file, the place and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The record types and feeds of one file. source: the file's name, for messages."""

    name: str
    label: str
    source: str
    record_types: tuple[RecordType, ...]
    feeds: tuple[Feed, ...]
    description: str = ""


def load_pack(path: Path) -> Pack:
    """The pack in that file. Raises PackError.

    References may name types of other packs: `Catalog` checks them.
    """
    document = _parsed(path)
    try:
        pack = _pack(document, path.name)
    except PackFault as fault:
        raise PackError(f"{path.name}: {fault}") from None
    faults = [*_repeated(pack), *_unsound(pack)]
    if faults:
        raise PackError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return pack


# The loader in C if PyYAML has it: it needs a tenth of the time when a process starts.
_Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PackLoader(_Safe):  # type: ignore[misc, valid-type]
    """A loader that refuses a repeated key, of which PyYAML would silently keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = Counter(str(key.value) for key, _ in node.value)
        for key, times in keys.items():
            if times > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key}" is written {times} times', node.start_mark
                )
        values: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return values


def _parsed(path: Path) -> object:
    try:
        # _PackLoader is a SafeLoader, which the linter cannot see.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_PackLoader)  # noqa: S506
    except OSError as fault:
        raise PackError(f"{path.name}: cannot be read: {fault.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise PackError(f"{path.name}: is not valid YAML in UTF-8: {fault}") from None


_PACK: Converters = {
    "pack": text,
    "label": text,
    "description": text,
    "record_types": listed,
    "feeds": listed,
}
_TYPE: Converters = {**RECORD_TYPE, "fields": listed, "rules": listed, "max_length": count}
_REPEAT: Converters = {"repeat": count, "fields": listed}


def _pack(document: object, source: str) -> Pack:
    given = attributes(_PACK, ("pack", "label", "record_types", "feeds"), document, "pack")
    name = given["pack"]
    return Pack(
        name=name,
        label=given["label"],
        description=given.get("description", ""),
        source=source,
        record_types=tuple(_record_type(item, name) for item in given["record_types"]),
        feeds=tuple(_feed(item, name) for item in given["feeds"]),
    )


def _place(kind: str, value: object) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return f'{kind} "{name}"' if name else f"a {kind} without a name"


def _record_type(value: object, pack: str) -> RecordType:
    place = _place("record type", value)
    given = attributes(_TYPE, ("name", "label", "key", "fields"), value, place)
    limit = given.pop("max_length", None)
    fields = tuple(_limited(field, limit) for field in _fields(given.pop("fields"), place))
    rules = tuple(
        Rule(**attributes(RULE, ("kind", "field"), rule, f"{place}: rule {number}"))
        for number, rule in enumerate(given.pop("rules", ()), start=1)
    )
    return RecordType(pack=pack, fields=fields, rules=rules, **given)


def _feed(value: object, pack: str) -> Feed:
    place = _place("feed", value)
    needed = ("name", "label", "record_type", "folders", "file_name")
    return Feed(pack=pack, **attributes(FEED, needed, value, place))


def _limited(field: Field, limit: int | None) -> Field:
    applies = field.type is FieldType.TEXT and field.max_length is None and not field.many
    return replace(field, max_length=limit) if applies else field


def _fields(items: object, place: str) -> Iterator[Field]:
    for item in listed(items, place):
        if isinstance(item, list):
            yield from _fields(item, place)
        elif isinstance(item, dict) and "repeat" in item:
            yield from _repeated_fields(item, place)
        else:
            field_place = f"{place}: {_place('field', item)}"
            yield Field(**attributes(FIELD, ("name",), item, field_place))


def _repeated_fields(item: object, place: str) -> Iterator[Field]:
    given = attributes(_REPEAT, ("repeat", "fields"), item, f"{place}: repeat")
    if not 1 <= given["repeat"] <= _MAX_REPEAT:
        raise PackFault(f"{place}: repeat", f"{given['repeat']} is not from 1 to {_MAX_REPEAT}")
    for number in range(1, given["repeat"] + 1):
        yield from _fields(_numbered(given["fields"], str(number)), place)


def _numbered(value: Any, number: str) -> Any:
    """The value with `{n}` replaced by the number in each of its texts."""
    if isinstance(value, str):
        return value.replace("{n}", number)
    if isinstance(value, list):
        return [_numbered(item, number) for item in value]
    if isinstance(value, dict):
        return {key: _numbered(item, number) for key, item in value.items()}
    return value


def _repeated(pack: Pack) -> Iterator[str]:
    for kind, items in (("record type", pack.record_types), ("feed", pack.feeds)):
        for name, times in Counter(item.name for item in items).items():
            if times > 1:
                yield f'{kind} "{name}": the name is given {times} times; rename all but one'


def _unsound(pack: Pack) -> Iterator[str]:
    types = {record_type.name: record_type for record_type in pack.record_types}
    for record_type in pack.record_types:
        for fault in record_type_faults(record_type):
            yield f'record type "{record_type.name}": {fault}'
    for feed in pack.feeds:
        target = types.get(feed.record_type)
        if target is None:
            names = ", ".join(types)
            yield (
                f'feed "{feed.name}": `record_type` names "{feed.record_type}", which this pack'
                f" does not have; use one of {names}"
            )
            continue
        yield from (f'feed "{feed.name}": {fault}' for fault in feed_faults(feed, target))
