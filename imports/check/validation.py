"""One chunk of clean records against the rules: what is good, what is rejected, and why. Pure.

Whole columns at a time. References to the own type, `only_one` and `tree` need the whole file:
the frame of good rows carries what they need in `self:<field>` and `only:<field>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from imports.check import documents, fields, masks
from imports.check.batches import IssueBatch
from imports.check.columns import Mapping
from imports.check.computed import Made
from imports.check.keys import ReferenceSet, key_hash, key_text
from imports.check.masks import Mask, Reference
from imports.issues import Severity
from portal.records.definitions import Feed, RecordType

__all__ = ["Checked", "IssueBatch", "ReferenceSet", "Validator", "key_hash", "key_text"]

_SHOWN = 200  # characters of a cell in an issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a chunk; good and rejected rows together are all of its rows.

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
class _Work:
    """A chunk under way. raw: cells as they came, r + position; frame: c, v, the operation and
    the masks; elements: of a list the unknown ones, by the name of their mask."""

    raw: pl.DataFrame
    frame: pl.DataFrame
    elements: dict[str, pl.Series] = field(default_factory=dict)


class Validator:
    """The rules of one file, compiled.

    types: record type by name, for the types that are referred to. references: the keys that
    exist, by record type; one for each type referred to but the own. delimiter, quote ("" for
    none): of the chunks. Raises KeyError where one of these is missing.
    """

    def __init__(
        self,
        mapping: Mapping,
        feed: Feed,
        record_type: RecordType,
        types: Callable[[str], RecordType],
        references: MappingOf[str, ReferenceSet],
        delimiter: str,
        quote: str = '"',
    ) -> None:
        self._delimiter, self._quote = delimiter, quote or None
        self._schema = {f"r{i}": pl.String() for i in range(len(mapping.header))}
        cells = masks.cells_of(mapping)
        read = {position for position, _ in mapping.columns}
        if mapping.operation_column is not None:
            read.add(mapping.operation_column)
        self._cleaned = [
            fields.clean(pl.col(f"r{i}"), neutralised=mapping.neutralised).alias(f"c{i}")
            for i in sorted(read)
        ]
        self._stages = _by_stage(mapping.compiled)
        self._scratch = [s.meta.output_name() for one in mapping.compiled for s in one.stages[:-1]]
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
    ) -> Checked:
        """Check one chunk.

        data: CSV in UTF-8 without a header, records ending in a line feed, each with as many
        cells as the header. lines, source_hashes: one for each record. raw: the record at a
        position as it was sent.
        """
        work = self._evaluated(data, len(lines))
        for reference in self._references:
            _look_up(reference, work)
        bad = self._bad(work.frame)
        good = self._good(work.frame, ~bad, lines, source_hashes)
        rejected = bad.arg_true().to_numpy().astype(np.int64)
        if good.height + rejected.size != len(lines):
            raise AssertionError(
                f"{len(lines)} rows came, {good.height} are good, {rejected.size} rejected"
            )
        return Checked(
            good=good,
            issues=tuple(self._batches(work, lines)),
            rejected=rejected,
            rejected_records=tuple(raw(int(i)) for i in rejected),
        )

    def _evaluated(self, data: bytes, height: int) -> _Work:
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
        lazy = raw.lazy().with_columns(self._cleaned)
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
        return _Work(raw, frame)

    def _all_masks(self) -> Iterator[Mask]:
        yield from self._masks
        yield from (reference.mask for reference in self._references)

    def _bad(self, frame: pl.DataFrame) -> pl.Series:
        names = [mask.name for mask in self._all_masks() if mask.severity is Severity.ERROR]
        return frame.select(pl.any_horizontal(names)).to_series()

    def _good(
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

    def _batches(self, work: _Work, lines: npt.NDArray[np.int64]) -> Iterator[IssueBatch]:
        for mask in self._all_masks():
            failing = work.frame[mask.name].arg_true()
            if failing.len():
                yield _batch(mask, failing, work, lines)


def _by_stage(made: Sequence[Made]) -> list[list[pl.Expr]]:
    """The first stages of all, then the second ones ...: each may need those before."""
    most = max((len(one.stages) for one in made), default=0)
    return [[one.stages[n] for one in made if n < len(one.stages)] for n in range(most)]


def _batch(mask: Mask, failing: pl.Series, work: _Work, lines: npt.NDArray[np.int64]) -> IssueBatch:
    elements = work.elements.get(mask.name)
    return IssueBatch(
        code=mask.check.code,
        column=mask.header,
        severity=mask.severity,
        message=mask.check.message,
        lines=tuple(lines[failing.to_numpy()].tolist()),
        found=_raw(work, mask.positions, failing)
        if elements is None
        else _shown(elements, failing),
        others=_raw(work, mask.others, failing),
    )


def _raw(work: _Work, positions: Sequence[int], rows: pl.Series) -> tuple[str, ...]:
    """The cells of some columns as the file has them, one text for each row."""
    if not positions:
        return ("",) * rows.len()
    columns = [_shown(work.raw[f"r{at}"], rows) for at in positions]
    return tuple(", ".join(filter(None, cells))[:_SHOWN] for cells in zip(*columns, strict=True))


def _shown(cells: pl.Series, rows: pl.Series) -> tuple[str, ...]:
    return tuple(cells.gather(rows).fill_null("").str.strip_chars().str.slice(0, _SHOWN))


def _look_up(reference: Reference, work: _Work) -> None:
    """Put the reference's mask in the place of its hashes."""
    name = reference.mask.name
    if reference.cell.field.many:
        unknown = _unknown_elements(reference, work.frame)
        work.elements[name] = unknown
        mask = unknown.is_not_null()
    else:
        mask = pl.Series(reference.known.missing(work.frame[name]))
    work.frame = work.frame.with_columns(mask.alias(name))


def _unknown_elements(reference: Reference, frame: pl.DataFrame) -> pl.Series:
    """The elements of each row's list that are not known, as one text; null where all are."""
    name = reference.mask.name
    row = pl.int_range(pl.len()).alias("row")
    each = frame.select(row, pl.col(name), reference.cell.value.alias("text"))
    each = each.explode([name, "text"])
    each = each.filter(pl.Series(reference.known.missing(each[name])))
    texts = each.group_by("row").agg(pl.col("text").str.join(", "))
    return frame.select(row).join(texts, on="row", how="left", maintain_order="left")["text"]
