"""One chunk of clean records against the rules: what is good, what is rejected, and why. Pure.

It checks whole columns at a time. References to the own type, `only_one` and `tree` need the whole
file: the frame of good rows carries their input in `self:<field>` and `only:<field>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from imports.check import documents, fields, masks, plain_columns
from imports.check.batches import IssueBatch
from imports.check.cell_notes import CellNotes, Census, prepared
from imports.check.characters import visible
from imports.check.columns import ColumnMapping
from imports.check.computed import ComputedField
from imports.check.keys import ReferenceSet, key_hash, key_text
from imports.check.masks import Mask, ReferenceCheck
from imports.issues import SHOWN_CHARACTERS, Severity
from portal.records.definitions import Feed, RecordType

__all__ = ["CheckedChunk", "IssueBatch", "ReferenceSet", "Validator", "key_hash", "key_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChunk:
    """The result for one chunk; good and rejected rows together are all of its rows.

    good: line, key, key_hash, operation, data (JSON object), source_hash, and `self:<field>`
    (Int64, null where blank; a list of them for `many`) and `only:<field>` (Boolean) as the
    type's rules need. rejected: positions in the chunk, ascending; rejected_records: the raw
    bytes of the same rows.
    """

    good: pl.DataFrame
    issues: tuple[IssueBatch, ...]
    rejected: npt.NDArray[np.int64]
    rejected_records: tuple[bytes, ...]


@dataclass(slots=True)
class _Evaluation:
    """A chunk with its rules evaluated.

    raw: cells as the file has them, r + position. frame: c, v, the operation and the masks.
    elements: the unknown elements of a list, by the name of their mask. notes: further masks, which
    few chunks have.
    """

    raw: pl.DataFrame
    frame: pl.DataFrame
    census: Census
    notes: list[Mask] = field(default_factory=list)
    elements: dict[str, pl.Series] = field(default_factory=dict)


class Validator:
    """The rules of one file, compiled.

    types: record type by name, for the types that are referred to. references: the keys that
    exist, by record type, for each other type that is referred to. delimiter, quote ("" for
    none): of the chunks. Raises KeyError where a type or its keys are missing.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        feed: Feed,
        record_type: RecordType,
        types: Callable[[str], RecordType],
        references: Mapping[str, ReferenceSet],
        delimiter: str,
        quote: str = '"',
    ) -> None:
        self._delimiter, self._quote = delimiter, quote or None
        self._schema = {f"r{i}": pl.String() for i in range(len(mapping.header))}
        cells = masks.cells_of(mapping)
        self._cleaned = plain_columns.cleaned(mapping)
        self._read = plain_columns.strictness(mapping, record_type)
        self._notes = CellNotes(feed, record_type, cells, mapping.neutralised)
        self._stages = _by_stage(mapping.all_computed)
        self._scratch = [
            stage.meta.output_name()
            for computed in mapping.all_computed
            for stage in computed.stages[:-1]
        ]
        self._values = [fields.parse(c.field, c.cell).alias(f"v{c.slot}") for c in cells.values()]
        self._operation = masks.operation_of(feed, mapping)
        self._masks = masks.compile_masks(mapping, feed, record_type, cells)
        self._references = masks.compile_references(record_type, cells, types, references)
        self._key = documents.key_column(record_type, cells)
        self._columns = documents.columns(feed, record_type, cells)

    def check(
        self,
        data: bytes,
        lines: npt.NDArray[np.int64],
        source_hashes: npt.NDArray[np.int64],
        raw: Callable[[int], bytes],
    ) -> CheckedChunk:
        """Check one chunk.

        data: CSV in UTF-8 without a header, records ending in a line feed, each with as many
        cells as the header. lines, source_hashes: one for each record. raw: the record at a
        position as it was sent.
        """
        evaluation = self._evaluate(data, len(lines))
        for reference in self._references:
            _look_up(reference, evaluation)
        self._add_notes(evaluation)
        bad = self._failing(evaluation)
        good = self._good_rows(evaluation.frame, ~bad, lines, source_hashes)
        rejected = bad.arg_true().to_numpy().astype(np.int64)
        if good.height + rejected.size != len(lines):
            raise AssertionError(
                f"{len(lines)} rows came, {good.height} are good, {rejected.size} rejected"
            )
        return CheckedChunk(
            good=good,
            issues=tuple(self._batches(evaluation, lines)),
            rejected=rejected,
            rejected_records=tuple(raw(int(i)) for i in rejected),
        )

    def _evaluate(self, data: bytes, height: int) -> _Evaluation:
        raw = pl.read_csv(
            data,
            has_header=False,
            schema=self._schema,
            separator=self._delimiter,
            quote_char=self._quote,
            eol_char="\n",
            raise_if_empty=False,
        )
        if raw.height != height:
            raise AssertionError(f"{height} records came, {raw.height} were read")
        census = Census.of(data, height)
        lazy = prepared(raw, census, self._read).lazy().with_columns(self._cleaned)
        for stage in self._stages:
            lazy = lazy.with_columns(stage)
        frame = (
            lazy.with_columns(self._values)
            .with_columns(self._operation)
            .with_columns(
                *(mask.check.failed.alias(mask.name) for mask in self._masks),
                *(reference.hashes for reference in self._references),
            )
            .drop(*raw.columns, *self._scratch)
            .collect()
        )
        return _Evaluation(raw, frame, census)

    def _add_notes(self, evaluation: _Evaluation) -> None:
        """Add what few chunks have; a damaged cell is told once, not also as no e-mail address."""
        notes = self._notes.of(evaluation.census, evaluation.raw, evaluation.frame)
        evaluation.notes = [note.mask for note in notes]
        columns = {note.mask.name: note.rows for note in notes}
        for note in notes:
            for mask in self._all_masks():
                if note.mask.severity is Severity.ERROR and mask.slot == note.mask.slot:
                    before = columns.get(mask.name, evaluation.frame[mask.name])
                    columns[mask.name] = (before & ~note.rows).alias(mask.name)
        evaluation.frame = evaluation.frame.with_columns(columns.values())

    def _all_masks(self) -> Iterator[Mask]:
        yield from self._masks
        yield from (reference.mask for reference in self._references)

    def _failing(self, evaluation: _Evaluation) -> pl.Series:
        all_masks = (*self._all_masks(), *evaluation.notes)
        names = [mask.name for mask in all_masks if mask.severity is Severity.ERROR]
        return evaluation.frame.select(pl.any_horizontal(names)).to_series()

    def _good_rows(
        self,
        frame: pl.DataFrame,
        kept: pl.Series,
        lines: npt.NDArray[np.int64],
        source_hashes: npt.NDArray[np.int64],
    ) -> pl.DataFrame:
        return (
            frame.lazy()
            .with_columns(
                line=pl.Series(lines, dtype=pl.Int64),
                source_hash=pl.Series(source_hashes.view(np.int64), dtype=pl.Int64),
            )
            .filter(kept)
            .with_columns(self._key)
            .select(self._columns)
            .collect()
        )

    def _batches(
        self, evaluation: _Evaluation, lines: npt.NDArray[np.int64]
    ) -> Iterator[IssueBatch]:
        for mask in (*self._all_masks(), *evaluation.notes):
            failing = evaluation.frame[mask.name].arg_true()
            for hint, rows in _by_hint(mask, failing, evaluation):
                yield _batch(mask, hint, rows, evaluation, lines)


def _by_stage(computed_fields: Sequence[ComputedField]) -> list[list[pl.Expr]]:
    """The first stages of all fields, then the second ones, …: each may need the previous ones."""
    most = max((len(computed.stages) for computed in computed_fields), default=0)
    return [
        [computed.stages[n] for computed in computed_fields if n < len(computed.stages)]
        for n in range(most)
    ]


def _by_hint(
    mask: Mask, failing: pl.Series, evaluation: _Evaluation
) -> Iterator[tuple[str, pl.Series]]:
    """The failing rows by what each may have been meant as, in the order of their first."""
    hint = mask.check.hint
    if hint is None or not failing.len():
        yield from [("", failing)] if failing.len() else []
        return
    hints = pl.Series(
        [hint(value) for value in _values(mask, failing, evaluation)], dtype=pl.String
    )
    for text in hints.unique(maintain_order=True):
        yield text, failing.filter(hints == text)


def _batch(
    mask: Mask,
    hint: str,
    failing: pl.Series,
    evaluation: _Evaluation,
    lines: npt.NDArray[np.int64],
) -> IssueBatch:
    return IssueBatch(
        code=mask.check.code,
        column=mask.header,
        severity=mask.severity,
        message=mask.check.message + hint,
        lines=tuple(lines[failing.to_numpy()].tolist()),
        values=tuple(map(visible, _values(mask, failing, evaluation))),
        others=tuple(map(visible, _raw_cells(evaluation, mask.others, failing))),
    )


def _values(mask: Mask, rows: pl.Series, evaluation: _Evaluation) -> tuple[str, ...]:
    """The wrong values: as the file has them, or else as the template writes them."""
    elements = evaluation.elements.get(mask.name)
    if elements is not None:
        return _shortened(elements, rows)
    cells = _raw_cells(evaluation, mask.positions, rows)
    if mask.slot is None or all(cells):
        return cells
    filled = evaluation.frame[f"c{mask.slot}"].gather(rows).fill_null(mask.constant or "")
    return tuple(cell or text[:SHOWN_CHARACTERS] for cell, text in zip(cells, filled, strict=True))


def _raw_cells(
    evaluation: _Evaluation, positions: Sequence[int], rows: pl.Series
) -> tuple[str, ...]:
    """The cells of some columns as the file has them, joined to one text for each row."""
    if not positions:
        return ("",) * rows.len()
    columns = [_shortened(evaluation.raw[f"r{at}"], rows) for at in positions]
    return tuple(
        ", ".join(filter(None, cells))[:SHOWN_CHARACTERS] for cells in zip(*columns, strict=True)
    )


def _shortened(cells: pl.Series, rows: pl.Series) -> tuple[str, ...]:
    return tuple(cells.gather(rows).fill_null("").str.strip_chars().str.slice(0, SHOWN_CHARACTERS))


def _look_up(reference: ReferenceCheck, evaluation: _Evaluation) -> None:
    """Replace the reference's hashes with its mask."""
    name = reference.mask.name
    if reference.cell.field.many:
        failing = _failing_elements(reference, evaluation.frame)
        evaluation.elements[name] = failing
        mask = failing.is_not_null()
    else:
        mask = pl.Series(reference.looked_up(evaluation.frame[name]))
    evaluation.frame = evaluation.frame.with_columns(mask.alias(name))


def _failing_elements(reference: ReferenceCheck, frame: pl.DataFrame) -> pl.Series:
    """The elements of each row's list that fail the check, as one text; null where none does."""
    name = reference.mask.name
    row = pl.int_range(pl.len()).alias("row")
    each = frame.select(row, pl.col(name), reference.cell.value.alias("text"))
    each = each.explode([name, "text"])
    each = each.filter(pl.Series(reference.looked_up(each[name])))
    texts = each.group_by("row").agg(pl.col("text").str.join(", "))
    return frame.select(row).join(texts, on="row", how="left", maintain_order="left")["text"]
