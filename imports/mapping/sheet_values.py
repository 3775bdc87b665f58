"""A cell of a sheet as text, as a person sees it: dates as ISO 8601, numbers without artefacts.

Dates are numbers with a date format (ECMA-376 part 1, 18.8.30). Pure.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext

_DIGITS = 15  # that a spreadsheet shows of a number
_LARGEST = 40  # digits of a number that is written out
_DATES = {*range(14, 18), *range(27, 32), 34, 35, 36, *range(50, 55), 57, 58}
_TIMES = {18, 19, 20, 21, 32, 33, 55, 56}
_BOTH = {22}
_SPANS = {45, 46, 47}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ZEROS = re.compile(r"0{2,40}")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  local times have no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_LEAP_BUG = 60  # Excel counts a 29th of February 1900
_LAST_DAY = 2_958_466
_DAY = 86_400


def format_kind(number: int, code: str) -> str:
    """What a number format shows: "date", "time", "moment", "span", "" or zeros to pad with."""
    for kind, numbers in (("date", _DATES), ("time", _TIMES), ("moment", _BOTH), ("span", _SPANS)):
        if not code and number in numbers:
            return kind
    code = _LITERAL.sub("", code.split(";")[0]).strip().lower()
    if _ZEROS.fullmatch(code):
        return code
    if re.search(r"\[[hms]+\]", code):
        return "span"
    days = re.search(r"[yd]|m{3,}|(?<![hs:])\bm\b(?!:)", code.replace("general", ""))
    times = re.search(r"h|s", code.replace("general", ""))
    return {(True, True): "moment", (True, False): "date", (False, True): "time"}.get(
        (bool(days), bool(times)), ""
    )


def number_text(raw: str, kind: str, from_1904: bool) -> str:
    """The text of a cell that holds a number; text that is no number stays as it is."""
    raw = raw.strip()
    try:
        value = Decimal(raw)
    except InvalidOperation:
        return raw
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST:
        return raw
    if not kind or kind[0] == "0":
        return _plain(raw, value).zfill(len(kind)) if value >= 0 else _plain(raw, value)
    return _dated(value, kind, from_1904) or _plain(raw, value)


def _plain(raw: str, value: Decimal) -> str:
    """As short as it is shown: 0.1 and not 0.1000000000000000055, 5 and not 5.0, no exponent."""
    if raw.isdecimal():
        return raw.lstrip("0") or "0"
    with localcontext() as context:
        context.prec = _DIGITS
        text = f"{+value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _dated(value: Decimal, kind: str, from_1904: bool) -> str | None:
    """The date or time of a serial number; None for one that no calendar has."""
    if kind == "span":
        return _span(value)
    if value < 0 or value >= _LAST_DAY:
        return None
    seconds = round(value * _DAY)
    days, rest = divmod(seconds, _DAY)
    epoch = _EPOCH_1904 if from_1904 else _EPOCH
    early = not from_1904 and 0 < days < _LEAP_BUG
    try:
        moment = epoch + timedelta(days=days + early, seconds=rest)
    except OverflowError:
        return None
    if kind == "time" or (days == 0 and not from_1904):
        return moment.strftime("%H:%M:%S")
    whole = kind == "date" and not rest
    return moment.date().isoformat() if whole or not rest else moment.isoformat()


def _span(value: Decimal) -> str:
    seconds = abs(round(value * _DAY))
    sign = "-" if value < 0 and seconds else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
