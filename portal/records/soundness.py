"""Checks that a record type or a feed is sound, for packs and for types made by hand.

Pure. Each check yields sentences: where, what is wrong, what to do. No sentence means sound.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from portal.records.definitions import Feed, Field, FieldType, RecordType, Rule

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # also the name of an SQL view
_BEYOND_LINEAR = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")
_NEEDS_OTHER = frozenset({"differs", "not_after", "required_unless", "blank_when"})
_NEEDS_VALUES = frozenset({"required_unless", "blank_when", "only_one", "within_parent"})
_KINDS = _NEEDS_OTHER | _NEEDS_VALUES | {"tree"}


def record_type_faults(record_type: RecordType) -> Iterator[str]:
    """What is wrong with a record type, references to other types left aside."""
    names = {f.name for f in record_type.fields}
    if not _NAME.fullmatch(record_type.name):
        yield f'the name "{record_type.name}" must be lower-case letters, digits and _'
    if not record_type.key:
        yield "`key` is empty: name the fields that identify a record"
    yield from _repeated_headers(record_type.fields)
    yield from _strangers("key", record_type.key, names)
    yield from _strangers("title", record_type.title, names)
    for field in record_type.fields:
        yield from (f'field "{field.name}": {fault}' for fault in _field_faults(field))
        if field.name in record_type.key:
            yield from _key_field_faults(field)
    for rule in record_type.rules:
        place = f'rule "{rule.kind}" of "{rule.field}"'
        yield from (f"{place}: {fault}" for fault in _rule_faults(rule, record_type, names))


def feed_faults(feed: Feed, record_type: RecordType) -> Iterator[str]:
    """What is wrong with a feed of that record type."""
    names = {f.name for f in record_type.fields}
    if not _NAME.fullmatch(feed.name):
        yield f'the name "{feed.name}" must be lower-case letters, digits and _'
    if not feed.folders:
        yield "`folders` is empty: name the folder that the file is dropped in"
    if feed.row_operation:
        names.add(feed.row_operation.column)
    yield from _strangers("columns", feed.columns, names)
    if feed.columns:
        missing = [name for name in record_type.key if name not in feed.columns]
        yield from (f'`columns` lacks the key field "{name}": add it' for name in missing)
    if feed.header_strict and not feed.columns:
        yield "`header_strict` needs `columns`: they give the required order"


def reference_faults(record_type: RecordType, types: Mapping[str, RecordType]) -> Iterator[str]:
    """References to types that do not exist or whose key has several fields."""
    for field in record_type.fields:
        if field.references is None:
            continue
        target = types.get(field.references)
        if target is None:
            names = ", ".join(sorted(types))
            yield (
                f'field "{field.name}": `references` names the unknown record type'
                f' "{field.references}"; use one of {names}'
            )
        elif len(target.key) != 1:
            yield (
                f'field "{field.name}": `references` names "{target.name}", whose key has'
                f" {len(target.key)} fields; only a key of one field can be referred to"
            )


def _repeated_headers(fields: Iterable[Field]) -> Iterator[str]:
    spelled = Counter(
        header.casefold() for field in fields for header in {field.name, *field.aliases}
    )
    for header, times in spelled.items():
        if times > 1:
            yield f'the header "{header}" belongs to {times} fields: rename or remove all but one'


def _strangers(place: str, named: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    field_names = set(names)
    for name, times in Counter(named).items():
        if name not in field_names:
            yield f'`{place}` names "{name}", which is not a field of the record type'
        if times > 1:
            yield f'`{place}` names "{name}" {times} times: once is enough'


def _key_field_faults(field: Field) -> Iterator[str]:
    if not field.required:
        yield f'field "{field.name}" belongs to the key: it needs `required: true`'
    if field.many:
        yield f'field "{field.name}" belongs to the key: it cannot be `many`'


def _field_faults(field: Field) -> Iterator[str]:
    checks: tuple[tuple[bool, str], ...] = (
        (not field.name.strip() or field.name != field.name.strip(), "the name is blank or padded"),
        (field.name.startswith("_"), "names that begin with _ are reserved for error attachments"),
        (field.type is FieldType.ENUM and not field.values, "an enum needs `values`"),
        (field.type is not FieldType.ENUM and bool(field.values), "`values` are for enums only"),
        (field.max_length is not None and field.max_length < 1, "`max_length` must be 1 or more"),
        (
            bool(field.references) and field.type is not FieldType.TEXT,
            "a field with `references` must be of type text",
        ),
        (
            field.many and field.type is not FieldType.TEXT,
            "a field with `many` must be of type text",
        ),
        (
            bool(set(field.value_aliases.values()) - set(field.values)),
            "`value_aliases` must lead to one of `values`",
        ),
        (
            len({v.casefold() for v in field.values}) != len(field.values),
            "`values` repeats a value (case is ignored)",
        ),
        (
            not _is_pattern(field.pattern),
            f'`pattern` "{field.pattern}" is not a regular expression',
        ),
        (
            bool(_BEYOND_LINEAR.search(field.pattern or "")),
            "`pattern` may not look around or refer back: it must be matched in linear time",
        ),
        (
            field.pattern is not None and not field.pattern_words.strip(),
            "`pattern` needs `pattern_words`, a sentence that tells a sender the form",
        ),
    )
    yield from (sentence for wrong, sentence in checks if wrong)


def _is_pattern(pattern: str | None) -> bool:
    try:
        re.compile(pattern or "")
    except re.error:
        return False
    return True


def _rule_faults(rule: Rule, record_type: RecordType, names: set[str]) -> Iterator[str]:
    if rule.kind not in _KINDS:
        yield f"the kind is unknown; use one of {', '.join(sorted(_KINDS))}"
        return
    if rule.field not in names:
        yield f'"{rule.field}" is not a field of the record type'
        return
    if rule.severity not in ("error", "warning"):
        yield f'`severity` is "{rule.severity}"; use error or warning'
    if rule.kind in _NEEDS_VALUES and not rule.values:
        yield "it needs `values`"
    if rule.kind in _NEEDS_OTHER and (rule.other is None or rule.other not in names):
        yield "it needs `other`, the name of a second field"
        return
    special: Mapping[str, Callable[[Rule, RecordType], Iterator[str]]] = {
        "tree": _tree_faults,
        "within_parent": _within_faults,
        "not_after": _order_faults,
    }
    if rule.kind in special:
        yield from special[rule.kind](rule, record_type)


def _tree_faults(rule: Rule, record_type: RecordType) -> Iterator[str]:
    field = record_type.field(rule.field)
    if field.references != record_type.name or field.many:
        yield "the field must refer to one record of its own record type"


def _within_faults(rule: Rule, record_type: RecordType) -> Iterator[str]:
    yield from _tree_faults(rule, record_type)
    times = {FieldType.DATE, FieldType.DATETIME}
    types = {field.name: field.type for field in record_type.fields}
    if len(rule.values) != 2 or not {types.get(name) for name in rule.values} <= times:
        yield "`values` must name two fields that are dates: from and to"


def _order_faults(rule: Rule, record_type: RecordType) -> Iterator[str]:
    times = {FieldType.DATE, FieldType.DATETIME}
    numbers = {FieldType.INTEGER, FieldType.NUMBER, FieldType.CREDIT}
    types = {record_type.field(name).type for name in (rule.field, rule.other or "")}
    if not (types <= times or types <= numbers):
        yield "both fields must be dates, or both must be numbers"
