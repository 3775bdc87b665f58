"""Labels from the catalog for pages; a name that is not in the catalog is its own label."""

from __future__ import annotations

from portal.records.catalog import catalog
from portal.records.definitions import RecordType


def record_type(name: str) -> RecordType | None:
    """The record type of that name, or None."""
    try:
        return catalog().record_type(name)
    except KeyError:
        return None


def record_type_label(name: str) -> str:
    """The label of a record type."""
    definition = record_type(name)
    return definition.label if definition else name


def feed_label(name: str) -> str:
    """The label of a feed."""
    try:
        return catalog().feed(name).label
    except KeyError:
        return name


def feed_fields(name: str) -> list[str]:
    """The names of the fields that the feed fills, in order; empty for an unknown feed."""
    try:
        feed = catalog().feed(name)
    except KeyError:
        return []
    return [field.name for field in catalog().record_type(feed.record_type).fields]


def record_type_choices() -> list[tuple[str, str]]:
    """Every record type as (name, label), by label."""
    return sorted(((t.name, t.label) for t in catalog().order()), key=lambda pair: pair[1])
