"""A feed and its record type as one template has them: own fields, operation, blank cells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from imports.check.columns import fold
from imports.mapping.definitions import BlankRule, FieldSpec, OwnField, Spec
from imports.mapping.tables import missing
from portal.records.definitions import Blank, Feed, Field, Operation, RecordType

# Their rows name a record that is there already, or they change nothing: the key is enough.
_KEY_IS_ENOUGH = (Operation.REMOVE, Operation.UPDATE_ONLY)
_BLANKS = MappingProxyType({BlankRule.KEEP: Blank.KEEP, BlankRule.CLEAR: Blank.CLEAR})


def extended(record_type: RecordType, own_fields: Iterable[OwnField]) -> RecordType:
    """The record type with the tenant's own fields; one that it has already stays as it is."""
    known = {field.name for field in record_type.fields}
    added = [
        Field(name=own.name, type=own.type, label=own.label or own.name)
        for own in own_fields
        if own.name not in known
    ]
    return replace(record_type, fields=(*record_type.fields, *added)) if added else record_type


def applied(spec: Spec, feed: Feed) -> Feed:
    """The feed with the template's operation, blank rule and own fields; any order of columns.

    An operation in the settings holds for all rows: the feed's operation column is not read then.
    """
    settings = spec.settings
    own = [one.name for one in spec.own_fields if one.name not in feed.columns]
    return replace(
        feed,
        operation=settings.operation or feed.operation,
        row_operation=feed.row_operation if settings.operation is None else None,
        blank=feed.blank if settings.blank is None else _BLANKS.get(settings.blank, feed.blank),
        columns=(*feed.columns, *own) if feed.columns else (),
        header_strict=False,
    )


def filled(spec: Spec, made: FieldSpec, field: Field, record_type: RecordType) -> str | None:
    """What a blank cell of the field takes; None where it stays blank.

    A template that says that blank cells keep or clear means the optional fields' defaults too.
    """
    needed = field.required or field.name in record_type.key
    if needed or spec.settings.blank in (None, BlankRule.DEFAULT):
        return made.default
    return None


def needed(feed: Feed, record_type: RecordType) -> list[Field]:
    """The fields that a file must have a value for, by the feed's operation."""
    if feed.row_operation is None and feed.operation in _KEY_IS_ENOUGH:
        return [field for field in record_type.fields if field.name in record_type.key]
    known = set(feed.columns) or {field.name for field in record_type.fields}
    return [
        field
        for field in record_type.fields
        if field.name in record_type.key
        or (field.name in known and (field.required or field.header_required))
    ]


def unfit(
    spec: Spec,
    feed: Feed,
    record_type: RecordType,
    tables: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Why the spec does not fit the feed, one sentence each; empty where it does.

    feed, record_type: the catalog's. tables: the look-up tables' columns by name; None to leave
    that.
    """
    effective, target = applied(spec, feed), extended(record_type, spec.own_fields)
    return [
        *_clashing(spec, record_type),
        *_unknown_fields(spec, effective, target),
        *_unmapped(spec, effective, target),
        *(missing(spec, tables) if tables is not None else ()),
        *_misused(spec, target),
    ]


def _clashing(spec: Spec, record_type: RecordType) -> Iterator[str]:
    taken = {fold(name) for field in record_type.fields for name in (field.name, *field.aliases)}
    for own in spec.own_fields:
        if fold(own.name) in taken:
            yield f'The custom field "{own.name}" has the name of an existing field. Rename it.'


def _unknown_fields(spec: Spec, feed: Feed, record_type: RecordType) -> Iterator[str]:
    known = set(feed.columns) or {field.name for field in record_type.fields}
    if feed.row_operation is not None:
        known.add(feed.row_operation.column)
    for name in spec.fields:
        if name not in known:
            yield f'The template fills the field "{name}", which "{feed.label}" does not have.'


def _unmapped(spec: Spec, feed: Feed, record_type: RecordType) -> Iterator[str]:
    for field in needed(feed, record_type):
        if field.name not in spec.fields:
            yield (
                f'The template has no column for the required field "{field.name}". Map a '
                "column to it."
            )


def _misused(spec: Spec, record_type: RecordType) -> Iterator[str]:
    settings = spec.settings
    names = {field.name for field in record_type.fields}
    per = settings.limits_per.field if settings.limits_per else None
    for what, name in (("absent_scope", settings.absent_scope), ("limits_per", per)):
        if name is not None and name not in names:
            yield f'`{what}` names "{name}", which is not a field of "{record_type.label}".'
