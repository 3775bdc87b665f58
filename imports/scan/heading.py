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
    record; empty where there is none. unbalanced: a quote in it is in the wrong place, so that the
    names are those of its line with as few quotes as possible.
    """

    cells: tuple[str, ...]
    line: int
    raw: bytes = b""
    unbalanced: bool = False

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
    sound = _is_sound(record, dialect, limits)
    if not dialect.header_row:
        if not sound:
            raise _unreadable(line, f"a {_quote_name(dialect)} is in the wrong place")
        number = len(_names(record, dialect, line, limits))
        position.carry, position.line = record + b"\n" + position.carry, line
        return Header(tuple(f"Column {each}" for each in range(1, number + 1)), line)
    if sound:
        return Header(_names(record, dialect, line, limits), line, record)
    record, more, rest = record.partition(b"\n")
    if more:
        position.carry = rest + b"\n" + position.carry
        position.line = line + 1
    return Header(_names(record, dialect, line, limits, sound=False), line, record, unbalanced=True)


def _is_sound(record: bytes, dialect: Dialect, limits: ScanLimits) -> bool:
    """Whether all quotes of a record are where they may be, and closed."""
    bounds = find_records(record + b"\n", dialect.delimiter, limits.record, True, dialect.quote)
    return not (bounds.misplaced.any() or bounds.broken.any())


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

    One with a quote that is never closed is its first line; a line beyond the limit ends there.
    """
    at, quotes, sign = 0, 0, quote.encode()
    while (end := buffer.find(b"\n", at)) >= 0 and end <= limit:
        quotes += buffer.count(sign, at, end) if sign else 0
        if quotes % 2 == 0:
            return end
        at = end + 1
    line_end = buffer.find(b"\n")
    if len(buffer) > limit:
        return line_end if 0 <= line_end < limit else limit
    if not final:
        return None
    even = not sign or (quotes + buffer.count(sign, at)) % 2 == 0
    return len(buffer) if even or line_end < 0 else line_end


def _names(
    record: bytes, dialect: Dialect, line: int, limits: ScanLimits, *, sound: bool = True
) -> tuple[str, ...]:
    """Return the names in a header record. Raises FileRefused."""
    if b"\0" in record:
        raise _unreadable(line, "it contains a NUL character")
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = record[error.start : error.end].hex(" ")
        raise _unreadable(line, f"it contains bytes that are not text ({bad})") from None
    split = cells.split if sound else cells.split_unbalanced
    parts = split(text, dialect.delimiter, dialect.quote)
    names = tuple(name.strip("\ufeff").strip() for name in parts)
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
