"""A plan in numbers, what is measured beside it, and the reasons to ask a person. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job will do. read = created + updated + unchanged + removed + rejected.

    removed also counts the absent ones, which a mirror's file does not name. stored: the type's
    active records before. owned: those of them that a mirror without a scope may remove, which a
    percentage of removals is of; None for other files.
    """

    read: int
    created: int
    updated: int
    unchanged: int
    removed: int
    rejected: int
    stored: int = 0
    absent: int = 0
    owned: int | None = None

    @property
    def accepted(self) -> int:
        return self.read - self.rejected


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """What a plan does to the records with one value of a field."""

    created: int = 0
    updated: int = 0
    removed: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """Values of a field that went to other records. count: records.

    other: the field that it was exchanged with, record by record. same: all records got one value.
    """

    field: str
    count: int
    other: str = ""
    same: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """A plan with what was measured beside it. size, last_size: bytes; None where none came before.

    missing: active records that the file does not name. looked_up, recognised: how many of the new
    rows were looked up by name and e-mail, and how many of these the store has under another
    identifier. fields: in how many records each field gets another value, where that was counted.
    reused, zeros: how many records reused_keys and lost_zeros are about. moved: fields whose values
    went to other records. others: records of other
    sources that a mirror would remove, by the source's name.
    """

    plan: Plan
    size: int = 0
    last_size: int | None = None
    missing: int = 0
    looked_up: int = 0
    recognised: int = 0
    per_value: Mapping[str, ValueCounts] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)
    reused: int = 0
    zeros: int = 0
    moved: Sequence[Moved] = ()
    others: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to wait for a person.

    code: stable name of the cause. measure: the limit that, raised, lets it pass; empty where only
    a person's agreement does. count: the measured number, in the limit's unit (percent, records or
    bytes). value: the field's value that a limit per value is about, or the field of same_field.
    """

    code: str
    sentence: str
    measure: str
    count: int
    limit: str | int
    value: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
