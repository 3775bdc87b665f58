"""The beginning of a file: the lines to skip, and the header with the columns' names."""

from __future__ import annotations

from dataclasses import dataclass

from imports.issues import Code, FileRefused, Issue
from imports.scan import cells
from imports.scan.chunks import ScanLimits
from imports.scan.decoding import CleanStream
from imports.scan.dialect import Dialect
from imports.scan.record_bounds import find_records

BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class Header:
    """The file's column names, trimmed; "Column 1" ... where it names none.

    line: physical line where the header starts, or the first record where there is none. raw: its
    record; empty where there is none.
    """

    cells: tuple[str, ...]
    line: int
    raw: bytes = b""

    @property
    def named(self) -> int:
        """The number of columns up to the last that has a name."""
        return max((at for at, name in enumerate(self.cells, start=1) if name), default=0)


@dataclass(slots=True)
class ReadPosition:
    """The bytes that were read but not used yet, and the physical line that they begin on."""

    carry: bytes = b""
    line: int = 1


def take_header(
    stream: CleanStream,
    dialect: Dialect,
    limits: ScanLimits,
    position: ReadPosition,
    size: int = BLOCK,
) -> Header:
    """Read and check the header; afterwards the position is behind it.

    In a file without a header its first record is checked instead, and the position stays before
    it. Raises FileRefused: EMPTY_FILE, UNREADABLE_HEADER, TOO_MANY_COLUMNS.
    """
    _skip_lines(stream, position, dialect.skip_rows, size)
    for _ in range(dialect.header_row - 1):
        _next_record(stream, dialect, limits, position, size)
    line, record = _next_record(stream, dialect, limits, position, size)
    names = _header_cells(record, dialect, line, limits)
    if not dialect.header_row:
        position.carry, position.line = record + b"\n" + position.carry, line
        return Header(tuple(f"Column {number}" for number in range(1, len(names) + 1)), line)
    return Header(names, line, record)


def _skip_lines(stream: CleanStream, position: ReadPosition, number: int, size: int) -> None:
    """Skip lines whatever they contain; the position moves behind them."""
    skipped = 0
    while skipped < number:
        _, end, rest = position.carry.partition(b"\n")
        if end:
            position.carry, position.line, skipped = rest, position.line + 1, skipped + 1
            continue
        position.carry = stream.read(size)
        if not position.carry:
            return


def _next_record(
    stream: CleanStream, dialect: Dialect, limits: ScanLimits, position: ReadPosition, size: int
) -> tuple[int, bytes]:
    """Read the first record that is not blank, and its line; the position moves behind it."""
    final = False
    while True:
        position.carry = _without_blank_lines(position, position.carry, dialect.delimiter)
        if final and not position.carry:
            raise _empty(dialect)
        end = _record_end(position.carry, dialect.quote, limits.record, final)
        if end is not None:
            line, record = position.line, position.carry[:end]
            if len(record) >= limits.record:
                raise _unreadable(line, f"it does not end within {limits.record:,} bytes")
            position.carry = position.carry[end + 1 :]
            position.line += record.count(b"\n") + 1
            return line, record
        if final:
            raise _unreadable(
                position.line, f"a {_quote_name(dialect)} opens in it and is never closed"
            )
        block = stream.read(max(size, len(position.carry)))
        final = not block
        position.carry += block


def _quote_name(dialect: Dialect) -> str:
    return "double quote" if dialect.quote == cells.QUOTE else "single quote"


def _empty(dialect: Dialect) -> FileRefused:
    if not dialect.skip_rows and dialect.header_row < 2:
        return _refused(Code.EMPTY_FILE, "The file is empty. Send a file with a header and rows.")
    return _refused(
        Code.EMPTY_FILE,
        f"The file ends before its header: {dialect.skip_rows} lines are skipped, and the header"
        f" is expected in row {dialect.header_row} after them. Correct the template, or the file.",
    )


def _without_blank_lines(position: ReadPosition, buffer: bytes, delimiter: str) -> bytes:
    """Return the buffer from its first line that is not blank; the position counts the lines."""
    blank = b" \t\r\v\f\n".replace(delimiter.encode(), b"")
    skipped = len(buffer) - len(buffer.lstrip(blank))
    begin = skipped if skipped == len(buffer) else buffer.rfind(b"\n", 0, skipped) + 1
    position.line += buffer.count(b"\n", 0, begin)
    return buffer[begin:]


def _record_end(buffer: bytes, quote: str, limit: int, final: bool) -> int | None:
    """Return where the first record's line feed is; None if it is not in the buffer yet.

    A header without an end within the limit ends at the limit.
    """
    at, quotes, sign = 0, 0, quote.encode()
    while (end := buffer.find(b"\n", at)) >= 0 and end <= limit:
        quotes += buffer.count(sign, at, end) if sign else 0
        if quotes % 2 == 0:
            return end
        at = end + 1
    if len(buffer) > limit:
        return limit
    even = not sign or (quotes + buffer.count(sign, at)) % 2 == 0
    return len(buffer) if final and even else None


def _header_cells(
    record: bytes, dialect: Dialect, line: int, limits: ScanLimits
) -> tuple[str, ...]:
    """Return the names in a header record. Raises FileRefused."""
    if b"\0" in record:
        raise _unreadable(line, "it contains a NUL character")
    delimiter, quote = dialect.delimiter, dialect.quote
    bounds = find_records(record + b"\n", delimiter, limits.record, True, quote)
    if bounds.misplaced.any() or bounds.broken.any():
        raise _unreadable(line, f"a {_quote_name(dialect)} is in the wrong place")
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = record[error.start : error.end].hex(" ")
        raise _unreadable(line, f"it contains bytes that are not text ({bad})") from None
    names = tuple(name.strip("\ufeff").strip() for name in cells.split(text, delimiter, quote))
    if len(names) > limits.columns:
        raise _refused(
            Code.TOO_MANY_COLUMNS,
            f"The header has {len(names):,} columns; the maximum is {limits.columns:,}. "
            "Remove the columns that are not needed.",
            line,
        )
    return names


def _unreadable(line: int, why: str) -> FileRefused:
    advice = "Correct the first line, or save the file again as CSV in UTF-8."
    return _refused(
        Code.UNREADABLE_HEADER, f"The header in line {line} cannot be read: {why}. {advice}", line
    )


def _refused(code: Code, message: str, line: int | None = None) -> FileRefused:
    return FileRefused(Issue(code, message, line))
