"""Limits that turn a plan into a hold: how much one file may do before a person is asked.

Pure. Limits are data on the drop or template: {"removes": "10%", "rejects": 500, …}. A percentage
of rejects is of the file's rows, of the other counts of the type's active records, and always
allows ceilings.FLOOR. size_change is percent or bytes against the last applied file; key_churn is
percent or records. same_field: records in which one field gets another value; reused_keys: records
that become somebody else; lost_zeros: new records whose key is a stored one, as a spreadsheet
writes numbers. A store without records has nothing to lose: a percentage of creates, and what
compares with stored records, is not asked there.
Source: design.md section 7; reliability.md rule 11; peers.md on mass deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imports.issues import counted
from imports.load import ceilings
from imports.load.ceilings import DEFAULTS, LimitValues, ceiling, check, is_percent, percent
from imports.load.doubts import doubts
from imports.load.measured import Hold, Measured, Plan
from imports.load.released import agreed_counts

MOST_VALUES = 20
MISSING_COLUMNS = "missing_columns"
_COUNTED = {
    "creates": ("created", "create"),
    "updates": ("updated", "change"),
    "removes": ("removed", "remove"),
    "rejects": ("rejected", "reject"),
}
PER_MEASURES = ("creates", "updates", "removes")


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
    limits = {**DEFAULTS, **limits}
    reasons = [*_counted(measured.plan, limits), *_mirror(measured.plan)]
    reasons += _other_sources(measured)
    reasons += [*_size(measured, limits), *doubts(measured, limits)]
    if limits_per:
        reasons += _per_value(measured, str(limits_per["field"]), limits_per["limits"])
    agreed = agreed_counts(released or {})
    return [hold for hold in reasons if hold.count > agreed.get((hold.code, hold.value), -1)]


def of_header(reasons: Iterable[str], code: str = "header") -> list[Hold]:
    """Holds that a template asks for because of the header; a release agrees to all of them."""
    return [Hold(code, reason, "", 0, "") for reason in reasons]


def _counted(plan: Plan, limits: LimitValues) -> Iterator[Hold]:
    for name, limit in limits.items():
        if name not in _COUNTED or (name == "creates" and is_percent(limit) and not plan.stored):
            continue
        if name == "removes" and _is_empty_mirror(plan):
            continue  # that has a reason of its own, with the same number
        attribute, verb = _COUNTED[name]
        count, base = getattr(plan, attribute), _base(plan, name)
        if count > ceiling(limit, base):
            of = ceilings.words(limit, base)
            sentence = f"The file would {verb} {counted(count, 'record')}; the limit is {of}."
            yield Hold(name, sentence, name, count, limit)


def _base(plan: Plan, name: str) -> int:
    """What a percentage is of."""
    if name == "rejects":
        return plan.read
    return plan.stored if name != "removes" or plan.owned is None else plan.owned


def _is_empty_mirror(plan: Plan) -> bool:
    return bool(plan.absent and not plan.read)


def _mirror(plan: Plan) -> Iterator[Hold]:
    """A mirror without rows does not empty the store; rejected rows do not count as absent."""
    if _is_empty_mirror(plan):
        sentence = (
            f"The file has no rows, and {counted(plan.absent, 'record')} would be removed. Is the"
            " file incomplete?"
        )
        yield Hold("empty_mirror", sentence, "", plan.absent, 0)
    elif plan.absent and plan.rejected:
        are = "is" if plan.rejected == 1 else "are"
        sentence = (
            f"{counted(plan.rejected, 'row')} {are} rejected, and {counted(plan.absent, 'record')}"
            " of which no accepted row is in the file would be removed. Records of the rejected"
            " rows may be among them."
        )
        yield Hold("rejected_in_mirror", sentence, "", plan.absent, 0)


def _other_sources(measured: Measured) -> Iterator[Hold]:
    """A mirror removes what others brought only where a person agrees, source by source."""
    for name, count in measured.others.items():
        sentence = (
            f"{counted(count, 'record')} that this file does not name would be removed, though "
            f"another source brought them: {name}."
        )
        yield Hold("other_sources", sentence, "", count, 0, name)


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
    if measure == "creates" and is_percent(limit) and not measured.plan.stored:
        return []
    beyond = []
    for value, counts in measured.per_value.items():
        count = getattr(counts, attribute)
        if count > ceiling(limit, counts.stored):
            of = ceilings.words(limit, counts.stored)
            sentence = (
                f"{name} {value or '(blank)'}: the file would {verb} {counted(count, 'record')}; "
            )
            sentence += f"the limit is {of}."
            beyond.append(Hold(f"{measure}_per_value", sentence, measure, count, limit, value))
    beyond.sort(key=lambda hold: (-hold.count, hold.value or ""))
    if more := beyond[MOST_VALUES:]:
        sentence = f"{len(more):,} more values of {name} exceed the limit of {limit}."
        rest = Hold(f"{measure}_per_value_more", sentence, measure, more[0].count, limit)
        return [*beyond[:MOST_VALUES], rest]
    return beyond
