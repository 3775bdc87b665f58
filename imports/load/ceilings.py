"""What a limit is, and how much it allows. Pure.

A limit is a whole number, of records or bytes, or a percentage as a text such as "10%".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LimitValues = Mapping[str, str | int]

FLOOR = 100  # rows that a percentage always allows
MEASURES = ("creates", "updates", "removes", "rejects", "size_change", "key_churn")


class BadLimit(ValueError):
    """A limit that is neither a whole number nor a percentage, or one that does not exist."""


def ceiling(limit: str | int, base: int, floor: int = FLOOR) -> int:
    """The limit in rows. Raises BadLimit."""
    text = str(limit).strip()
    try:
        if text.endswith("%"):
            return max(floor, int(base * percent(text) / 100))
        return int(text)
    except (ValueError, OverflowError) as exc:
        raise BadLimit(f"{limit!r} is neither a whole number nor a percentage.") from exc


def check(limits: LimitValues, names: Sequence[str] = MEASURES) -> None:
    """Raise BadLimit where a limit is unknown or cannot be read. names: those that may be set."""
    for name, limit in limits.items():
        if name not in names:
            raise BadLimit(f'There is no limit "{name}"; there are {", ".join(names)}.')
        if ceiling(limit, 0, 0) < 0 or (is_percent(limit) and percent(str(limit)) < 0):
            raise BadLimit(f"{limit!r} is negative.")


def is_percent(limit: str | int) -> bool:
    """Whether the limit is a percentage."""
    return str(limit).strip().endswith("%")


def percent(limit: str) -> float:
    """The number of a percentage. Raises ValueError."""
    return float(limit.strip()[:-1])
