"""What is wrong with a record that is not well-formed, in words."""

from __future__ import annotations

from imports.issues import SHOWN_CHARACTERS, Code
from imports.scan import cells
from imports.scan.chunks import MalformedRecord, ScanLimits
from imports.scan.verdicts import FIRST_CODE, ORDER, Examined, largest_cell, raw_of

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def explain(examined: Examined, index: int, line: int) -> MalformedRecord:
    """Say what is wrong with one record. line: physical line of the buffer's first byte."""
    raw = raw_of(examined, index)
    code = ORDER[int(examined.codes[index]) - FIRST_CODE]
    line += int(examined.first[index])
    if code is Code.ROW_TOO_LARGE:
        return oversized(raw, line, examined.limits)
    if code is Code.BAD_ENCODING:
        return _ill_encoded_record(raw, line, examined)
    message, value = _message(code, raw, int(examined.cells[index]), examined)
    return MalformedRecord(line, code, raw, message, value)


def _ill_encoded_record(raw: bytes, line: int, examined: Examined) -> MalformedRecord:
    at = _bad_byte(raw)
    before = raw[:at].decode("utf-8")
    cell = len(cells.split(before, examined.delimiter, examined.quote))
    line_of_byte = line + before.count("\n")
    message = _BAD_ENCODING.format(byte=_as_in_the_file(raw[at:]), cell=cell, line=line_of_byte)
    return MalformedRecord(line, Code.BAD_ENCODING, raw, message, _around(raw, at), cell)


def _bad_byte(raw: bytes) -> int:
    """The offset of the first byte that is not UTF-8."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _as_in_the_file(rest: bytes) -> str:
    """The byte in hexadecimal; the stream has those of other encodings as surrogates."""
    if rest[:1] == b"\xed" and len(rest) > 2:
        return f"{(rest[1] & 0x3F) << 6 & 0xFF | rest[2] & 0x3F:02X}"
    return f"{rest[0]:02X}"


def oversized(raw: bytes, line: int, limits: ScanLimits) -> MalformedRecord:
    """A line that goes on beyond the record limit. raw: as much of it as was read."""
    message = _too_large("row", f"more than {limits.record:,}", limits.record)
    raw = raw[: limits.record]
    return MalformedRecord(line, Code.ROW_TOO_LARGE, raw, message, _excerpt(raw))


def _message(code: Code, raw: bytes, count: int, examined: Examined) -> tuple[str, str]:
    """The message for a malformed record, and the part of it that is wrong."""
    limits = examined.limits
    if code in (Code.TOO_FEW_CELLS, Code.TOO_MANY_CELLS):
        return _wrong_count(count, examined.columns, examined.delimiter), _excerpt(raw)
    if code is Code.CELL_TOO_LARGE:
        number, size = largest_cell(raw, examined.delimiter, examined.quote)
        return _too_large(f"cell {number} of this row", f"{size:,}", limits.cell), _excerpt(raw)
    if code is Code.OPEN_QUOTE:
        at = raw.rfind(examined.quote.encode())
        return _quote_message(_OPEN_QUOTE, examined), _excerpt(raw[at:])
    if code is Code.NUL_BYTE:
        return _NUL_BYTE, _excerpt(raw)
    return _quote_message(_BAD_QUOTE, examined), _excerpt(raw)


def _quote_message(message: str, examined: Examined) -> str:
    name = "double" if examined.quote == '"' else "single"
    return message.format(name=name, sign=examined.quote, limit=examined.limits.record)


_BAD_ENCODING = (
    "This row contains bytes that are not text in the file's encoding; the first is byte {byte} in "
    "cell {cell}, line {line:,}. Save the whole file as UTF-8 and send it again."
)
_BAD_QUOTE = (
    "A {name} quote ({sign}) is in the wrong place in this row. Put {name} "
    "quotes around the whole value and write each {name} quote inside it twice "
    "({sign}{sign})."
)
_OPEN_QUOTE = (
    "A {name} quote ({sign}) opens a value in this row and is not closed properly: the next one "
    "is in another row, or not within {limit:,} bytes. Close it or remove it. Reading "
    "continued at the next line."
)
_NUL_BYTE = (
    "This row contains a NUL character, which no value may have. "
    "Export the file again, or remove the character."
)


def _wrong_count(count: int, columns: int, delimiter: str) -> str:
    cells_word = "cell" if count == 1 else "cells"
    name = _DELIMITERS.get(delimiter, delimiter)
    if count < columns:
        advice = "Add the missing cells; a cell without a value still needs its delimiter"
    else:
        advice = (
            f"Put double quotes around a value that contains a {name}, or remove the extra cells"
        )
    return f"This row has {count:,} {cells_word}, the header has {columns:,}. {advice}."


def _too_large(what: str, size: str, limit: int) -> str:
    subject = "This row" if what == "row" else what.capitalize()
    return f"{subject} has {size} bytes; the maximum is {limit:,}. Shorten it."


def _excerpt(raw: bytes) -> str:
    return (
        raw[: SHOWN_CHARACTERS * 4]
        .decode("utf-8", "replace")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")[:SHOWN_CHARACTERS]
    )


def _around(raw: bytes, at: int) -> str:
    near = raw[max(0, at - 30) : at + 31]
    return near.decode("utf-8", "backslashreplace").replace("\0", "\\x00")[:SHOWN_CHARACTERS]
