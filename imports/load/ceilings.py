"""What a limit is, and how much it allows. Pure.

A limit is a whole number, of records or bytes, or a percentage as a text such as "10%". Of counts a
percentage always allows FLOOR, so that a small institution is not asked about each change: 10% of
twenty people would be two. More than that would leave a small institution without protection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from imports.mapping.definitions import MEASURES

LimitValues = Mapping[str, str | int]

FLOOR = 5  # records that a percentage always allows, also of one value of a field
# What is asked about where nobody has set a limit; docs/operators.md has the same table.
DEFAULTS: LimitValues = MappingProxyType(
    {"removes": "10%", "same_field": "50%", "reused_keys": 0, "lost_zeros": 0}
)


class BadLimit(ValueError):
    """A limit that is neither a whole number nor a percentage, or one that does not exist."""


def ceiling(limit: str | int, base: int) -> int:
    """The limit in records. base: what a percentage is of. Raises BadLimit."""
    return max(FLOOR, exact(limit, base)) if is_percent(limit) else exact(limit, base)


def exact(limit: str | int, base: int) -> int:
    """The limit in records, without the floor. Raises BadLimit."""
    text = str(limit).strip()
    try:
        return int(base * percent(text) / 100) if text.endswith("%") else int(text)
    except (ValueError, OverflowError) as exc:
        raise BadLimit(f"{limit!r} is neither a whole number nor a percentage.") from exc


def words(limit: str | int, base: int) -> str:
    """The limit as a reason names it: what it comes to, and that the floor decides where it does.

    Raises BadLimit.
    """
    if not is_percent(limit):
        return str(limit)
    allowed = ceiling(limit, base)
    floor = f"; a percentage always allows {FLOOR}" if exact(limit, base) < FLOOR else ""
    return f"{limit} ({allowed:,} of {base:,}{floor})"


def check(limits: LimitValues, names: Sequence[str] = MEASURES) -> None:
    """Raise BadLimit where a limit is unknown or cannot be read. names: those that may be set."""
    for name, limit in limits.items():
        if name not in names:
            raise BadLimit(f'There is no limit "{name}"; there are {", ".join(names)}.')
        if exact(limit, 0) < 0 or (is_percent(limit) and percent(str(limit)) < 0):
            raise BadLimit(f"{limit!r} is negative.")


def is_percent(limit: str | int) -> bool:
    """Whether the limit is a percentage."""
    return str(limit).strip().endswith("%")


def percent(limit: str) -> float:
    """The number of a percentage. Raises ValueError."""
    return float(limit.strip()[:-1])
