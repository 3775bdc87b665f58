"""The first draft of a spec: a sample's header against the feed, by name and alias. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from imports.check.columns import fields_of, fold, operation_position, positions
from imports.mapping.definitions import FieldSpec, Spec
from portal.records.definitions import Feed, RecordType


def from_mapping(header: Sequence[str], feed: Feed, record_type: RecordType) -> Spec:
    """The spec with each field that the header names, spelled in any case, or by an alias."""
    names = tuple(name.strip() for name in header)
    taken = positions([fold(name) for name in names], fields_of(feed, record_type))
    if feed.row_operation is not None:
        operation = operation_position(names, feed)
        if operation is not None:
            taken[feed.row_operation.column] = operation
    fields = {name: FieldSpec(columns=(names[at],)) for name, at in taken.items()}
    return Spec(columns=_once(names), fields=MappingProxyType(fields))


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name once: a repeated name is refused when the file is read."""
    return tuple(dict.fromkeys(name for name in names if name))
