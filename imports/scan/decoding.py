"""Read a file of any accepted encoding as one stream of UTF-8 bytes whose lines end in LF."""

from __future__ import annotations

import codecs
from typing import BinaryIO

import numpy as np

from imports.scan.dialect import Dialect

_CR, _LF = 13, 10
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
        self._decoder = _decoder(dialect.encoding)

    def read(self, size: int) -> bytes:
        """Return the next bytes, from about `size` bytes of the source; empty only at the end."""
        while not self._ended:
            block = self._source.read(size)
            self._ended = not block
            self.consumed += len(block)
            clean = self._line_ends(self._utf8(block))
            if clean:
                return clean
        return b""

    def _utf8(self, block: bytes) -> bytes:
        if self._decoder is None:
            return block
        text = self._decoder.decode(block).encode("utf-8", "surrogatepass")
        if self._ended and self._decoder.getstate()[0]:
            return text + b"\xff"  # half a character at the end of the file
        return text

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


def _all_before_line_feeds(block: bytes) -> bool:
    """Return whether every carriage return is directly before a line feed."""
    marks = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(marks == _CR)
    return not at.size or bool(at[-1] + 1 < marks.size and (marks[at + 1] == _LF).all())


def _decoder(encoding: str) -> codecs.IncrementalDecoder | None:
    if encoding == "utf-8":
        return None
    errors = "surrogateescape" if encoding == "cp1252" else "surrogatepass"
    return codecs.getincrementaldecoder(encoding)(errors)
