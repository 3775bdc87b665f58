"""Write INVALID attributes into a manifest and keep the rest of it as it was, byte for byte.

The sender gets their own document back, in its encoding and layout, with the bad lines marked
(seed 001, state 3). A serialiser would change quotes, order, comments and line ends; so the start
tags are found by the parser's byte offsets and edited in place.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator, Mapping

from imports.manifest.encoding import utf16_order
from imports.manifest.reading import file_elements
from imports.manifest.schema import Problem

_OPEN = re.compile(r"<[^ \t\r\n/>]+")
_ATTRIBUTE = re.compile(
    r"""[ \t\r\n]+(?P<name>[^ \t\r\n=/>"']+)[ \t\r\n]*=[ \t\r\n]*("[^"]*"|'[^']*')"""
)


def annotate(data: bytes, problems: Mapping[int, Problem]) -> bytes:
    """Return the document with INVALID="…" in the start tag of each `file` element in `problems`.

    problems: index of the element (document order, 0 is the first) to what is wrong with it.
    INVALID attributes of an earlier run are removed first, also where the line is good now: a mark
    always belongs to the latest run. Raises InvalidSchema as `parse` does, and KeyError for an
    index that the document does not have.
    """
    elements = file_elements(data, marked=True)
    if unknown := problems.keys() - range(len(elements)):
        raise KeyError(f"The manifest has no file element number {min(unknown)}.")
    units = _Units(data)
    pieces: list[str] = []
    end = 0
    for index, (_, offset) in enumerate(elements):
        start = offset // units.width
        pieces.append(units.text[end:start])
        tag, end = _without_marks(units.text, start)
        pieces.append(tag)
        if index in problems:
            pieces.append(f' INVALID="{problems[index].value}"')
    pieces.append(units.text[end:])
    return units.encode("".join(pieces))


def _without_marks(text: str, start: int) -> tuple[str, int]:
    """Return the start tag up to its last attribute, without INVALID attributes, and its end."""
    opening = _OPEN.match(text, start)
    if opening is None:
        raise ValueError(f"There is no start tag at {start}.")
    end = opening.end()
    kept = [opening.group()]
    for attribute in _attributes(text, end):
        end = attribute.end()
        if attribute["name"].rpartition(":")[2].upper() != "INVALID":
            kept.append(attribute.group())
    return "".join(kept), end


def _attributes(text: str, position: int) -> Iterator[re.Match[str]]:
    while attribute := _ATTRIBUTE.match(text, position):
        yield attribute
        position = attribute.end()


class _Units:
    """The document as a text of its code units: one character per byte, or per two in UTF-16.

    Every encoding that is read keeps the characters of markup as they are, and no part of another
    character looks like one; so nothing has to be decoded, and nothing can be lost.
    """

    def __init__(self, data: bytes) -> None:
        self._order = utf16_order(data)
        self._tail = b""  # a single Ctrl-Z behind units of two bytes
        if self._order is None:
            self.width = 1
            self.text = data.decode("latin-1")
            return
        self.width = 2
        even = len(data) // 2 * 2
        self._tail = data[even:]
        numbers = array("H", data[:even])
        if self._order != sys.byteorder:
            numbers.byteswap()
        self.text = "".join(map(chr, numbers))

    def encode(self, text: str) -> bytes:
        """The bytes of that text, in the document's own encoding."""
        if self._order is None:
            return text.encode("latin-1")
        return text.encode(f"utf-16-{self._order[0]}e", "surrogatepass") + self._tail
