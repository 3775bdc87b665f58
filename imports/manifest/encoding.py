"""The XML document in a manifest's bytes, and its encoding as the bytes show it. Pure.

Campuses' systems write what no parser takes: Windows PowerShell writes UTF-16 under a declaration
of UTF-8, .NET declares UTF-16 and is saved as UTF-8, editors leave a blank line before the
declaration, `copy /a` a final Ctrl-Z. The meaning is clear in each case, so they are read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_BEFORE = "\ufeff \t\r\n"
_AFTER = "\x1a\0 \t\r\n\ufeff"
_DECLARED_UTF16 = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']\s*utf-?16""", re.I)


class Document(NamedTuple):
    """content: the bytes without what is around the document. start: how many were before it.
    encoding: what expat must be told whatever the declaration says; None to go by that. lines: how
    many lines were before it."""

    content: bytes
    start: int
    encoding: str | None
    lines: int


def document(data: bytes) -> Document:
    """Find the document in the bytes."""
    order = utf16_order(data)
    if order is None:
        return _single_bytes(data)
    encoding = f"utf-16-{order[0]}e"
    units = data[: len(data) // 2 * 2].decode(encoding, "surrogatepass")
    body = units.lstrip(_BEFORE)
    before = units[: len(units) - len(body)]
    content = body.rstrip(_AFTER).encode(encoding, "surrogatepass")
    return Document(content, 2 * len(before), f"utf-16{order[0]}e", before.count("\n"))


def utf16_order(data: bytes) -> str | None:
    """The byte order if it is UTF-16: by its mark, or by the first character, which is ASCII."""
    if data[:2] in (b"\xff\xfe", b"<\0") or (data[1:2] == b"\0" and data[:1] != b"\0"):
        return "little"
    if data[:2] == b"\xfe\xff" or data[:1] == b"\0":
        return "big"
    return None


def _single_bytes(data: bytes) -> Document:
    body, marked = data, False
    while body[:3] == _BOM or body[:1] in (b" ", b"\t", b"\r", b"\n"):
        marked = marked or body[:3] == _BOM
        body = body[3:] if body[:3] == _BOM else body[1:]
    start = len(data) - len(body)
    # A mark says UTF-8, and what has no NUL bytes is not UTF-16, whatever the declaration says.
    is_misdeclared = marked or _DECLARED_UTF16.match(body)
    content = body.rstrip(_AFTER[:-1].encode())
    return Document(content, start, "utf-8" if is_misdeclared else None, data[:start].count(b"\n"))
