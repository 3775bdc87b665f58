"""Read a file of any accepted encoding as one stream of UTF-8 bytes whose lines end in LF."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

import numpy as np

from imports.scan.dialect import Dialect
from imports.scan.encoding import EIGHT_BIT, utf8_of

_CR, _LF = 13, 10
_LONGEST_LINE = 1 << 20  # bytes of a line whose encoding is found out as a whole
_HELD = 3  # the most carriage returns before a line feed that belong to the line end


class CleanStream:
    """Read a source from its first byte and return UTF-8 with LF, block by block.

    Bytes that have no meaning in the source's encoding become ill-formed UTF-8, so that one later
    check detects them all. CR LF (and CR CR LF, which some transfer programs produce) becomes LF,
    inside quotes too. A lone CR is data, unless the dialect's line ends are CR.
    consumed: bytes of the source read so far.
    """

    def __init__(self, source: BinaryIO, dialect: Dialect) -> None:
        source.seek(dialect.bom)
        self.consumed = dialect.bom
        self._source = source
        self._cr = dialect.line_end == "cr"
        self._held = b""
        self._ended = False
        self._encoding = dialect.encoding
        self._decoder = _decoder(dialect.encoding)
        self._backslash = b""  # the last one of a block, which what follows belongs to
        self._escape = dialect.quote.encode() if dialect.escaped else b""
        self._line = b""  # the beginning of a line in an 8-bit encoding
        self._wrapper = dialect.quote.encode() if dialect.wrapped else b""
        self._wrapped = b""  # the beginning of a line in quotes

    def read(self, size: int) -> bytes:
        """Return the next bytes, from about `size` bytes of the source; empty only at the end."""
        while not self._ended:
            block = self._source.read(size)
            self._ended = not block
            self.consumed += len(block)
            clean = self._unwrapped(self._line_ends(self._unescaped(self._utf8(block))))
            if clean:
                return clean
        return b""

    def _utf8(self, block: bytes) -> bytes:
        if self._encoding in EIGHT_BIT:
            return utf8_of(self._whole_lines(block), self._encoding)
        if self._decoder is None:
            return block
        text = self._decoder.decode(block).encode("utf-8", "surrogatepass")
        if self._ended and self._decoder.getstate()[0]:
            return text + b"\xff"  # half a character at the end of the file
        return text

    def _unescaped(self, block: bytes) -> bytes:
        """The block with doubled quotes instead of escaped ones."""
        if not self._escape:
            return block
        block, self._backslash = self._backslash + block, b""
        count = len(block) - len(block.rstrip(b"\\"))
        if count % 2 and not self._ended:
            block, self._backslash = block[:-1], b"\\"
        quote = self._escape
        pattern = b"\\\\([\\\\" + quote + b"])"
        return re.sub(pattern, lambda m: quote * 2 if m[1] == quote else m[1], block)

    def _unwrapped(self, block: bytes) -> bytes:
        """The lines without the quotes around each; a line that has none stays as it is."""
        if not self._wrapper:
            return block
        quote = self._wrapper
        *lines, rest = (self._wrapped + block).split(b"\n")
        self._wrapped = b""
        if self._ended or len(rest) > _LONGEST_LINE:
            lines.append(rest)
        else:
            self._wrapped = rest
            lines.append(b"")
        return b"\n".join(_without(line, quote) for line in lines)

    def _whole_lines(self, block: bytes) -> bytes:
        """The block up to its last line end, with what an earlier one left; at last everything."""
        block = self._line + block
        end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if self._ended or len(block) - end > _LONGEST_LINE:
            end = len(block)
        self._line = block[end:]
        return block[:end]

    def _line_ends(self, block: bytes) -> bytes:
        block = self._held + block
        self._held = b""
        if b"\r" not in block:
            return block
        if block.endswith(b"\r"):
            block = self._hold(block)
        if _all_before_line_feeds(block):
            return block.translate(None, b"\r")  # several times as fast as the replacements below
        block = block.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
        return block.replace(b"\r", b"\n") if self._cr else block

    def _hold(self, block: bytes) -> bytes:
        """Keep the last carriage returns back: what follows decides whether they end a line."""
        count = len(block[-_HELD:]) - len(block[-_HELD:].rstrip(b"\r"))
        head, held = block[:-count], block[-count:]
        if self._ended:
            return head + (held if self._cr else b"\n")
        self._held = held
        return head


def _without(line: bytes, quote: bytes) -> bytes:
    inside = line.rstrip(b",;\t| ")  # the delimiters of empty columns beside it
    if len(inside) < 2 or not (inside.startswith(quote) and inside.endswith(quote)):
        return line
    return inside[1:-1].replace(quote * 2, quote)


def _all_before_line_feeds(block: bytes) -> bool:
    """Return whether every carriage return is directly before a line feed."""
    marks = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(marks == _CR)
    return not at.size or bool(at[-1] + 1 < marks.size and (marks[at + 1] == _LF).all())


def _decoder(encoding: str) -> codecs.IncrementalDecoder | None:
    if encoding == "utf-8" or encoding in EIGHT_BIT:
        return None
    return codecs.getincrementaldecoder(encoding)("surrogatepass")
