"""Limits that turn a plan into a hold: how much one file may do before a person is asked.

Pure. Limits are data on the drop or template: {"removes": "10%", "rejects": 500, …}. A percentage
is of the type's active records (of the file's rows for rejects) and never bites below FLOOR rows.
Source: design.md section 7; reliability.md rule 11; peers.md on mass deletion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

DEFAULTS: Mapping[str, str | int] = {"removes": "10%"}
FLOOR = 100
_MEASURES = {
    "creates": ("created", "create"),
    "updates": ("updated", "change"),
    "removes": ("removed", "remove"),
    "rejects": ("rejected", "reject"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job will do. read = created + updated + unchanged + removed + rejected."""

    read: int
    created: int
    updated: int
    unchanged: int
    removed: int
    rejected: int
    stored: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


class BadLimit(ValueError):
    """A limit that is neither a whole number nor a percentage."""


def ceiling(limit: str | int, base: int) -> int:
    """The limit in rows. Raises BadLimit."""
    text = str(limit).strip()
    try:
        if text.endswith("%"):
            return max(FLOOR, int(base * float(text[:-1]) / 100))
        return int(text)
    except (ValueError, OverflowError) as exc:
        raise BadLimit(f"{limit!r} is neither a whole number nor a percentage.") from exc


def exceeded(
    plan: Plan, limits: Mapping[str, str | int], released: Mapping[str, int] | None = None
) -> list[str]:
    """Why the plan must wait for a person, one sentence a limit; empty where it may go on.

    released: the plan that a person has released already; what stays within it needs no new yes.
    """
    reasons = []
    for name, limit in {**DEFAULTS, **limits}.items():
        field, verb = _MEASURES[name]
        count = getattr(plan, field)
        base = plan.read if name == "rejects" else plan.stored
        allowed = ceiling(limit, base)
        if count > max(allowed, (released or {}).get(field, -1)):
            reasons.append(
                f"The file would {verb} {count:,} records; the limit is {limit}"
                + (f" ({allowed:,} of {base:,})." if str(limit).endswith("%") else ".")
            )
    return reasons
