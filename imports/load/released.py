"""What a release agreed to, and whether a plan that was made again is still that plan. Pure.

A person releases what a page showed. The file is read and compared again before it is applied, for
the store may have changed since; only the very plan that was shown goes through, by its digests
(`imports/load/digests.py`), or one that grew where the person allowed it by a higher limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imports.load.ceilings import ceiling
from imports.load.measured import Hold, Plan

# The limit that, raised at the release, lets an effect grow, and the effect's number in the plan.
EFFECTS = {"creates": "created", "updates": "updated", "removes": "removed"}
Digests = Mapping[str, str]


def is_same(digests: Digests, released: Mapping[str, Any]) -> bool:
    """Whether this is the very plan that was released."""
    return bool(released.get("digests") == digests)


def changed(
    plan: Plan,
    digests: Digests,
    released: Mapping[str, Any],
    changers: Sequence[tuple[str, int]],
) -> list[Hold]:
    """The reason to show the plan again, where it is not the released one nor within its limits.

    changers: the files that have changed records of the plan since it was shown, and how many.
    """
    others = [
        name
        for name, attribute in EFFECTS.items()
        if _differs(name, getattr(plan, attribute), digests, released)
        and not _may_grow(name, plan, released)
    ]
    if not others:
        return []
    numbers = differences(plan, released) or "it has the same numbers, but other records or values"
    sentence = f"The plan is not the one any more that was released: {numbers}."
    if changers:
        files = ", ".join(f"{name} ({count:,})" for name, count in changers)
        sentence += f" Records that it names were changed since by {files}."
    return [Hold("plan_changed", f"{sentence} Look at it again.", "", 0, "")]


def differences(plan: Plan, released: Mapping[str, Any]) -> str:
    """How a new plan differs from the released one in numbers; empty where it does not."""
    return ", ".join(
        f"{name} {getattr(plan, name):,} instead of {released[name]:,}"
        for name in (*EFFECTS.values(), "rejected")
        if name in released and released[name] != getattr(plan, name)
    )


def agreed_counts(released: Mapping[str, Any]) -> dict[tuple[str, str | None], int]:
    """How much a person has agreed to, by cause and value."""
    return dict(_agreed(released))


def _agreed(released: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str | None], int]]:
    for name, attribute in {**EFFECTS, "rejects": "rejected"}.items():
        if attribute in released:
            yield (name, None), released[attribute]
    for hold in released.get("holds", ()):
        yield (hold["code"], hold.get("value")), hold["count"]


def _differs(name: str, count: int, digests: Digests, released: Mapping[str, Any]) -> bool:
    """Whether an effect is another one. A plan of an older portal has numbers only."""
    before = released.get("digests")
    if before is None:
        return bool(released.get(EFFECTS[name], count) != count)
    return bool(before.get(name) != digests.get(name))


def _may_grow(name: str, plan: Plan, released: Mapping[str, Any]) -> bool:
    """Whether a limit raised at the release allows more of the effect than was shown."""
    limit = released.get("limits", {}).get(name)
    return limit is not None and ceiling(limit, plan.stored) > released.get(EFFECTS[name], 0)
