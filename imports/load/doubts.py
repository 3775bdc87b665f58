"""Reasons to ask a person that no count of rows shows: what a plan does looks like a mistake. Pure.

Identifiers that all changed, that lost their leading zeros or were given to somebody else, one
field that changes nearly everywhere, and values that went to other records.
"""

from __future__ import annotations

from collections.abc import Iterator

from imports.issues import counted
from imports.load import ceilings
from imports.load.ceilings import LimitValues, ceiling, is_percent, percent
from imports.load.measured import Hold, Measured, Plan

# "Did the identifiers change?" is asked from this share and this number of recognised rows on.
CHANGED_PERCENT = 50
CHANGED_LEAST = 10


def doubts(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    """The reasons. limits: with the defaults. Raises BadLimit."""
    yield from _churn(measured, limits)
    yield from _identifiers(measured)
    yield from _reused(measured, limits)
    yield from _zeros(measured, limits)
    yield from _fields(measured, limits)
    yield from _moved(measured)


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


def _reused(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    limit, count, stored = limits["reused_keys"], measured.reused, measured.plan.stored
    if count > ceiling(limit, stored):
        sentence = (
            f"{counted(count, 'stored record')} would become somebody or something else: under "
            "the same identifier, everything that tells one from another is different (for people "
            "their name, e-mail address and date of birth). Were the identifiers given out again? "
            f"The limit is {ceilings.words(limit, stored)}."
        )
        yield Hold("reused_keys", sentence, "reused_keys", count, limit)


def _zeros(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    limit, count, stored = limits["lost_zeros"], measured.zeros, measured.plan.stored
    if count > ceiling(limit, stored):
        differ = "differs" if count == 1 else "differ"
        sentence = (
            f"{counted(count, 'new identifier')} {differ} from stored ones only in how a number is "
            "written, such as 42 from 0042 or 1.5 from 1.50: the file would create the same "
            "records again. Spreadsheets take leading zeros away; export the column as text. The "
            f"limit is {ceilings.words(limit, stored)}."
        )
        yield Hold("lost_zeros", sentence, "lost_zeros", count, limit)


def _fields(measured: Measured, limits: LimitValues) -> Iterator[Hold]:
    """One reason for each field that changes in more records than the limit, largest first."""
    limit, stored = limits["same_field"], measured.plan.stored
    for name, count in sorted(measured.fields.items(), key=lambda item: (-item[1], item[0])):
        if count > ceiling(limit, stored):
            sentence = (
                f"{name} would change in {count:,} of {stored:,} stored records. Does the column "
                "hold what it did before? The limit for one field is "
                f"{ceilings.words(limit, stored)}."
            )
            yield Hold("same_field", sentence, "same_field", count, limit, name)


def _moved(measured: Measured) -> Iterator[Hold]:
    """Checked without a limit: no institution gives its people each other's names."""
    for move in measured.moved:
        number = f"{move.count:,} of {measured.plan.updated:,} changed records"
        if move.other:
            sentence = (
                f"{move.field} and {move.other} would be exchanged in {number}. Are the headers of "
                "the two columns the wrong way round?"
            )
        elif move.same:
            sentence = (
                f"{move.field} would become one and the same value in {number}. Was a cell copied "
                "down the column?"
            )
        else:
            sentence = (
                f"In {number}, {move.field} would become what another of them has now. Was the "
                "column sorted or shifted without the others?"
            )
        yield Hold("moved_values", sentence, "", move.count, "", move.field)


def identifiers_suspect(plan: Plan, missing: int) -> bool:
    """Whether so many identifiers came and went that the new rows should be looked up by name."""
    if plan.created < CHANGED_LEAST:
        return False
    return _churn_percent(Measured(plan, missing=missing)) >= CHANGED_PERCENT


def _churn_percent(measured: Measured) -> int:
    """The smaller of two shares: new ones among the file's rows, missing ones among the stored."""
    plan = measured.plan
    return min(_share(plan.created, plan.accepted), _share(measured.missing, plan.stored))


def _share(part: int, whole: int) -> int:
    return part * 100 // whole if whole else 0
