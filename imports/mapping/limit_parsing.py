"""Limits as somebody wrote them: in a template, in a form, at a command. Pure.

What a limit is and how much it allows: `imports/load/ceilings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from imports.mapping.definitions import MEASURES, Limits, LimitsPer
from imports.mapping.strict_reading import Path, StrictReader, shown
from portal.faults import refuse

_MOST_ROWS = 10**12
_MOST_DIGITS = 18  # more of them are no number, and would take long to read
_PERCENT = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,3})?%")


def parse_limits(written: Mapping[str, object]) -> Limits:
    """The limits alone, as a folder has them, by their names in MEASURES.

    Raises Refused with a fault for each that is not one; its path is the limit's name.
    """
    reader = StrictReader()
    limits = read_limits(written, (), reader)
    refuse(reader.faults)
    return limits


def as_written(text: str) -> int | str:
    """What a person typed, as a spec writes it: a whole number, or the text."""
    text = text.replace(" ", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else text


def read_limits(value: object, path: Path, reader: StrictReader) -> Limits:
    """The limits at the path; what is not one is left out and noted by the reader."""
    given = reader.keys(value, path, MEASURES)
    limits: dict[str, int | str] = {}
    for name, item in given.items():
        if isinstance(item, str | int) and _is_limit(item):
            limits[name] = item
        else:
            message = 'found %(value)s, expected a number of rows or a percentage such as "10%%"'
            reader.add((*path, name), "not_a_limit", message, value=shown(item))
    return MappingProxyType(limits)


def read_limits_per(value: object, path: Path, reader: StrictReader) -> LimitsPer | None:
    """The limits for each value of a field; None where there are none."""
    if value is None:
        return None
    given = reader.keys(value, path, ("field", "limits"), ("field", "limits"))
    return LimitsPer(
        field=reader.text(given.get("field", "x"), (*path, "field"), least=1),
        limits=read_limits(given.get("limits", {}), (*path, "limits"), reader),
    )


def _is_limit(value: str | int) -> bool:
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None
    return not isinstance(value, bool) and 0 <= value <= _MOST_ROWS
