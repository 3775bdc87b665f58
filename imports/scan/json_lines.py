"""JSON lines as the engine reads them: each line's event becomes one record of a CSV file. Pure.

The lines keep their numbers. The message for a wrong line travels in its record, which has only
one cell, so that the scanner takes it for malformed; `explained` then restores code, message and
line. Members without a column of their own stay JSON, in the column `payload`, so that no number
becomes a text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from imports.issues import SHOWN_CHARACTERS, Code, FileRefused, Issue
from imports.scan import cells
from imports.scan.chunks import Chunk, MalformedRecord
from portal.events import payloads, rules
from portal.events.rules import EventRefused, Incoming

COLUMNS = ("id", "event", "timestamp", "subject", "payload")
ENDINGS = (".jsonl", ".ndjson")

_LONGEST = 1 << 20  # bytes of a line that is read as JSON
_KEPT = 32 << 10  # bytes of a wrong line that its sender gets back
_MARK, _PART = "\x1ejson\x1e", "\x1f"
_BOM = b"\xef\xbb\xbf"
_HEAD = 4 << 10


def recognised(file: BinaryIO, name: str) -> bool:
    """Return whether the file has JSON lines, by its name's ending or its first character.

    Raises FileRefused for another kind of JSON.
    """
    file.seek(0)
    start = file.read(_HEAD).removeprefix(_BOM).lstrip()[:1]
    file.seek(0)
    if start == b"[":
        message = (
            "The file is one JSON array, expected JSON lines: an object on each line, without"
            " brackets around them and commas between them."
        )
        raise FileRefused(Issue(Code.NOT_JSON, message, 1, value="["))
    return start == b"{" or (bool(start) and name.lower().endswith(ENDINGS))


def to_csv(source: BinaryIO, target: BinaryIO) -> None:
    """Write the lines as CSV with COLUMNS, in constant memory."""
    source.seek(0)
    target.write(f"{','.join(COLUMNS)}\n".encode())
    for number, line in enumerate(_lines(source)):
        text = _record(line.removeprefix(_BOM) if number == 0 else line)
        target.write(text.encode() + b"\n")


def is_attachment(file: BinaryIO) -> bool:
    """Return whether the file is the error attachment of such a file, with its lines corrected."""
    file.seek(0)
    head = file.readline(_HEAD).removeprefix(_BOM).decode("utf-8", "replace").rstrip("\r\n")
    file.seek(0)
    names = tuple(name.strip().strip('"') for name in head.split(","))
    helpers = names[len(COLUMNS) :]
    return (
        names[: len(COLUMNS)] == COLUMNS
        and bool(helpers)
        and all(name.startswith("_") for name in helpers)
    )


def attachment_to_csv(source: BinaryIO, target: BinaryIO) -> None:
    """Write a corrected attachment as `to_csv` writes JSON lines; its line numbers are its own.

    A line that was no event came back as it was, in the column `payload` and with nothing else.
    Raises FileRefused.
    """
    source.seek(0)
    text = io.TextIOWrapper(source, "utf-8-sig", "replace", newline="")
    try:
        rows = csv.reader(text)
        next(rows, None)
        target.write(f"{','.join(COLUMNS)}\n\n".encode())
        written = start = 1
        for row in rows:
            target.write(b"\n" * (start - written))
            target.write(_corrected(row).encode() + b"\n")
            written, start = start + 1, rows.line_num
    except csv.Error as error:
        message = f"The error attachment cannot be read as CSV: {error}."
        raise FileRefused(Issue(Code.NOT_JSON, message)) from error
    finally:
        text.detach()


def _corrected(row: list[str]) -> str:
    row = [*row, *[""] * len(COLUMNS)][: len(COLUMNS)]
    *others, payload = row
    if payload.strip() and not any(cell.strip() for cell in others):
        return _record(payload.encode())
    if not any(cell.strip() for cell in row):
        return ""
    return ",".join(cells.quoted(cell, ",") for cell in row)


def explained(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks of such a CSV file with the line numbers and the faults of the JSON lines."""
    for chunk in chunks:
        malformed = [_explained(record) for record in chunk.malformed]
        yield Chunk(chunk.data, chunk.lines - 1, chunk.offsets, malformed, chunk.consumed)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends; of a line that is too long, its first part and a byte more."""
    while line := source.readline(_LONGEST + 2):
        rest = line
        while not rest.endswith(b"\n") and (rest := source.readline(_LONGEST)):
            pass
        yield line.rstrip(b"\r\n")


def _record(line: bytes) -> str:
    if not line.strip():
        return ""
    if len(line) > _LONGEST:
        return _wrong(line, f"This line has more than {_LONGEST:,} bytes. Shorten it.")
    try:
        event = rules.read(payloads.parse(line.decode()))
    except UnicodeDecodeError:
        return _wrong(line, "This line is not UTF-8. Save the whole file as UTF-8.")
    except EventRefused as refused:
        return _wrong(line, str(refused))
    except payloads.NotJson as error:
        return _wrong(line, f"This line is not a JSON object: {error}.")
    return _good(event)


def _good(event: Incoming) -> str:
    values = (event.uid, event.type, event.at.isoformat(), event.subject, event.payload)
    return ",".join(cells.quoted(value, ",") for value in values)


def _wrong(line: bytes, message: str) -> str:
    raw = line[:_KEPT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    cell = f"{_MARK}{message}{_PART}{raw}".replace("\n", " ").replace("\r", " ")
    return '"' + cell.replace('"', '""') + '"'


def _explained(malformed: MalformedRecord) -> MalformedRecord:
    text = cells.split(malformed.raw.decode("utf-8", "replace"), ",")[0]
    if not text.startswith(_MARK):
        return MalformedRecord(
            malformed.line - 1, malformed.code, malformed.raw, malformed.message, malformed.value
        )
    message, _, raw = text.removeprefix(_MARK).partition(_PART)
    record = "," * (len(COLUMNS) - 1) + cells.quoted(raw, ",")
    return MalformedRecord(
        malformed.line - 1, Code.NOT_JSON, record.encode(), message, raw[:SHOWN_CHARACTERS]
    )
