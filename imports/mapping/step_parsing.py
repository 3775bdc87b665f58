"""A step as the spec writes it to a `Step` and back, with every fault named. Pure.

Regular expressions are those of Rust's regex crate, which matches in linear time; they are
compiled here once, so that a job never meets one that is not valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import polars as pl

from imports.mapping.faults import Faults
from imports.mapping.steps import (
    Case,
    Date,
    FirstNonBlank,
    Join,
    Lookup,
    Map,
    Number,
    Pad,
    Part,
    Replace,
    Split,
    Step,
    Trim,
)

_Reader: TypeAlias = Callable[[object, str, Faults], Step]

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


def parse_step(value: object, path: str, faults: Faults) -> Step:
    """The step; some step in the place of one that is not understood."""
    found = faults.mapping(value, path)
    if len(found) != 1:
        if isinstance(value, Mapping):
            names = ", ".join(_READERS)
            faults.add(path, f"found {len(found)} keys, expected one step: {names}")
        return Trim()
    ((name, given),) = found.items()
    if name not in _READERS:
        faults.expected(path, name, f"one of {', '.join(_READERS)}")
        return Trim()
    return _READERS[name](given, f"{path}.{name}", faults)


def step_as_json(step: Step) -> dict[str, object]:
    """The step as the spec writes it."""
    return step.as_json()


def is_regex(pattern: str) -> bool:
    """Whether Rust's regex compiles it within its size limit."""
    try:
        pl.Series([""]).str.replace_all(pattern, "")
    except pl.exceptions.PolarsError:
        return False
    return True


def has_time(date_format: str) -> bool:
    """Whether the format says a time of day."""
    return any(letter in "HMSIp" for letter in _DIRECTIVES.findall(date_format))


def growth(steps: Sequence[Step]) -> float:
    """How many times longer the replacements may make a text, at worst."""
    times = 1.0
    for step in steps:
        if isinstance(step, Replace):
            times *= max(1.0, len(step.by) + 1 if step.regex else len(step.by) / len(step.find))
    return times


def _join(value: object, path: str, faults: Faults) -> Step:
    return Join(faults.text(value, path, _MOST_TEXT))


def _first_non_blank(value: object, path: str, faults: Faults) -> Step:
    _only_true(value, path, faults)
    return FirstNonBlank()


def _trim(value: object, path: str, faults: Faults) -> Step:
    _only_true(value, path, faults)
    return Trim()


def _only_true(value: object, path: str, faults: Faults) -> None:
    if value is not True:
        faults.expected(path, value, "true (remove the step to disable it)")


def _case(value: object, path: str, faults: Faults) -> Step:
    return Case(faults.one_of(value, path, CASES))


def _replace(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("find", "with", "regex"), ("find", "with"))
    find = faults.text(given.get("find", "x"), f"{path}.find", _MOST_PATTERN, least=1) or "x"
    by = faults.text(given.get("with", ""), f"{path}.with", _MOST_TEXT)
    regex = faults.flag(given.get("regex", False), f"{path}.regex")
    if regex and len(find) <= _MOST_PATTERN and not is_regex(find):
        faults.expected(
            f"{path}.find",
            find,
            "a regular expression without look-around and back references, of moderate size",
        )
    return Replace(find, by, regex)


def _split(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("on", "part"), ("on", "part"))
    on = faults.text(given.get("on", " "), f"{path}.on", _MOST_TEXT, least=1)
    part = given.get("part", 1)
    if part == 0:
        faults.expected(f"{path}.part", part, "1 for the first, 2 ..., or -1 for the last")
    return Split(on, faults.count_of(part, f"{path}.part", -1_000, 1_000))


def _part(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("from", "length"), ("from",))
    start = faults.count_of(given.get("from", 1), f"{path}.from", 1, _MOST_CELL)
    length = given.get("length")
    if length is not None:
        length = faults.count_of(length, f"{path}.length", 1, _MOST_CELL)
    return Part(start, length)


def _pad(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("width", "with", "side"), ("width",))
    return Pad(
        faults.count_of(given.get("width", 1), f"{path}.width", 1, _MOST_WIDTH),
        faults.text(given.get("with", "0"), f"{path}.with", 1, least=1),
        faults.one_of(given.get("side", "left"), f"{path}.side", SIDES),
    )


def _number(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("decimal", "thousands"))
    decimal = faults.one_of(given.get("decimal", "."), f"{path}.decimal", _DECIMALS)
    usual = "," if decimal == "." else "."
    thousands = faults.one_of(given.get("thousands", usual), f"{path}.thousands", _THOUSANDS)
    if thousands == decimal:
        faults.expected(f"{path}.thousands", thousands, "a different sign from the decimal sign")
    return Number(decimal, thousands)


def _date(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("formats",), ("formats",))

    def read(item: object, place: str) -> str:
        text = faults.text(item, place, _MOST_TEXT, least=1)
        fault = _format_fault(text)
        if fault:
            faults.expected(place, text, fault)
        return text

    formats = faults.listed(given.get("formats", []), f"{path}.formats", _MOST_FORMATS, read)
    if not formats and given.get("formats") == []:
        faults.add(f"{path}.formats", 'found none, expected one such as "%d.%m.%Y"')
    return Date(formats)


def _format_fault(date_format: str) -> str:
    """What would be expected instead of the format; empty where it is fine."""
    letters = _DIRECTIVES.findall(date_format)
    known = ", ".join(f"%{letter}" for letter in _KNOWN_PARTS)
    if any(letter not in _KNOWN_PARTS or not letter for letter in letters):
        return f"only the parts {known}"
    kinds = [next((i for i, kind in enumerate(_PART_KINDS) if x in kind), -1) for x in letters]
    if len(set(kinds)) != len(kinds):
        return "each part once"
    if any(not set(part) & set(letters) for part in _DATE_PARTS):
        return "a year (%Y), a month (%m) and a day (%d)"
    time = set(letters) & set("HMSIp")
    if time and not ({"H", "M"} <= time <= set("HMS") or {"I", "M", "p"} <= time <= set("IMSp")):
        return "a time as %H:%M or %I:%M %p, with or without %S"
    return ""


_PART_KINDS = ("Yy", "mbB", "de", "HI", "M", "S", "p")


def _map(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("values", "other"), ("values",))
    place = f"{path}.values"
    found = faults.mapping(given.get("values", {}), place, MOST_VALUES)
    values = {
        faults.text(key, place, _MOST_CELL, least=1): faults.text(
            item, f"{place}.{key[:40]}", _MOST_VALUE
        )
        for key, item in found.items()
    }
    other = faults.one_of(given.get("other", "reject"), f"{path}.other", OTHERS)
    return Map(MappingProxyType(values), other)


def _lookup(value: object, path: str, faults: Faults) -> Step:
    given = faults.keys(value, path, ("table", "column", "other", "default"), ("table",))
    other = faults.one_of(given.get("other", "reject"), f"{path}.other", LOOKUP_OTHERS)
    default = faults.text_or_none(given.get("default"), f"{path}.default", _MOST_VALUE)
    if other == "default" and not default:
        faults.add(f"{path}.default", "found none, expected the text that an unknown key takes")
    if other != "default" and default is not None:
        faults.expected(f"{path}.other", other, '"default", because a default is given')
    column = given.get("column")
    return Lookup(
        faults.text(given.get("table", "x"), f"{path}.table", least=1),
        other,
        None if column is None else faults.text(column, f"{path}.column", least=1),
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
