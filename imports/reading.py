"""Reading a job's file: scan → skip what is stored → validate → stage, chunk by chunk.

Constant memory in the file's size. Good rows leave through the staging writer, rejected ones through
the spool; what the rules across rows need is gathered as numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO


from imports.crosscheck import Gathered
from imports.dialect import Dialect
from imports.issues import Issue, Severity
from imports.known import KnownRecords
from imports.mapping import Mapping
from imports.report import Reject, RejectSpool, Summary
from imports.scanning import Chunk, record_hashes, scan
from imports.staging import Writer
from imports.validation import Checked, Validator

_PROGRESS_SECONDS = 0.7


@dataclass(slots=True)
class Source:
    """The job's file, how it is written, and what its columns are."""

    file: BinaryIO
    size: int
    dialect: Dialect
    mapping: Mapping
    absorb_extra: bool = False

    @property
    def width(self) -> int:
        return len(self.mapping.header)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks of the file from its beginning."""
        return scan(self.file, self.dialect, self.width, absorb_extra=self.absorb_extra)


@dataclass(slots=True)
class Reading:
    """What reading found: the numbers, the issues by cause, and what is needed across rows."""

    summary: Summary
    spool: RejectSpool
    known: KnownRecords
    gathered: Gathered = field(default_factory=Gathered)
    seen: int = 0
    staged: int = 0
    rejected: int = 0
    warnings: int = 0
    consumed: int = 0


def read(
    source: Source,
    validator: Validator,
    reading: Reading,
    writer: Writer,
    progress: Callable[[Reading], None],
) -> None:
    """Run the whole file through. progress is called about once a second and may raise to stop."""
    told = time.monotonic()
    for chunk in source.chunks():
        _one(chunk, source, validator, reading, writer)
        if time.monotonic() - told > _PROGRESS_SECONDS:
            progress(reading)
            told = time.monotonic()
    progress(reading)


def _one(
    chunk: Chunk, source: Source, validator: Validator, reading: Reading, writer: Writer
) -> None:
    reading.consumed = chunk.consumed
    reading.seen += len(chunk.lines) + len(chunk.cut)
    hashes = record_hashes(chunk, source.mapping.fingerprint)
    rest, hashes = reading.known.skip(chunk, hashes)
    checked = validator.check(rest.data, rest.lines, hashes) if len(rest.lines) else None
    if checked is not None:
        writer.write(checked.good)
        reading.staged += checked.good.height
        reading.gathered.add(checked.good)
    _reject(rest, checked, reading)


def _reject(chunk: Chunk, checked: Checked | None, reading: Reading) -> None:
    rejects = [
        Reject(cut.line, cut.raw, (Issue(cut.code, cut.message, cut.line, None, cut.found),))
        for cut in chunk.cut
    ]
    if checked is not None:
        rejects += _rejected_rows(chunk, checked)
        for batch in checked.issues:
            reading.summary.add_many(
                batch.code, batch.column, batch.severity, batch.message, batch.lines, batch.found
            )
            reading.warnings += len(batch.lines) if batch.severity == Severity.WARNING else 0
    for cut_reject in rejects[: len(chunk.cut)]:
        reading.summary.add(cut_reject.issues[0])
    for reject in sorted(rejects, key=lambda one: one.line):
        reading.spool.add(reject)
    reading.rejected += len(rejects)


def _rejected_rows(chunk: Chunk, checked: Checked) -> list[Reject]:
    by_line = checked.errors_by_line()
    rows = []
    for position in checked.rejected.tolist():
        line = int(chunk.lines[position])
        start, end = int(chunk.offsets[position]), int(chunk.offsets[position + 1])
        rows.append(Reject(line, bytes(chunk.data[start:end]), tuple(by_line[line])))
    return rows
