"""A feed and its record type as one template has them: own fields, operation, blank cells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from imports.check.columns import fold
from imports.mapping.definitions import BlankRule, FieldSpec, OwnField, Spec
from imports.mapping.tables import missing
from portal.faults import Fault
from portal.records.definitions import Blank, Feed, Field, Operation, RecordType

# Their rows name a record that is there already, or they change nothing: the key is enough.
_KEY_IS_ENOUGH = (Operation.REMOVE, Operation.UPDATE_ONLY)
_BLANKS = MappingProxyType({BlankRule.KEEP: Blank.KEEP, BlankRule.CLEAR: Blank.CLEAR})


def extended(record_type: RecordType, own_fields: Iterable[OwnField]) -> RecordType:
    """The record type with the tenant's own fields; one that it has already stays as it is."""
    names = {field.name for field in record_type.fields}
    added = [
        Field(name=own.name, type=own.type, label=own.label or own.name)
        for own in own_fields
        if own.name not in names
    ]
    return replace(record_type, fields=(*record_type.fields, *added)) if added else record_type


def applied(spec: Spec, feed: Feed) -> Feed:
    """The feed with the template's operation, blank rule and own fields; any order of columns.

    An operation in the settings holds for all rows: the feed's operation column is not read then.
    """
    settings = spec.settings
    own = [field.name for field in spec.own_fields if field.name not in feed.columns]
    return replace(
        feed,
        operation=settings.operation or feed.operation,
        row_operation=feed.row_operation if settings.operation is None else None,
        blank=feed.blank if settings.blank is None else _BLANKS.get(settings.blank, feed.blank),
        columns=(*feed.columns, *own) if feed.columns else (),
        header_strict=False,
    )


def blank_value(
    spec: Spec, field_spec: FieldSpec, field: Field, record_type: RecordType
) -> str | None:
    """The value that a blank cell of the field gets; None where it stays blank.

    Where the template says that blank cells keep or clear, optional fields get no default either.
    """
    needed = field.required or field.name in record_type.key
    if needed or spec.settings.blank in (None, BlankRule.DEFAULT):
        return field_spec.default
    return None


def needed(feed: Feed, record_type: RecordType) -> list[Field]:
    """The fields that a file must have a value for, by the feed's operation."""
    if feed.row_operation is None and feed.operation in _KEY_IS_ENOUGH:
        return [field for field in record_type.fields if field.name in record_type.key]
    names = _names(feed, record_type)
    return [
        field
        for field in record_type.fields
        if field.name in record_type.key
        or (field.name in names and (field.required or field.header_required))
    ]


def _names(feed: Feed, record_type: RecordType) -> set[str]:
    return set(feed.columns) or {field.name for field in record_type.fields}


def unfit(
    spec: Spec,
    feed: Feed,
    record_type: RecordType,
    tables: Mapping[str, Sequence[str]] | None = None,
) -> list[Fault]:
    """Why the spec does not fit the feed, each fault a sentence; empty where it does.

    feed, record_type: the catalog's. tables: the look-up tables' columns by name; None to leave
    them unchecked.
    """
    effective, target = applied(spec, feed), extended(record_type, spec.own_fields)
    return [
        *_clashing(spec, record_type),
        *_unknown_fields(spec, effective, target),
        *_unmapped(spec, effective, target),
        *(missing(spec, tables) if tables is not None else ()),
        *_misused(spec, target),
    ]


def _clashing(spec: Spec, record_type: RecordType) -> Iterator[Fault]:
    taken = {fold(name) for field in record_type.fields for name in (field.name, *field.aliases)}
    for position, own in enumerate(spec.own_fields):
        if fold(own.name) in taken:
            path = ("own_fields", position, "name")
            message = 'The custom field "%(name)s" has the name of an existing field. Rename it.'
            yield Fault(path, "own_field_taken", message, {"name": own.name})


def _unknown_fields(spec: Spec, feed: Feed, record_type: RecordType) -> Iterator[Fault]:
    names = _names(feed, record_type)
    if feed.row_operation is not None:
        names.add(feed.row_operation.column)
    for name in spec.fields:
        if name not in names:
            message = 'The template fills the field "%(name)s", which "%(feed)s" does not have.'
            params = {"name": name, "feed": feed.label}
            yield Fault(("fields", name), "unknown_field", message, params)


def _unmapped(spec: Spec, feed: Feed, record_type: RecordType) -> Iterator[Fault]:
    for field in needed(feed, record_type):
        if field.name not in spec.fields:
            message = (
                'The template has no column for the required field "%(name)s". Map a column to it.'
            )
            yield Fault(("fields", field.name), "not_mapped", message, {"name": field.name})


def _misused(spec: Spec, record_type: RecordType) -> Iterator[Fault]:
    settings = spec.settings
    names = {field.name for field in record_type.fields}
    per = settings.limits_per.field if settings.limits_per else None
    for setting, name in (("absent_scope", settings.absent_scope), ("limits_per", per)):
        if name is not None and name not in names:
            message = '`%(setting)s` names "%(name)s", which is not a field of "%(type)s".'
            params = {"setting": setting, "name": name, "type": record_type.label}
            yield Fault(("settings", setting), "not_a_field", message, params)
