"""A field that steps compute from a file's columns, as a mapping holds it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from imports.check.fields import Check
from portal.records.definitions import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedField:
    """A field whose cell is not just one column: several of them, steps, a constant, a default.

    slot: number of its columns in a frame, beyond the file's. header: the columns' names, for
    issues. positions: the columns that it is computed from. stages: named expressions, each over
    the previous ones and the first over the raw columns r + position; the last is the cell,
    c + slot. faults: over the stages, where a value could not be read (the cell is null there).
    constant: what the template writes instead of a column. taken_as_it_is: no step gives a cell
    another meaning. missing: what counts as blank in its columns. own_format: a
    step says how dates or numbers are written.
    """

    field: Field
    slot: int
    header: str
    positions: tuple[int, ...]
    stages: tuple[pl.Expr, ...]
    faults: tuple[Check, ...] = ()
    constant: str | None = None
    taken_as_it_is: bool = False
    missing: tuple[str, ...] = ("",)
    own_format: bool = False
