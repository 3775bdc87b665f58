"""Limits that turn a plan into a hold: how much one file may do before a person is asked.

Pure. Limits are data on the drop or template: {"removes": "10%", "rejects": 500, …}. A percentage
of creates, updates and removes is of the type's active records, of rejects of the file's rows, and
never applies below FLOOR rows (PER_FLOOR for one value of a field). size_change is percent or bytes
against the last applied file; key_churn is percent or records.
Source: design.md section 7; reliability.md rule 11; peers.md on mass deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from imports.load.ceilings import LimitValues, ceiling, check, is_percent, percent

DEFAULTS: LimitValues = {"removes": "10%"}
PER_FLOOR = 10
# "Did the identifiers change?" is asked from this share and this number of recognised rows on.
CHANGED_PERCENT = 50
CHANGED_LEAST = 10
MOST_VALUES = 20
MISSING_COLUMNS = "missing_columns"
_COUNTED = {
    "creates": ("created", "create"),
    "updates": ("updated", "change"),
    "removes": ("removed", "remove"),
    "rejects": ("rejected", "reject"),
}
PER_MEASURES = ("creates", "updates", "removes")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job will do. read = created + updated + unchanged + removed + rejected.

    removed also counts the absent ones, which a mirror's file does not name. stored: the type's
    active records before.
    """

    read: int
    created: int
    updated: int
    unchanged: int
    removed: int
    rejected: int
    stored: int = 0
    absent: int = 0

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
class Measured:
    """A plan with what was measured beside it. size, last_size: bytes; None where none came before.

    missing: active records that the file does not name. looked_up, recognised: how many of the new
    rows were looked up by name and e-mail, and how many of these the store has under another
    identifier.
    """

    plan: Plan
    size: int = 0
    last_size: int | None = None
    missing: int = 0
    looked_up: int = 0
    recognised: int = 0
    per_value: Mapping[str, ValueCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to wait for a person.

    code: stable name of the cause. measure: the limit that, raised, lets it pass; empty where only
    a person's agreement does. count: the measured number, in the limit's unit (percent, records or
    bytes). value: the field's value that a limit per value is about.
    """

    code: str
    sentence: str
    measure: str
    count: int
    limit: str | int
    value: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def holds(
    measured: Measured,
    limits: LimitValues,
    limits_per: Mapping[str, Any] | None = None,
    released: Mapping[str, Any] | None = None,
) -> list[Hold]:
    """Why the plan must wait for a person; empty where it may go on. Raises BadLimit.

    limits_per: {"field": name, "limits": {…}}. released: the plan that a person has agreed to, with
    its holds; what stays within it is not held again.
    """
    check(limits)
    reasons = [*_counted(measured.plan, {**DEFAULTS, **limits}), *_mirror(measured.plan)]
    reasons += [*_size(measured, limits), *_churn(measured, limits), *_identifiers(measured)]
    if limits_per:
        reasons += _per_value(measured, str(limits_per["field"]), limits_per["limits"])
    agreed = _agreed(released or {})
    return [hold for hold in reasons if hold.count > agreed.get((hold.code, hold.value), -1)]


def of_header(reasons: Iterable[str], code: str = "header") -> list[Hold]:
    """Holds that a template asks for because of the header; a release agrees to all of them."""
    return [Hold(code, reason, "", 0, "") for reason in reasons]


def differences(plan: Plan, released: Mapping[str, Any]) -> str:
    """How a new plan differs from the released one, as a sentence; empty where it does not."""
    changed = [
        f"{name} {getattr(plan, name):,} instead of {released[name]:,}"
        for name in ("created", "updated", "removed", "rejected")
        if name in released and released[name] != getattr(plan, name)
    ]
    if not changed:
        return ""
    return (
        f"The store has changed since the release, so it was planned again: {', '.join(changed)}."
    )


def _agreed(released: Mapping[str, Any]) -> dict[tuple[str, str | None], int]:
    """How much a person has agreed to, by cause and value."""
    agreed: dict[tuple[str, str | None], int] = {
        (name, None): released[attribute]
        for name, (attribute, _) in _COUNTED.items()
        if attribute in released
    }
    for hold in released.get("holds", ()):
        agreed[hold["code"], hold.get("value")] = hold["count"]
    return agreed


def _counted(plan: Plan, limits: LimitValues) -> Iterator[Hold]:
    for name, limit in limits.items():
        if name not in _COUNTED:
            continue
        attribute, verb = _COUNTED[name]
        count = getattr(plan, attribute)
        base = plan.read if name == "rejects" else plan.stored
        allowed = ceiling(limit, base)
        if count > allowed:
            sentence = f"The file would {verb} {count:,} records; the limit is {limit}"
            sentence += f" ({allowed:,} of {base:,})." if is_percent(limit) else "."
            yield Hold(name, sentence, name, count, limit)


def _mirror(plan: Plan) -> Iterator[Hold]:
    """A mirror without rows does not empty the store; rejected rows do not count as absent."""
    if plan.absent and not plan.read:
        sentence = (
            f"The file has no rows. All {plan.absent:,} records that are not in it "
            "would be removed. Is the file incomplete?"
        )
        yield Hold("empty_mirror", sentence, "", plan.absent, 0)
    elif plan.absent and plan.rejected:
        sentence = (
            f"{plan.rejected:,} rows are rejected, and {plan.absent:,} records that are "
            "not in an accepted row would be removed. Records of the rejected rows may "
            "be among them."
        )
        yield Hold("rejected_in_mirror", sentence, "", plan.absent, 0)


def _size(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    limit, last = limits.get("size_change"), measured.last_size
    if limit is None or not last:
        return
    change = abs(measured.size - last)
    count = -(-change * 100 // last) if is_percent(limit) else change
    if change > (last * percent(str(limit)) / 100 if is_percent(limit) else int(limit)):
        way = "smaller" if measured.size < last else "larger"
        by = f"{count:,} %" if is_percent(limit) else f"{change:,} bytes"
        sentence = (
            f"The file is {by} {way} than the last imported file ({measured.size:,} "
            f"bytes after {last:,}); the limit is {limit}."
        )
        yield Hold("size_change", sentence, "size_change", count, limit)


def _churn(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    limit = limits.get("key_churn")
    if limit is None:
        return
    records = min(measured.plan.created, measured.missing)
    count = _churn_percent(measured) if is_percent(limit) else records
    if count > (percent(str(limit)) if is_percent(limit) else int(limit)):
        sentence = (
            f"{measured.plan.created:,} rows have new identifiers, and {measured.missing:,} of "
            f"{measured.plan.stored:,} stored records are not in the file; the limit is {limit}."
        )
        yield Hold("key_churn", sentence, "key_churn", count, limit)


def _identifiers(measured: Measured) -> Iterator[Hold]:
    """Checked without a limit: nobody expects new identifiers, and they double every person."""
    if not identifiers_suspect(measured.plan, measured.missing):
        return
    recognised, looked_up = measured.recognised, measured.looked_up
    if recognised < CHANGED_LEAST or recognised * 100 < CHANGED_PERCENT * looked_up:
        return
    share = _share(measured.plan.created, measured.plan.accepted)
    sentence = (
        f"{share} % of the identifiers are new, while {recognised:,} of "
        f"{looked_up:,} of these rows look like stored records with other "
        "identifiers. Did the identifiers change?"
    )
    yield Hold("identifiers_changed", sentence, "", share, f"{CHANGED_PERCENT}%")


def identifiers_suspect(plan: Plan, missing: int) -> bool:
    """Whether so many identifiers came and went that the new rows should be looked up by name."""
    if plan.created < CHANGED_LEAST:
        return False
    return _churn_percent(Measured(plan, missing=missing)) >= CHANGED_PERCENT


def _per_value(measured: Measured, name: str, limits: LimitValues) -> list[Hold]:
    check(limits, PER_MEASURES)
    return [
        hold
        for measure, limit in limits.items()
        for hold in _of_values(measured, name, measure, limit)
    ]


def _of_values(measured: Measured, name: str, measure: str, limit: str | int) -> list[Hold]:
    """Holds for values beyond a limit, largest first; beyond MOST_VALUES one hold for the rest."""
    attribute, verb = _COUNTED[measure]
    beyond = []
    for value, counts in measured.per_value.items():
        count, allowed = getattr(counts, attribute), ceiling(limit, counts.stored, PER_FLOOR)
        if count > allowed:
            of = f" ({allowed:,} of {counts.stored:,})" if is_percent(limit) else ""
            sentence = (
                f"{name} {value or '(blank)'}: the file would {verb} {count:,} records; the limit "
                f"is {limit}{of}."
            )
            beyond.append(Hold(f"{measure}_per_value", sentence, measure, count, limit, value))
    beyond.sort(key=lambda hold: (-hold.count, hold.value or ""))
    if more := beyond[MOST_VALUES:]:
        sentence = f"{len(more):,} more values of {name} exceed the limit of {limit}."
        rest = Hold(f"{measure}_per_value_more", sentence, measure, more[0].count, limit)
        return [*beyond[:MOST_VALUES], rest]
    return beyond


def _churn_percent(measured: Measured) -> int:
    """The smaller of two shares: new ones among the file's rows, missing ones among the stored."""
    plan = measured.plan
    return min(_share(plan.created, plan.accepted), _share(measured.missing, plan.stored))


def _share(part: int, whole: int) -> int:
    return part * 100 // whole if whole else 0
