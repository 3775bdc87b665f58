"""Dates and times of day in a column: every accepted spelling becomes one ISO 8601 text.

A date alone stays a date. A time with an offset becomes UTC and ends in Z; one without stays as
the sender's local time. Spellings: ISO 8601, or M/D/YYYY with or without a 12-hour time (Core
Data dictionary, research notes 1.5). Which of two numbers is the day, a column says by its other
values (`locales.py`). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import polars as pl

_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ISO_LOCAL = rf"{_ISO_TIME}$"
_ISO_OFFSET = rf"{_ISO_TIME} ?(?:[Zz]|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)$"
_WHOLE = r"^.{10}T[0-9:]{8}[^ a-z]*$"
_SLASHED = r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"
_TWELVE_HOURS = r" +[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})? ?[AaPp][Mm]$"
_NO_MONTH = "(?:1[3-9]|[2-9][0-9])"
_TWICE = "|".join(f"0?{month}/0?{month}" for month in range(1, 13))

_FEW = 4  # with this many times as many cells as distinct texts, looking texts up is faster

_DAY = "%Y-%m-%d"
_TIME = "%Y-%m-%dT%H:%M:%S%.f"


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One way to write a date.

    shape: of the texts. read: parses them to dates or times, null where impossible. stored: the
    format in which they are stored. iso: the text begins with the date as the sender sees it.
    """

    shape: str
    read: Callable[[pl.Expr], pl.Expr]
    stored: str
    iso: bool


_Stored = Callable[[_Spelling, pl.Expr, pl.Expr], pl.Expr]


def moment(cell: pl.Expr, day_first: bool | None = False) -> pl.Expr:
    """YYYY-MM-DD, YYYY-MM-DDTHH:MM:SS[.f] or the same in UTC with Z; null where unreadable.

    day_first: how 02/01/2027 is read; None where that is not known, and it is unreadable.
    """
    read = partial(_moments, day_first=day_first)
    return cell.map_batches(read, return_dtype=pl.String, is_elementwise=True)


def date(cell: pl.Expr, day_first: bool | None = False) -> pl.Expr:
    """YYYY-MM-DD as the sender wrote it, a time of day dropped; null where unreadable."""
    read = partial(_dates, day_first=day_first)
    return cell.map_batches(read, return_dtype=pl.String, is_elementwise=True)


def later(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """True where the first of two texts of `moment` is later than the second.

    Only dates are compared where one has no time of day, or where one is local and one is UTC: a
    row must not be refused for what the sender did not state.
    """
    have_times = first.str.len_bytes().gt(10) & second.str.len_bytes().gt(10)
    alike = first.str.ends_with("Z") == second.str.ends_with("Z")
    by_time = first.str.strip_suffix("Z") > second.str.strip_suffix("Z")
    by_date = first.str.slice(0, 10) > second.str.slice(0, 10)
    return pl.when(have_times & alike).then(by_time).otherwise(by_date)


def _moments(cells: pl.Series, day_first: bool | None) -> pl.Series:
    def whole(spelling: _Spelling, _: pl.Expr, value: pl.Expr) -> pl.Expr:
        return value.dt.to_string(spelling.stored)

    return _each_once(cells, whole, _SPELLINGS[day_first])


def _dates(cells: pl.Series, day_first: bool | None) -> pl.Series:
    def day(spelling: _Spelling, text: pl.Expr, value: pl.Expr) -> pl.Expr:
        if spelling.iso:
            return pl.when(value.is_not_null()).then(text.str.slice(0, 10))
        return value.dt.to_string(_DAY)

    return _each_once(cells, day, _SPELLINGS[day_first])


def _each_once(cells: pl.Series, stored: _Stored, spellings: Sequence[_Spelling]) -> pl.Series:
    """Read each text once: a file has a few hundred different days and many rows."""
    texts = cells.unique()
    if texts.len() * _FEW > cells.len():
        return _by_spelling(cells, stored, spellings)
    read = _by_spelling(texts, stored, spellings)
    return cells.replace_strict(texts, read, return_dtype=pl.String)


def _by_spelling(cells: pl.Series, stored: _Stored, spellings: Sequence[_Spelling]) -> pl.Series:
    """Try one spelling after the other on the texts that the previous ones could not read.

    A file mostly has one spelling a column; a single expression for all of them costs many times
    as much, because polars does not share its deeper parts.
    """
    frame = pl.DataFrame({"rest": cells}).with_columns(done=pl.lit(None, pl.String))
    for spelling in spellings:
        if frame["rest"].null_count() == frame.height:
            break
        fits = pl.col("rest").str.contains(spelling.shape)
        taken = frame.select("done", "rest", taken=pl.when(fits).then("rest"))
        value = pl.col("value")
        possible = pl.when(value.dt.year().is_between(1, 9999)).then(value)  # no year 0
        frame = (
            taken.with_columns(value=spelling.read(pl.col("taken")))
            .with_columns(value=possible)
            .select(
                rest=pl.when(pl.col("taken").is_null()).then("rest"),
                done=pl.coalesce("done", stored(spelling, pl.col("taken"), value)),
            )
        )
    return frame["done"].alias(cells.name)


def _iso_date(text: pl.Expr) -> pl.Expr:
    return text.str.to_date(_DAY, strict=False)


def _iso_local(text: pl.Expr) -> pl.Expr:
    return _with_seconds(text).str.to_datetime(_TIME, strict=False, time_unit="us")


def _iso_offset(text: pl.Expr) -> pl.Expr:
    return _with_seconds(text).str.to_datetime(
        f"{_TIME}%#z", strict=False, time_unit="us", time_zone="UTC"
    )


def _slashed_date(order: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: text.str.to_date(order, strict=False)


def _slashed_time(order: str) -> Callable[[pl.Expr], pl.Expr]:
    def read(text: pl.Expr) -> pl.Expr:
        spaced = text.str.to_uppercase().str.replace(r" +", " ")
        marked = spaced.str.replace(r" ?([AP]M)$", " ${1}")
        full = marked.str.replace(r" ([0-9]{1,2}:[0-9]{2}) ", " ${1}:00 ")
        return full.str.to_datetime(f"{order} %I:%M:%S %p", strict=False, time_unit="us")

    return read


def _with_seconds(text: pl.Expr) -> pl.Expr:
    """Bring texts to the form with T, seconds and Z; those that have it stay as they are."""
    is_whole = text.str.contains(_WHOLE)
    loose = pl.when(~is_whole).then(text)
    upright = loose.str.replace(r"^(.{10})[Tt ]", "${1}T").str.replace(r" ?z$", "Z")
    tight = upright.str.replace(" ", "", literal=True)
    return (
        pl.when(is_whole)
        .then(text)
        .otherwise(tight.str.replace(r"^(.{16})($|[Z+-])", "${1}:00${2}"))
    )


_MONTH_FIRST, _DAY_FIRST = "%m/%d/%Y", "%d/%m/%Y"
_ISO = (
    _Spelling(_ISO_DATE, _iso_date, _DAY, iso=True),
    _Spelling(_ISO_LOCAL, _iso_local, _TIME, iso=True),
    _Spelling(_ISO_OFFSET, _iso_offset, f"{_TIME}Z", iso=True),
)


def _slashed(order: str, shape: str = _SLASHED) -> tuple[_Spelling, ...]:
    """The spellings with slashes, of dates with or without a time, that have that shape."""
    return (
        _Spelling(f"{shape}$", _slashed_date(order), _DAY, iso=False),
        _Spelling(f"{shape}{_TWELVE_HOURS}", _slashed_time(order), _TIME, iso=False),
    )


_SPELLINGS: Mapping[bool | None, tuple[_Spelling, ...]] = MappingProxyType(
    {
        False: (*_ISO, *_slashed(_MONTH_FIRST)),
        True: (*_ISO, *_slashed(_DAY_FIRST)),
        # Only what can be read in one way.
        None: (
            *_ISO,
            *_slashed(_DAY_FIRST, rf"^{_NO_MONTH}/[0-9]{{1,2}}/[0-9]{{4}}"),
            *_slashed(_MONTH_FIRST, rf"^[0-9]{{1,2}}/{_NO_MONTH}/[0-9]{{4}}"),
            *_slashed(_DAY_FIRST, f"^(?:{_TWICE})/[0-9]{{4}}"),
        ),
    }
)
