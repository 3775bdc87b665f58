"""The event types that the portal knows, with the members of their payloads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_TYPES = Path(__file__).with_name("types.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A known member of a payload. name: a dotted path. kind: text, number or choice."""

    name: str
    kind: str = "text"
    values: tuple[str, ...] = ()
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A known type of events."""

    name: str
    label: str
    description: str
    members: tuple[Member, ...]


@cache
def known_types() -> Mapping[str, EventType]:
    """The known types by name, from types.yaml."""
    declared = yaml.safe_load(_TYPES.read_text(encoding="utf-8"))
    return {
        name: EventType(
            name=name,
            label=entry["label"],
            description=entry["description"],
            members=tuple(
                Member(**{**field, "values": tuple(field.get("values", ()))})
                for field in entry["fields"]
            ),
        )
        for name, entry in declared.items()
    }


def type_label(name: str) -> str:
    """What people call the type: its label, or its name where the type is not known."""
    event_type = known_types().get(name)
    return event_type.label if event_type else name
