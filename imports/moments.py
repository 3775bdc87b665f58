"""Dates and times of day in a column: every accepted spelling to one ISO 8601 text.

A date alone stays a date. A time with an offset becomes UTC and ends in Z; one without stays as
the sender's local time. Spellings: ISO 8601, or M/D/YYYY with or without a 12-hour time (Core
Data dictionary, research notes 1.5). Pure: polars expressions.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ISO_LOCAL = rf"{_ISO_TIME}$"
_ISO_OFFSET = rf"{_ISO_TIME} ?(?:[Zz]|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)$"
_US_DATE = r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"
_US_TIME = rf"{_US_DATE} +[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}})? ?[AaPp][Mm]$"


@dataclass(frozen=True, slots=True)
class _Kinds:
    """A column taken apart by spelling: in each row at most one of these is not null."""

    iso_date: pl.Expr
    iso_local: pl.Expr
    iso_offset: pl.Expr
    us_date: pl.Expr
    us_time: pl.Expr


def moment(cell: pl.Expr) -> pl.Expr:
    """YYYY-MM-DD, YYYY-MM-DDTHH:MM:SS[.f] or the same in UTC with Z; null where unreadable."""
    kinds = _by_spelling(cell)
    return pl.coalesce(
        _date_text(_real_date(kinds.iso_date, "%Y-%m-%d")),
        _local_text(_iso_local(kinds.iso_local)),
        _utc_text(_iso_offset(kinds.iso_offset)),
        _date_text(_real_date(kinds.us_date, "%m/%d/%Y")),
        _local_text(_us_time(kinds.us_time)),
    )


def date(cell: pl.Expr) -> pl.Expr:
    """YYYY-MM-DD as the sender wrote it, a time of day dropped; null where unreadable."""
    kinds = _by_spelling(cell)
    return pl.coalesce(
        _date_text(_real_date(kinds.iso_date, "%Y-%m-%d")),
        _where(_iso_local(kinds.iso_local), kinds.iso_local.str.slice(0, 10)),
        _where(_iso_offset(kinds.iso_offset), kinds.iso_offset.str.slice(0, 10)),
        _date_text(_real_date(kinds.us_date, "%m/%d/%Y")),
        _date_text(_us_time(kinds.us_time)),
    )


def later(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """True where the first of two texts of `moment` is later than the second.

    Only dates are compared where one has no time of day, or where one is local and one is UTC: a
    row must not be refused for what the sender did not say.
    """
    whole = one.str.len_bytes().gt(10) & other.str.len_bytes().gt(10)
    alike = one.str.ends_with("Z") == other.str.ends_with("Z")
    by_time = one.str.strip_suffix("Z") > other.str.strip_suffix("Z")
    by_date = one.str.slice(0, 10) > other.str.slice(0, 10)
    return pl.when(whole & alike).then(by_time).otherwise(by_date)


def _by_spelling(cell: pl.Expr) -> _Kinds:
    """Peeled off one by one: what is left is null where a spelling was found, and costs little."""
    iso_date, rest = _peel(cell, _ISO_DATE)
    iso_local, rest = _peel(rest, _ISO_LOCAL)
    iso_offset, rest = _peel(rest, _ISO_OFFSET)
    us_date, rest = _peel(rest, rf"{_US_DATE}$")
    us_time, _ = _peel(rest, _US_TIME)
    return _Kinds(iso_date, iso_local, iso_offset, us_date, us_time)


def _peel(cell: pl.Expr, spelling: str) -> tuple[pl.Expr, pl.Expr]:
    fits = cell.str.contains(spelling)
    return pl.when(fits).then(cell), pl.when(~fits).then(cell)


def _real_date(text: pl.Expr, form: str) -> pl.Expr:
    return _in_range(text.str.to_date(form, strict=False))


def _iso_local(text: pl.Expr) -> pl.Expr:
    return _in_range(
        _with_seconds(text).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    )


def _iso_offset(text: pl.Expr) -> pl.Expr:
    return _in_range(
        _with_seconds(text).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC"
        )
    )


def _us_time(text: pl.Expr) -> pl.Expr:
    spaced = text.str.to_uppercase().str.replace(r" +", " ").str.replace(r" ?([AP]M)$", " ${1}")
    full = spaced.str.replace(r" ([0-9]{1,2}:[0-9]{2}) ", " ${1}:00 ")
    return _in_range(full.str.to_datetime("%m/%d/%Y %I:%M:%S %p", strict=False, time_unit="us"))


def _with_seconds(text: pl.Expr) -> pl.Expr:
    upright = text.str.replace(r"^(.{10})[Tt ]", "${1}T").str.replace(r" ?z$", "Z")
    tight = upright.str.replace(" ", "", literal=True)
    return tight.str.replace(r"^(.{16})($|[Z+-])", "${1}:00${2}")


def _in_range(moment_or_date: pl.Expr) -> pl.Expr:
    """Without year 0, and without what an offset pushes beyond four digits."""
    return pl.when(moment_or_date.dt.year().is_between(1, 9999)).then(moment_or_date)


def _where(present: pl.Expr, text: pl.Expr) -> pl.Expr:
    return pl.when(present.is_not_null()).then(text)


def _date_text(value: pl.Expr) -> pl.Expr:
    return value.dt.to_string("%Y-%m-%d")


def _local_text(value: pl.Expr) -> pl.Expr:
    return value.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")


def _utc_text(value: pl.Expr) -> pl.Expr:
    return value.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
