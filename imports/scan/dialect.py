"""How a file is written: its encoding, delimiter and line ends, guessed from a sample.

Files that are not delimited text are refused with a reason (`kinds`).
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from imports.issues import Code, FileRefused, Issue
from imports.scan import encoding, kinds, wrapping

DELIMITERS = (",", ";", "\t", "|")
RARE = (" ", ":", "^", "~")  # delimiters that are chosen, but not guessed for a file at work

_HEAD = 1 << 20  # bytes
_WINDOW = 64 << 10
_WINDOWS = 4
_RECORDS = 200  # records that vote on the delimiter
_RECORD_LINES = 50  # a record with more lines is treated as an open quote
_FEW_CONTROLS = 8
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")

_SEP = re.compile(r'\ufeff?"?sep=(\\t|[^\w\s"\'\ufeff]|\t| )"?[,;\t|]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read a file.

    encoding: "utf-8", "utf-16-le", "utf-16-be" or one of `encoding.EIGHT_BIT`. bom: bytes to skip
    at the start. quote: "" where quotes are text. line_end: "lf" (also CR LF, and both mixed) or
    "cr". header_row, skip_rows, skip_last: see `DialectHints`; a first line `sep=;` is skipped.
    doubtful: in this encoding there are letters in words that names do not have. escaped: a quote
    within a value has a backslash before it, and is not doubled. wrapped: each whole line stands in
    quotes, as if it were one value. spaced: a blank behind each delimiter belongs to it. guessed:
    words as the encoding reads them, where nobody stated the encoding and another one would make
    other words of them.
    """

    encoding: str
    bom: int
    delimiter: str
    quote: str = '"'
    line_end: str = "lf"
    header_row: int = 1
    skip_rows: int = 0
    skip_last: int = 0
    doubtful: bool = False
    escaped: bool = False
    wrapped: bool = False
    spaced: bool = False
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectHints:
    """What a person or a template states about how a file is written; None is guessed.

    encoding: a byte order mark or the zero bytes of UTF-16 override it, and without them UTF-16 is
    ignored. header_row: which record after the skipped lines names the columns, blank ones not
    counted; 0 where none does. skip_rows: lines at the top, whatever they contain; a first line
    `sep=;` counts. skip_last: records at the end that may be no rows, see `footer.FooterRule`.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header_row: int = 1
    skip_rows: int = 0
    skip_last: int = 0


_NO_HINTS = DialectHints()
_NO_WORDS: tuple[str, ...] = ()


def detect(source: BinaryIO, size: int, hints: DialectHints = _NO_HINTS) -> Dialect:
    """Guess the dialect of a file of `size` bytes from its head and a few windows further on.

    Reads about 1.3 MB at most and leaves the position undefined. Raises FileRefused: EMPTY_FILE,
    SPREADSHEET, ARCHIVE, NOT_TEXT.
    """
    source.seek(0)
    head = source.read(_HEAD)
    kinds.refuse(head)
    name, bom = _unicode(head)
    windows = list(_windows(source, size))
    doubtful, guessed = False, _NO_WORDS
    if name is None:
        name, doubtful, guessed = _by_bytes([head, *windows], hints.encoding, size)
    texts = [_text(part, name) for part in (head[bom:], *windows)]
    _refuse_by_content(texts, size)
    line_end = _line_end(texts[0], hints.quote)
    lines = re.split(r"\r\n|\r|\n" if line_end == "cr" else r"\r?\n", texts[0])
    named = named_delimiter(lines)
    hints = replace(hints, skip_rows=max(hints.skip_rows, 1 if named else 0))
    wrapped = _are_wrapped(lines, hints)
    if wrapped:
        lines = [wrapping.unwrapped(line, hints.quote) for line in lines]
    voters = _voters(lines, hints)
    delimiter = named or hints.delimiter or _delimiter(voters)
    return Dialect(
        name,
        bom,
        delimiter,
        quote=hints.quote,
        line_end=line_end,
        header_row=hints.header_row,
        skip_rows=hints.skip_rows,
        skip_last=hints.skip_last,
        doubtful=doubtful,
        escaped=_is_escaped(texts[0], hints.quote),
        wrapped=wrapped,
        spaced=_is_spaced(voters, delimiter),
        guessed=guessed,
    )


def _line_end(text: str, quote: str) -> str:
    bare = _unquoted(text, quote)
    return "cr" if "\r" in bare and "\n" not in bare else "lf"


def _is_spaced(records: Sequence[str], delimiter: str) -> bool:
    """Whether there is a blank behind each delimiter, as if it had two signs: `1, Ada, Lee`."""
    text = "\n".join(records) + "\n"
    count = text.count(delimiter)
    blank, last = text.count(f"{delimiter} "), text.count(f"{delimiter}\n")
    return delimiter != " " and blank > 0 and blank + last == count


def _are_wrapped(lines: Sequence[str], hints: DialectHints) -> bool:
    """Whether the lines stand in quotes as a whole. The last of the sample may be cut."""
    sample = lines[hints.skip_rows : hints.skip_rows + _RECORDS]
    sample = sample[:-1] if len(sample) > 2 else sample
    return wrapping.are_surely_wrapped(sample, hints.quote, DELIMITERS)


def _is_escaped(text: str, quote: str) -> bool:
    """Whether quotes within values have a backslash before them, as some databases write them."""
    if not quote or "\\" + quote not in text:
        return False
    within = rf"[^,;|\t\r\n\\{quote}]"
    escaped = len(re.findall(rf"\\{quote}{within}", text))
    doubled = len(re.findall(rf"{within}{quote}{quote}{within}", text))
    return escaped > doubled


def named_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that a first line `sep=;` names, as Excel understands it."""
    match = _SEP.fullmatch(lines[0].strip("\r\n ")) if lines else None
    return match and {"\\t": "\t"}.get(match[1], match[1])


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


def _refuse_by_content(texts: list[str], size: int) -> None:
    """Raise FileRefused for a file without text, or with too many control characters."""
    if size <= _HEAD and not texts[0].strip("\ufeff \t\r\n\v\f"):
        message = "The file is empty, expected a header and rows. Check the export that made it."
        raise FileRefused(Issue(Code.EMPTY_FILE, message))
    controls = sum(len(_CONTROLS.findall(text)) for text in texts)
    if controls > max(_FEW_CONTROLS, sum(map(len, texts)) // 20):
        raise kinds.not_text("binary data")


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


def _by_bytes(parts: list[bytes], hint: str | None, size: int) -> tuple[str, bool, tuple[str, ...]]:
    """The encoding of a text that is not UTF-16; doubtful and guessed as in `Dialect`."""
    whole = _whole_lines(parts, size)
    expected = None if hint in ("utf-16-le", "utf-16-be") else hint
    chosen = expected or encoding.guess(whole)
    if chosen not in encoding.EIGHT_BIT:
        return chosen, False, ()
    guessed = () if expected else encoding.words_read(whole, chosen)
    return chosen, encoding.is_doubtful(whole, chosen), guessed


def _whole_lines(parts: list[bytes], size: int) -> list[bytes]:
    """The parts without the lines and characters that their borders cut."""
    head, windows = parts[0], parts[1:]
    if size > _HEAD:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    cut = [re.sub(rb"\A[^\r\n]*[\r\n]|(?<=[\r\n])[^\r\n]*\Z", b"", part) for part in windows]
    return [head, *cut]


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
