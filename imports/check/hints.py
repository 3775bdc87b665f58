"""What a cell that cannot be read may have been meant as: the likely format, in a sentence. Pure.

Called for wrong cells only. A hint begins with a blank, for it follows what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType

from imports.check.spreadsheets import day_number
from portal.records.definitions import Field, FieldType

_PARTS = re.compile(r"([0-9]{1,2})([-./])([0-9]{1,2})\2((?:[0-9]{2})?[0-9]{2})\b(.*)")
_TIME = re.compile(r"[ T]+([0-9]{1,2}):([0-9]{2}(?::[0-9]{2})?)")
_YEAR_FIRST = re.compile(r"([0-9]{4})([/.]?)([0-9]{2})\2([0-9]{2})\b.*")
_NAMED = re.compile(r"[0-9]{1,2}[-. ]*[^\W\d_]{3,}|[^\W\d_]{3,}\.? +[0-9]{1,2}")
_COMMA = re.compile(r"[+-]?[0-9.']*[0-9],[0-9]+")
_EPOCH = date(1899, 12, 30)
_MOST_MONTHS = 12


def of_date(text: str, *, day_first: bool = False) -> str:
    """Which way of writing dates the text may follow. day_first: the column is written so."""
    if day_number(text):
        day = _EPOCH + timedelta(days=int(float(text)))
        return f" It may be a spreadsheet's number of {day}: format the column as a date."
    if match := _PARTS.fullmatch(text):
        return _of_parts(match, day_first)
    if match := _YEAR_FIRST.fullmatch(text):
        return f" It looks like year, month, day: write {match[1]}-{match[3]}-{match[4]}."
    if _NAMED.match(text):
        return " Write the month as a number, or choose the date format in a template."
    return ""


def _of_parts(match: re.Match[str], day_first: bool) -> str:
    """Of a date such as 31/01/2027; with points, the day comes first everywhere."""
    first, second, year = int(match[1]), int(match[3]), match[4]
    either = first != second and max(first, second) <= _MOST_MONTHS
    if either and match[2] != "." and not day_first:
        order = " It can be read in two ways."
        candidates = [(first, second), (second, first)]
    elif second > _MOST_MONTHS >= first:
        order, candidates = " It looks like month, day, year.", [(first, second)]
    else:
        order, candidates = " It looks like day, month, year.", [(second, first)]
    return f"{order} {_advice(year, candidates, _time(match[5]))}"


def _advice(year: str, candidates: Sequence[tuple[int, int]], time: str) -> str:
    """What to write. candidates: pairs of month and day."""
    template = "or choose the date format in a template."
    if len(year) < 4:
        return f"Write the year with four digits, {template}"
    if candidates[0][0] > _MOST_MONTHS:
        return "There is no such month: correct the date."
    dates = " or ".join(f"{year}-{month:02}-{day:02}{time}" for month, day in candidates)
    return f"Write {dates}{', whichever is meant' if len(candidates) > 1 else ''}, {template}"


def _time(text: str) -> str:
    """The time behind a date as ISO 8601 writes it; blank where there is none to be read."""
    match = _TIME.fullmatch(text)
    return f"T{int(match[1]):02}:{match[2]}" if match else ""


def of_number(text: str) -> str:
    """How the text may be a number of another country."""
    if _COMMA.fullmatch(text):
        return (
            " It looks like a number with a decimal comma: write a point instead, or choose the"
            " number format in a template."
        )
    return ""


def of_cip(text: str) -> str:
    """Whether a spreadsheet may have taken the zeros off a CIP code."""
    match = re.fullmatch(r"([0-9]{1,2})(?:\.([0-9]{1,4}))?", text)
    if match is None or (len(match[1]) == 2 and len(match[2] or "00") in (2, 4)):
        return ""
    meant = match[1].zfill(2) + (
        f".{match[2].ljust(2 if len(match[2]) < 3 else 4, '0')}" if match[2] else ""
    )
    return f" Spreadsheets take zeros off: it may have been {meant}. Format the column as text."


def hint_of(field: Field) -> Callable[[str], str] | None:
    """What gives the hints for a field's cells, if anything does."""
    if field.day_first is None or field.decimal_comma is None:
        return _contradicted
    if field.day_first and field.type in (FieldType.DATE, FieldType.DATETIME):
        return partial(of_date, day_first=True)
    return _BY_TYPE.get(field.type)


def _contradicted(_: str) -> str:
    return (
        " It can be read in two ways, and other cells of the column contradict each other about"
        " which one is meant (see the warning). Write dates as 2027-01-31 and numbers as 1250.5."
    )


_BY_TYPE: Mapping[FieldType, Callable[[str], str]] = MappingProxyType(
    {
        FieldType.DATE: of_date,
        FieldType.DATETIME: of_date,
        FieldType.INTEGER: of_number,
        FieldType.NUMBER: of_number,
        FieldType.CIP: of_cip,
    }
)
