"""The steps that may not understand a value: numbers, dates, value maps, look-ups. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import polars as pl

from imports.check.characters import tidied
from imports.check.fields import MISSING
from imports.issues import Code
from imports.mapping.step_parsing import has_time
from imports.mapping.steps import Date, Lookup, Map, Number, Step
from imports.mapping.tables import Tables, normal

_SAMPLE = datetime(2026, 8, 24, 17, 5, 0)  # noqa: DTZ001  a wall clock in a message
_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "Y": "[0-9]{4}",
        "y": "[0-9]{2}",
        "m": "[0-9]{1,2}",
        "b": "[A-Za-z]{3}",
        "B": "[A-Za-z]{3,9}",
        "d": "[0-9]{1,2}",
        "e": "[0-9]{1,2}",
        "H": "[0-9]{1,2}",
        "I": "[0-9]{1,2}",
        "M": "[0-9]{2}",
        "S": "[0-9]{2}",
        "p": "[AaPp][Mm]",
    }
)
_SPACES = "[ \u00a0\u202f]"
_GROUPS = MappingProxyType({",": ",", ".": r"\.", " ": _SPACES, "'": "['\u2019]", "": ""})
_PARTS = re.compile(r"%([A-Za-z])")


@dataclass(frozen=True, slots=True)
class Recogniser:
    """How a step reads texts. read: null where it cannot; it gets no blank texts.

    rejects: the sentence with what was expected, where an unreadable text is a fault.
    """

    read: Callable[[pl.Expr], pl.Expr]
    code: Code
    rejects: tuple[str, ...] = ()


def known_values(step: Step, lookups: Tables) -> Collection[str]:
    """The texts that a step has values for, at least of the missing tokens: NA may be a value."""
    if isinstance(step, Map):
        return step.values.keys()
    if isinstance(step, Lookup):
        table = lookups[step.table]
        keys, tokens = set(table.pairs()[0]), pl.Series(MISSING)
        folded = normal(tokens, table.fold)
        return [token for token, key in zip(tokens, folded, strict=True) if key in keys]
    return ()


def _number(step: Number, _: Tables) -> Recogniser:
    point, group = re.escape(step.decimal), _GROUPS[step.thousands]
    digits = f"(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)" if group else "[0-9]+"
    shape = f"^[+-]?(?:{digits}(?:{point}[0-9]*)?|{point}[0-9]+)$"

    def read(text: pl.Expr) -> pl.Expr:
        shaped = pl.when(text.str.contains(shape)).then(text)
        number = shaped.str.replace_all(group, "") if group else shaped
        plain = number.str.strip_prefix("+").str.replace(step.decimal, ".", literal=True)
        return plain.str.replace(r"^(-?)\.", "${1}0.").str.strip_suffix(".")

    sample = f"1{step.thousands}234{step.decimal}5"
    return Recogniser(read, Code.NOT_A_NUMBER, (f"Expected a number written as {sample}.",))


def _date(step: Date, _: Tables) -> Recogniser:
    def read(text: pl.Expr) -> pl.Expr:
        return pl.coalesce(_read_date(text, date_format) for date_format in step.formats)

    samples = " or ".join(_SAMPLE.strftime(date_format) for date_format in step.formats)
    sentence = f"Expected a date that exists, written as {samples}."
    return Recogniser(read, Code.NOT_A_DATE, (sentence,))


def _read_date(text: pl.Expr, date_format: str) -> pl.Expr:
    fitting = pl.when(text.str.contains(_shape(date_format))).then(text).str
    if has_time(date_format):
        moment = fitting.to_datetime(date_format, strict=False, time_unit="us")
        written = moment.dt.to_string("%Y-%m-%dT%H:%M:%S")
    else:
        moment = fitting.to_date(date_format, strict=False)
        written = moment.dt.to_string("%Y-%m-%d")
    return pl.when(moment.dt.year().is_between(1, 9999)).then(written)


def _shape(date_format: str) -> str:
    """The expression for texts in that format; strptime alone is lenient with blanks and signs."""
    literals = _PARTS.split(date_format)
    parts = [
        _SHAPES[part] if number % 2 else pl.escape_regex(part)
        for number, part in enumerate(literals)
    ]
    return f"^{''.join(parts)}$"


def _map(step: Map, _: Tables) -> Recogniser:
    rejects = "The template's value map does not have it. Correct the cell, or add it to the map."
    cells = pl.Series(list(step.values), dtype=pl.String)
    tidy = tidied(cells).str.strip_chars().to_list()  # as the cells are that it is compared with
    pairs = dict(zip(tidy, step.values.values(), strict=True))
    keys = pl.Series(list(pairs.keys()), dtype=pl.String)
    values = pl.Series(list(pairs.values()), dtype=pl.String)

    def read(text: pl.Expr) -> pl.Expr:
        return _replaced(text, keys, values, text if step.other == "keep" else None)

    return Recogniser(read, Code.NOT_IN_LIST, (rejects,) if step.other == "reject" else ())


def _lookup(step: Lookup, lookups: Tables) -> Recogniser:
    table = lookups[step.table]
    keys, values = table.pairs(step.column)
    rejects = (
        f'The look-up table "{step.table}" does not have it.'
        " Correct the cell, or add it to the table."
    )

    def read(text: pl.Expr) -> pl.Expr:
        rest = {"keep": text, "default": _where(text, step.default)}.get(step.other)
        key = text.str.to_lowercase() if table.fold else text
        return _replaced(key, keys, values, rest)

    return Recogniser(read, Code.NOT_IN_LIST, (rejects,) if step.other == "reject" else ())


def _where(text: pl.Expr, default: str | None) -> pl.Expr:
    """The default where there is a text; a blank cell stays blank."""
    return pl.when(text.is_not_null()).then(pl.lit(default, pl.String))


def _replaced(text: pl.Expr, keys: pl.Series, values: pl.Series, rest: pl.Expr | None) -> pl.Expr:
    return text.replace_strict(keys, values, default=rest, return_dtype=pl.String)


RECOGNISERS: Mapping[type, Callable[..., Recogniser]] = MappingProxyType(
    {Number: _number, Date: _date, Map: _map, Lookup: _lookup}
)
