"""How a file is written: its encoding, delimiter and line ends, guessed from a sample.

Files that are not delimited text are refused with a reason: spreadsheets, archives, binary files.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from imports.issues import Code, FileRefused, Issue

DELIMITERS = (",", ";", "\t", "|")

_HEAD = 1 << 20  # bytes
_WINDOW = 64 << 10
_WINDOWS = 4
_RECORDS = 200  # records that vote on the delimiter
_RECORD_LINES = 50  # a record with more lines is treated as an open quote
_FEW_CONTROLS = 8
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")

_SPREADSHEETS = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"Rar!\x1a\x07",
)
_BINARIES = {
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"II*\x00": "an image",
    b"MM\x00*": "an image",
    b"\x7fELF": "a program",
    b"{\\rtf": "a word processor document",
    b"SQLite format 3\x00": "a database",
    b"PAR1": "a Parquet file",
    b"\xff\xfe\x00\x00": "text in UTF-32",
    b"\x00\x00\xfe\xff": "text in UTF-32",
}
_SHEET_PARTS = (b"xl/", b"[Content_Types].xml", b"opendocument.spreadsheet", b"Index/Document.iwa")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read a file.

    encoding: "utf-8", "utf-16-le", "utf-16-be" or "cp1252". bom: bytes to skip at the start.
    quote: "" where quotes are text. line_end: "lf" (also CR LF, and both mixed) or "cr".
    header_row, skip_rows, skip_last: see `DialectHints`.
    """

    encoding: str
    bom: int
    delimiter: str
    quote: str = '"'
    line_end: str = "lf"
    header_row: int = 1
    skip_rows: int = 0
    skip_last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectHints:
    """What a person or a template states about how a file is written; None is guessed.

    encoding: a byte order mark overrides it. header_row: which record after the skipped lines
    names the columns, blank ones not counted; 0 where none does. skip_rows: lines at the top,
    whatever they contain. skip_last: records at the end.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header_row: int = 1
    skip_rows: int = 0
    skip_last: int = 0


_NO_HINTS = DialectHints()


def detect(source: BinaryIO, size: int, hints: DialectHints = _NO_HINTS) -> Dialect:
    """Guess the dialect of a file of `size` bytes from its head and a few windows further on.

    Reads about 1.3 MB at most and leaves the position undefined. Raises FileRefused: EMPTY_FILE,
    SPREADSHEET, ARCHIVE, NOT_TEXT.
    """
    source.seek(0)
    head = source.read(_HEAD)
    _refuse_by_signature(head)
    encoding, bom = _unicode(head)
    windows = list(_windows(source, size))
    if not bom:
        encoding = hints.encoding or encoding
    if encoding is None:
        encoding = _eight_bit([head, *windows])
    texts = [_text(part, encoding) for part in (head[bom:], *windows)]
    _refuse_by_content(texts, size)
    bare = _unquoted(texts[0], hints.quote)
    line_end = "cr" if "\r" in bare and "\n" not in bare else "lf"
    lines = re.split(r"\r\n|\r|\n" if line_end == "cr" else r"\r?\n", texts[0])
    return Dialect(
        encoding,
        bom,
        hints.delimiter or _delimiter(_voters(lines, hints)),
        quote=hints.quote,
        line_end=line_end,
        header_row=hints.header_row,
        skip_rows=hints.skip_rows,
        skip_last=hints.skip_last,
    )


def _unquoted(text: str, quote: str) -> str:
    return re.sub(f"{quote}[^{quote}]*{quote}", "", text) if quote else text


def _voters(lines: list[str], hints: DialectHints) -> list[str]:
    """The header and the records after it that vote on the delimiter."""
    first = max(0, hints.header_row - 1)
    records = _records(lines[hints.skip_rows :], hints.quote)
    return list(islice(records, first, first + _RECORDS))


def _windows(source: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield evenly spaced samples after the head, at even offsets because of UTF-16."""
    for number in range(1, _WINDOWS + 1):
        at = (_HEAD + (size - _HEAD) * number // (_WINDOWS + 1)) & ~1
        if size > _HEAD + _WINDOWS * _WINDOW:
            source.seek(at)
            yield source.read(_WINDOW)
    if _HEAD < size <= _HEAD + _WINDOWS * _WINDOW:
        source.seek(_HEAD)
        yield source.read(_WINDOWS * _WINDOW)


def _refuse_by_signature(head: bytes) -> None:
    """Raise FileRefused for files whose first bytes show that they are not text."""
    if head.startswith(_SPREADSHEETS) or (
        head.startswith(b"PK\x03\x04") and any(part in head for part in _SHEET_PARTS)
    ):
        raise _refused(
            Code.SPREADSHEET,
            "The file is a spreadsheet (Excel or similar), expected a CSV file. Open it, "
            "save it as CSV (UTF-8) and send that file. Renaming it is not enough.",
        )
    if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        raise _refused(
            Code.ARCHIVE,
            "The file is a compressed archive, expected a CSV file. Unpack it and send the CSV "
            "file inside.",
        )
    for signature, what in _BINARIES.items():
        if head.startswith(signature):
            raise _not_text(what)
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        raise _not_text("an image, audio or video file")


def _refuse_by_content(texts: list[str], size: int) -> None:
    """Raise FileRefused for a file without text, or with too many control characters."""
    if size <= _HEAD and not texts[0].strip("\ufeff \t\r\n\v\f"):
        raise _refused(
            Code.EMPTY_FILE,
            "The file is empty, expected a header and rows. Check the export that made it.",
        )
    controls = sum(len(_CONTROLS.findall(text)) for text in texts)
    if controls > max(_FEW_CONTROLS, sum(map(len, texts)) // 20):
        raise _not_text("binary data")


def _not_text(what: str) -> FileRefused:
    return _refused(
        Code.NOT_TEXT,
        f"The file is {what}, expected a CSV file. Send the data saved as CSV (UTF-8).",
    )


def _refused(code: Code, message: str) -> FileRefused:
    return FileRefused(Issue(code, message))


def _unicode(head: bytes) -> tuple[str | None, int]:
    """Return the encoding by its byte order mark or zero bytes, and the size of the mark."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half and max(even, odd) > half * 0.4 and min(even, odd) <= half * 0.02:
        return ("utf-16-le" if odd > even else "utf-16-be"), 0
    return None, 0


def _eight_bit(parts: list[bytes]) -> str:
    """Choose UTF-8, unless the sample has more ill-formed bytes than characters beyond ASCII.

    A UTF-8 file with a few broken rows stays UTF-8: those rows become issues.
    """
    good = broken = undefined = 0
    for part in parts:
        if not part.isascii():
            beyond = re.sub(r"[\x00-\x7f]+", "", part.decode("utf-8", "surrogateescape"))
            wrong = len(re.findall(r"[\udc80-\udcff]", beyond))
            good, broken = good + len(beyond) - wrong, broken + wrong
            undefined += sum(part.count(byte) for byte in b"\x81\x8d\x8f\x90\x9d")
    return "cp1252" if broken > good and undefined * 10 <= broken else "utf-8"


def _text(part: bytes, encoding: str) -> str:
    return part.decode(encoding, "replace")


def _records(lines: list[str], quote: str) -> Iterator[str]:
    """Yield the file's first records without their quoted parts; an open quote costs one line."""
    at = 0
    while at < len(lines):
        end, quotes = at + 1, lines[at].count(quote) if quote else 0
        while quotes % 2 and end < min(len(lines), at + _RECORD_LINES):
            quotes, end = quotes + lines[end].count(quote), end + 1
        end = at + 1 if quotes % 2 else end
        record = "\n".join(lines[at:end])
        if record.strip(" \r\n"):
            yield _unquoted(record, quote)
        at = end


def _delimiter(records: list[str]) -> str:
    """Choose the delimiter in the header that the records agree with best; else comma."""
    if not records:
        return ","
    header, *rows = records

    def score(delimiter: str) -> tuple[float, int]:
        expected = header.count(delimiter)
        votes = Counter(row.count(delimiter) == expected for row in rows)
        return (votes[True] / len(rows) if rows else 1.0), expected

    candidates = [delimiter for delimiter in DELIMITERS if delimiter in header]
    return max(candidates, key=score, default=",")
