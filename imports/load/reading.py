"""Reading a job's file: scan → skip what is stored → validate → stage, chunk by chunk.

Constant memory in the file's size. Good rows leave through the staging writer, rejected ones
through the spool; what the rules across rows need is collected as numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from imports.check import locales
from imports.check.columns import ColumnMapping
from imports.check.row_numbers import RowNumbers
from imports.check.validation import CheckedChunk, Validator
from imports.issues import Issue, Severity
from imports.load.staging import Writer
from imports.load.stored import StoredRecords
from imports.report.rejects import Reject, RejectSpool, reject_of
from imports.report.summary import Summary, inner_quotes, left_out, unlikely_letters
from imports.scan.cells import QUOTE
from imports.scan.dialect import Dialect
from imports.scan.json_lines import explained
from imports.scan.prefetch import prefetched
from imports.scan.rereading import records_of, records_on
from imports.scan.scanner import Chunk, FooterRule, merged, record_hashes, scan

_PROGRESS_SECONDS = 0.7
_MOST_KEPT = 4 << 20
_BLOCK = 1 << 20
_ENOUGH = 1 << 20  # bytes of records worth a round of all rules


@dataclass(slots=True)
class FileSource:
    """The job's file, how it is written, and what its columns are.

    json_lines: the file is the CSV form of JSON lines (`imports/scan/json_lines.py`). key: the
    positions of the key's columns.
    """

    file: BinaryIO
    size: int
    dialect: Dialect
    mapping: ColumnMapping
    absorb_extra: bool = False
    json_lines: bool = False
    key: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        return len(self.mapping.header)

    @property
    def layout(self) -> int:
        """Seed of the records' hashes: the same bytes mean the same only in the same layout."""
        quote = 0 if self.dialect.quote == QUOTE else 1 + ord(self.dialect.quote or "\0")
        return self.mapping.fingerprint ^ ord(self.dialect.delimiter) ^ quote << 8

    def settle_locales(self, before: Callable[[], Mapping[str, bool]]) -> dict[str, bool]:
        """Look how the file writes its dates and numbers, where no template says it.

        before: what the last file proved, asked only where it is needed. Returns what this one
        proves, by column.
        """
        asked = locales.questions(self.mapping)
        if not asked or not locales.may_need_a_look(
            self._blocks(), asked.values(), self.dialect.encoding
        ):
            return {}
        chunks = ((chunk.data, chunk.lines) for chunk in self.chunks())
        delimiter, quote = self.dialect.delimiter, self.dialect.quote
        evidence = locales.look(chunks, self.mapping, asked, delimiter, quote)
        self.mapping = locales.decided(self.mapping, evidence, before())
        return evidence.proven

    def _blocks(self) -> Iterator[bytes]:
        self.file.seek(0)
        while block := self.file.read(_BLOCK):
            yield block

    def records_on(self, lines: npt.NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
        """The well-formed records that begin on these lines, in order."""
        if self.absorb_extra or self.json_lines:  # a record is not the text of that line
            return records_of(self.chunks(), lines)
        return records_on(self.file, self.dialect, lines, self.width)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks of the file from its beginning."""
        if self.json_lines:
            return explained(scan(self.file, self.dialect, self.width))
        footer = FooterRule(self.key, self.dialect.skip_last)
        return scan(
            self.file, self.dialect, self.width, absorb_extra=self.absorb_extra, footer=footer
        )


@dataclass(slots=True)
class FileReading:
    """The result of reading, as it grows: numbers, issues by cause, what rules across rows need.

    kept: the records that were checked, while they are few; they spare a second pass over the file
    where some of them are rejected later. None where they became many.
    """

    summary: Summary
    spool: RejectSpool
    stored: StoredRecords
    gathered: RowNumbers = field(default_factory=RowNumbers)
    seen: int = 0
    staged: int = 0
    rejected: int = 0
    warnings: int = 0
    consumed: int = 0
    kept: list[Chunk] | None = field(default_factory=list)
    kept_bytes: int = 0

    def keep(self, chunk: Chunk) -> None:
        """Keep the records of a chunk, or drop all of them where they are too many."""
        self.kept_bytes += len(chunk.data)
        if self.kept is not None and self.kept_bytes <= _MOST_KEPT:
            self.kept.append(Chunk(chunk.data, chunk.lines, chunk.offsets))
        else:
            self.kept = None

    def again(
        self, source: FileSource, lines: npt.NDArray[np.int64]
    ) -> Iterator[tuple[int, bytes]]:
        """The accepted records on these lines: as they were kept, or else from the file."""
        if self.kept:
            has_all = np.isin(lines, np.concatenate([chunk.lines for chunk in self.kept])).all()
            if has_all:
                return records_of(iter(self.kept), lines)
        return source.records_on(lines)


def read(
    source: FileSource,
    validator: Validator,
    reading: FileReading,
    writer: Writer,
    progress: Callable[[FileReading], None],
) -> None:
    """Run the whole file through. progress is called about once a second and may raise to stop."""
    last_progress = time.monotonic()
    pending = _Pending(source.mapping.header)
    for chunk in prefetched(source.chunks()):
        _skip_stored(chunk, source, reading, pending)
        if pending.weight >= _ENOUGH:
            _check(pending, validator, reading, writer)
        if time.monotonic() - last_progress > _PROGRESS_SECONDS:
            progress(reading)
            last_progress = time.monotonic()
    _check(pending, validator, reading, writer)
    progress(reading)


@dataclass(slots=True)
class _Pending:
    """What is left of chunks after the skipping, until it is worth a round of all rules.

    Where nearly all is stored already, most of the time would otherwise go into tiny rounds.
    """

    header: tuple[str, ...]
    chunks: list[Chunk] = field(default_factory=list)
    hashes: list[npt.NDArray[np.int64]] = field(default_factory=list)
    weight: int = 0


def _skip_stored(chunk: Chunk, source: FileSource, reading: FileReading, pending: _Pending) -> None:
    reading.consumed = chunk.consumed
    reading.seen += len(chunk.lines) + len(chunk.malformed)
    reading.warnings += left_out(chunk, reading.summary)
    reading.warnings += inner_quotes(chunk, reading.summary)
    reading.warnings += unlikely_letters(chunk, reading.summary)
    hashes = record_hashes(chunk, source.layout)
    rest, hashes = reading.stored.skip(chunk, hashes)
    pending.chunks.append(rest)
    pending.hashes.append(hashes)
    pending.weight += len(rest.data) + sum(len(cut.raw) for cut in rest.malformed)


def _check(pending: _Pending, validator: Validator, reading: FileReading, writer: Writer) -> None:
    if not pending.chunks:
        return
    rest, hashes = merged(pending.chunks), np.concatenate(pending.hashes)
    pending.chunks, pending.hashes, pending.weight = [], [], 0
    rejects = [reject_of(cut, pending.header) for cut in rest.malformed]
    for reject in rejects:
        reading.summary.add(reject.issues[0])
    if len(rest.lines):
        checked = _checked(rest, hashes, validator)
        reading.keep(rest)
        writer.write(checked.good)
        reading.staged += checked.good.height
        reading.gathered.add(checked.good)
        rejects += _rejected(rest, checked)
        _summarise(checked, reading)
    for reject in sorted(rejects, key=lambda reject: reject.line):
        reading.spool.add(reject)
    reading.rejected += len(rejects)


def _checked(chunk: Chunk, hashes: npt.NDArray[np.int64], validator: Validator) -> CheckedChunk:
    starts, ends = chunk.offsets[:-1], chunk.offsets[1:]

    def raw(position: int) -> bytes:
        return chunk.data[int(starts[position]) : int(ends[position]) - 1]

    return validator.check(chunk.data, chunk.lines, hashes, raw)


def _rejected(chunk: Chunk, checked: CheckedChunk) -> Iterator[Reject]:
    """The rows that the rules rejected, each with all its issues."""
    by_line: dict[int, list[Issue]] = {}
    for batch in checked.issues:
        if batch.severity == Severity.ERROR:
            for issue in batch.issues():
                by_line.setdefault(issue.line or 0, []).append(issue)
    for position, raw in zip(checked.rejected.tolist(), checked.rejected_records, strict=True):
        line = int(chunk.lines[position])
        yield Reject(line, raw, tuple(by_line[line]))


def _summarise(checked: CheckedChunk, reading: FileReading) -> None:
    for batch in checked.issues:
        first = next(batch.issues())
        reading.summary.add_many(
            batch.code,
            batch.column,
            batch.severity,
            first.message,
            batch.lines,
            batch.values,
            cause=batch.message,
        )
        if batch.severity == Severity.WARNING:
            reading.warnings += len(batch.lines)
