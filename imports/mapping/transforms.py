"""A field's spec to polars expressions: a file's raw columns to the text that is checked. Pure.

A step works on the result of the step before. Each result has its own column, named `s` + slot +
"." + number, so that no expression contains another twice: polars does not share deeper parts.
A blank cell stays blank through all steps. A value that a step cannot read is blank and a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from imports.check.computed import ComputedField
from imports.check.fields import MISSING, NO_NAME, Check, clean, missing_in
from imports.issues import SHOWN_CHARACTERS
from imports.mapping.definitions import FieldSpec
from imports.mapping.reading_steps import RECOGNISERS, known_values
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
from imports.mapping.tables import Tables
from portal.records.definitions import Field

_NO_TABLES: Tables = MappingProxyType({})
_READING = (Number, Date, Map, Lookup)  # steps for values of some form, or of a list
_MEANING = (Map, Lookup, Replace, Split, CellPart)  # steps that may give any cell a meaning


def compile_field(
    spec: FieldSpec,
    field: Field,
    header: Sequence[str],
    positions: Sequence[int],
    *,
    slot: int,
    lookups: Tables = _NO_TABLES,
    default: str | None = None,
) -> ComputedField:
    """The field's cell over the raw columns r + position.

    positions: of the spec's columns in the file. slot: number of its columns in the frame.
    default: the value of a cell that is blank in the end. Raises KeyError for a table that is not
    in `lookups`.
    """
    missing = _missing(spec, field, lookups)
    stages = [_gathered(spec, positions, missing).alias(_stage(slot, 0))]
    faults: list[Check] = []
    for number, step in enumerate(_rest(spec.steps), start=1):
        before = pl.col(_stage(slot, number - 1))
        expression, fault = _applied(step, before, pl.col(_stage(slot, number)), lookups)
        stages.append(expression.alias(_stage(slot, number)))
        faults += fault
    last = _finished(pl.col(_stage(slot, len(stages) - 1)), faults, default)
    return ComputedField(
        field=field,
        slot=slot,
        header=", ".join(header[at] for at in positions)[:SHOWN_CHARACTERS] or field.name,
        positions=tuple(positions),
        stages=(*stages, last.alias(f"c{slot}")),
        faults=tuple(faults),
        constant=spec.constant,
        missing=missing,
        own_format=any(isinstance(step, Number | Date) for step in spec.steps),
        taken_as_it_is=not any(isinstance(step, _MEANING) for step in spec.steps),
    )


def _stage(slot: int, number: int) -> str:
    return f"s{slot}.{number}"


def _rest(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps after the gathering of columns."""
    return steps[1:] if steps and isinstance(steps[0], Join | FirstNonBlank) else steps


def _missing(spec: FieldSpec, field: Field, lookups: Tables) -> tuple[str, ...]:
    """What counts as blank in the field's columns; not what a step has a value for."""
    words = missing_in(field)
    if any(isinstance(step, _READING) for step in spec.steps):
        words = MISSING
    elif spec.steps and isinstance(spec.steps[0], Join | FirstNonBlank):
        words = tuple(dict.fromkeys((*words, *NO_NAME)))
    named = {value for step in spec.steps for value in known_values(step, lookups)}
    return ("", *(word for word in words[1:] if word not in named))


def _gathered(spec: FieldSpec, positions: Sequence[int], missing: Sequence[str]) -> pl.Expr:
    """One text of the columns, null where all are blank."""
    if spec.constant is not None:
        return pl.lit(spec.constant, pl.String)
    cells = [clean(pl.col(f"r{at}"), missing) for at in positions]
    first = spec.steps[0] if spec.steps else None
    if isinstance(first, Join):
        return pl.concat_str(cells, separator=first.between, ignore_nulls=True)
    return pl.coalesce(cells)


def _applied(
    step: Step, before: pl.Expr, after: pl.Expr, lookups: Tables
) -> tuple[pl.Expr, Iterator[Check]]:
    """The step's expression and its checks. before, after: columns of its input and result."""
    rewriter = _REWRITERS.get(type(step))
    if rewriter is not None:
        return rewriter(before, step), iter(())
    text = _not_blank(before)
    recognised = RECOGNISERS[type(step)](step, lookups)
    failed = text.is_not_null() & after.is_null()
    checks = (
        Check(recognised.code, failed, f'"{{column}}" is "{{value}}". {sentence}')
        for sentence in recognised.rejects
    )
    return recognised.read(text), checks


def _finished(text: pl.Expr, faults: Sequence[Check], default: str | None) -> pl.Expr:
    cell = _not_blank(text)
    if default is None:
        return cell
    unread = pl.any_horizontal([pl.lit(False), *(fault.failed for fault in faults)])
    return pl.when(cell.is_null() & ~unread).then(pl.lit(default)).otherwise(cell)


def _not_blank(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _trim(text: pl.Expr, _: Step) -> pl.Expr:
    return text.str.strip_chars().str.replace_all(r"\s+", " ")


def _case(text: pl.Expr, step: Case) -> pl.Expr:
    spelled: Mapping[str, Callable[[], pl.Expr]] = {
        "upper": text.str.to_uppercase,
        "lower": text.str.to_lowercase,
        "title": text.str.to_titlecase,
    }
    return spelled[step.to]()


def _replace(text: pl.Expr, step: Replace) -> pl.Expr:
    return text.str.replace_all(step.find, step.by, literal=not step.regex)


def _split(text: pl.Expr, step: Split) -> pl.Expr:
    at = step.part - 1 if step.part > 0 else step.part
    return text.str.split(step.on).list.get(at, null_on_oob=True)


def _part(text: pl.Expr, step: CellPart) -> pl.Expr:
    return text.str.slice(step.start - 1, step.length)


def _pad(text: pl.Expr, step: Pad) -> pl.Expr:
    value = _not_blank(text).str
    return (value.pad_start if step.side == "left" else value.pad_end)(step.width, step.fill)


_REWRITERS: Mapping[type, Callable[..., pl.Expr]] = MappingProxyType(
    {
        Trim: _trim,
        Case: _case,
        Replace: _replace,
        Split: _split,
        CellPart: _part,
        Pad: _pad,
    }
)
