"""A step as a spec writes it, to a `Step`, with every fault. Pure.

Regular expressions are those of Rust's regex crate, which matches in linear time; they are
compiled here once, so that a job never meets one that is not valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import polars as pl

from imports.mapping.steps import (
    Case,
    CellPart,
    Date,
    FirstNonBlank,
    Join,
    Lookup,
    Map,
    Number,
    Pad,
    Replace,
    Split,
    Step,
    Trim,
)
from imports.mapping.strict_reading import Path, StrictReader, shown

_Reader: TypeAlias = Callable[[object, Path, StrictReader], Step]

CASES = ("upper", "lower", "title")
SIDES = ("left", "right")
OTHERS = ("keep", "blank", "reject")
LOOKUP_OTHERS = (*OTHERS, "default")
MOST_VALUES = 10_000
_MOST_TEXT = 100  # characters put in for one: a cell must not grow without end
_MOST_PATTERN = 500
_MOST_WIDTH = 100
_MOST_CELL = 65_536
_MOST_VALUE = 4_000  # characters of a value that is put in
_MOST_FORMATS = 10
_DECIMALS = (".", ",")
_THOUSANDS = (",", ".", " ", "'", "")
_DIRECTIVES = re.compile(r"%(.?)", re.DOTALL)
_DATE_PARTS = ("Yy", "mbB", "de")
_KNOWN_PARTS = "YymbBdeHMSIp"
_PARTS_LISTED = ", ".join(f"%{letter}" for letter in _KNOWN_PARTS)


def parse_step(value: object, path: Path, reader: StrictReader) -> Step:
    """The step; a trim in place of a step that is not understood."""
    steps = reader.mapping(value, path)
    if len(steps) != 1:
        if isinstance(value, Mapping):
            message = "found %(count)s keys, expected one step: %(steps)s"
            reader.add(path, "not_one_step", message, count=len(steps), steps=", ".join(_READERS))
        return Trim()
    ((name, given),) = steps.items()
    if name not in _READERS:
        message = "found %(value)s, expected one of %(steps)s"
        reader.add(path, "unknown_step", message, value=shown(name), steps=", ".join(_READERS))
        return Trim()
    return _READERS[name](given, (*path, name), reader)


def is_regex(pattern: str) -> bool:
    """Whether Rust's regex compiles it within its size limit."""
    try:
        pl.Series([""]).str.replace_all(pattern, "")
    except pl.exceptions.PolarsError:
        return False
    return True


def has_time(date_format: str) -> bool:
    """Whether the format has a time of day."""
    return any(letter in "HMSIp" for letter in _DIRECTIVES.findall(date_format))


def growth(steps: Sequence[Step]) -> float:
    """How many times longer the replacements may make a text, at worst."""
    times = 1.0
    for step in steps:
        if isinstance(step, Replace):
            times *= max(1.0, len(step.by) + 1 if step.regex else len(step.by) / len(step.find))
    return times


def _join(value: object, path: Path, reader: StrictReader) -> Step:
    return Join(reader.text(value, path, _MOST_TEXT))


def _first_non_blank(value: object, path: Path, reader: StrictReader) -> Step:
    _only_true(value, path, reader)
    return FirstNonBlank()


def _trim(value: object, path: Path, reader: StrictReader) -> Step:
    _only_true(value, path, reader)
    return Trim()


def _only_true(value: object, path: Path, reader: StrictReader) -> None:
    if value is not True:
        message = "found %(value)s, expected true (remove the step to disable it)"
        reader.add(path, "not_true", message, value=shown(value))


def _case(value: object, path: Path, reader: StrictReader) -> Step:
    return Case(reader.choice(value, path, CASES))


def _replace(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("find", "with", "regex"), ("find", "with"))
    find = reader.text(given.get("find", "x"), (*path, "find"), _MOST_PATTERN, least=1) or "x"
    by = reader.text(given.get("with", ""), (*path, "with"), _MOST_TEXT)
    regex = reader.flag(given.get("regex", False), (*path, "regex"))
    if regex and len(find) <= _MOST_PATTERN and not is_regex(find):
        message = (
            "found %(value)s, expected a regular expression without look-around and back "
            "references, of moderate size"
        )
        reader.add((*path, "find"), "not_a_regex", message, value=shown(find))
    return Replace(find, by, regex)


def _split(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("on", "part"), ("on", "part"))
    on = reader.text(given.get("on", " "), (*path, "on"), _MOST_TEXT, least=1)
    part = given.get("part", 1)
    if part == 0:
        message = "found %(value)s, expected 1 for the first, 2 ..., or -1 for the last"
        reader.add((*path, "part"), "part_zero", message, value=shown(part))
    return Split(on, reader.whole_number(part, (*path, "part"), -1_000, 1_000))


def _part(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("from", "length"), ("from",))
    start = reader.whole_number(given.get("from", 1), (*path, "from"), 1, _MOST_CELL)
    length = given.get("length")
    if length is not None:
        length = reader.whole_number(length, (*path, "length"), 1, _MOST_CELL)
    return CellPart(start, length)


def _pad(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("width", "with", "side"), ("width",))
    return Pad(
        reader.whole_number(given.get("width", 1), (*path, "width"), 1, _MOST_WIDTH),
        reader.text(given.get("with", "0"), (*path, "with"), 1, least=1),
        reader.choice(given.get("side", "left"), (*path, "side"), SIDES),
    )


def _number(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("decimal", "thousands"))
    decimal = reader.choice(given.get("decimal", "."), (*path, "decimal"), _DECIMALS)
    usual = "," if decimal == "." else "."
    thousands = reader.choice(given.get("thousands", usual), (*path, "thousands"), _THOUSANDS)
    if thousands == decimal:
        message = "found %(value)s, expected a different sign from the decimal sign"
        reader.add((*path, "thousands"), "same_sign", message, value=shown(thousands))
    return Number(decimal, thousands)


def _date(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("formats",), ("formats",))

    def read(item: object, place: Path) -> str:
        text = reader.text(item, place, _MOST_TEXT, least=1)
        if fault := _format_fault(text):
            code, expected = fault
            message = f"found %(value)s, expected {expected}"
            reader.add(place, code, message, value=shown(text), parts=_PARTS_LISTED)
        return text

    formats = reader.items(given.get("formats", []), (*path, "formats"), _MOST_FORMATS, read)
    if not formats and given.get("formats") == []:
        message = 'found none, expected one such as "%%d.%%m.%%Y"'
        reader.add((*path, "formats"), "no_format", message)
    return Date(formats)


def _format_fault(date_format: str) -> tuple[str, str] | None:
    """A fault's code and what is expected instead of the format; None where it is fine."""
    letters = _DIRECTIVES.findall(date_format)
    if any(letter not in _KNOWN_PARTS or not letter for letter in letters):
        return "format_part", "only the parts %(parts)s"
    kinds = [next((i for i, kind in enumerate(_PART_KINDS) if x in kind), -1) for x in letters]
    if len(set(kinds)) != len(kinds):
        return "format_repeated", "each part once"
    if any(not set(part) & set(letters) for part in _DATE_PARTS):
        return "format_no_date", "a year (%%Y), a month (%%m) and a day (%%d)"
    time = set(letters) & set("HMSIp")
    if time and not ({"H", "M"} <= time <= set("HMS") or {"I", "M", "p"} <= time <= set("IMSp")):
        return "format_time", "a time as %%H:%%M or %%I:%%M %%p, with or without %%S"
    return None


_PART_KINDS = ("Yy", "mbB", "de", "HI", "M", "S", "p")


def _map(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("values", "other"), ("values",))
    place = (*path, "values")
    pairs = reader.mapping(given.get("values", {}), place, MOST_VALUES)
    values = {
        reader.text(key, place, _MOST_CELL, least=1): reader.text(
            item, (*place, key[:40]), _MOST_VALUE
        )
        for key, item in pairs.items()
    }
    other = reader.choice(given.get("other", "reject"), (*path, "other"), OTHERS)
    return Map(MappingProxyType(values), other)


def _lookup(value: object, path: Path, reader: StrictReader) -> Step:
    given = reader.keys(value, path, ("table", "column", "other", "default"), ("table",))
    other = reader.choice(given.get("other", "reject"), (*path, "other"), LOOKUP_OTHERS)
    default = reader.text_or_none(given.get("default"), (*path, "default"), _MOST_VALUE)
    if other == "default" and not default:
        message = "found none, expected the text that an unknown key takes"
        reader.add((*path, "default"), "no_default", message)
    if other != "default" and default is not None:
        message = 'found %(value)s, expected "default", because a default is given'
        reader.add((*path, "other"), "default_unused", message, value=shown(other))
    column = given.get("column")
    return Lookup(
        reader.text(given.get("table", "x"), (*path, "table"), least=1),
        other,
        None if column is None else reader.text(column, (*path, "column"), least=1),
        default,
    )


_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "join": _join,
        "first_non_blank": _first_non_blank,
        "trim": _trim,
        "case": _case,
        "replace": _replace,
        "split": _split,
        "part": _part,
        "pad": _pad,
        "number": _number,
        "date": _date,
        "map": _map,
        "lookup": _lookup,
    }
)
STEPS = tuple(_READERS)
