"""The parts of an XLSX file (ECMA-376): a zip of XML, opened with care and read as a stream.

Nothing is unpacked as a whole and no tree is built; entities, document types, deep nesting and
endless tokens are refused. Pure.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from imports.issues import Code, FileRefused, Issue
from imports.scan.chunks import DEFAULT_LIMITS

MOST_ENTRIES = 1_000
MOST_BYTES = 2 << 30  # of all entries unpacked
MOST_RATIO = 100  # unpacked to packed
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE = 1 << 20  # bytes that may be packed as tightly as they like
_BLOCK = 64 << 10
_QUIET = 4 << 20  # bytes without a new element: a token or text of that length is an attack
_DEEPEST = 64
MOST_TEXT = DEFAULT_LIMITS.cell  # characters of one cell; a spreadsheet program has 32,767


def open_zip(source: BinaryIO) -> zipfile.ZipFile:
    """The archive, if it is no bomb. Raises FileRefused: SPREADSHEET, ARCHIVE."""
    source.seek(0)
    if source.read(8) == _OLE:
        raise unreadable("it is an old XLS workbook, or one that is protected by a password")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise unreadable("it is damaged, or not an XLSX file") from None
    entries = archive.infolist()
    packed = source.seek(0, 2)
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        raise bomb(f"it has {len(entries):,} parts; the maximum is {MOST_ENTRIES:,}")
    if unpacked > MOST_BYTES:
        raise bomb(f"it unpacks to {unpacked:,} bytes; the maximum is {MOST_BYTES:,}")
    if unpacked > max(_FREE, packed * MOST_RATIO):
        raise bomb(f"it unpacks to more than {MOST_RATIO} times its size")
    if any(entry.flag_bits & 1 for entry in entries):
        raise unreadable("it is protected by a password")
    return archive


def parse(archive: zipfile.ZipFile, name: str, handler: Elements) -> None:
    """Read one part of the archive through a handler. Raises FileRefused."""
    for _ in stream(archive, name, handler):
        pass


def stream(archive: zipfile.ZipFile, name: str, handler: Elements) -> Iterator[None]:
    """Read one part of the archive, pausing after each block, so that rows can be taken out."""
    parser = DefusedExpatParser(forbid_dtd=True)
    parser.setContentHandler(handler)
    try:
        with archive.open(name) as part:
            while block := part.read(_BLOCK):
                handler.fed(len(block))
                parser.feed(block)
                yield
            parser.close()
    except KeyError:
        raise unreadable(f'the part "{name[:100]}" is missing') from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise unreadable("it is damaged") from None
    except DefusedXmlException:
        raise unreadable("it defines entities, which is not safe") from None
    except (SAXException, ValueError):
        raise unreadable(f'its part "{name[:100]}" is not well-formed') from None


class Elements(ContentHandler):
    """A handler that knows how deep it is. Names come without their prefix."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = 0
        self._depth = 0
        self._length = 0  # characters since an element began

    def fed(self, size: int) -> None:
        """Count bytes. Raises FileRefused when too many bring no new element."""
        self._quiet += size
        if self._quiet > _QUIET:
            raise bomb(f"it contains a text of more than {_QUIET:,} bytes")

    def characters(self, content: str) -> None:
        """Hand text on. Raises FileRefused where an element has more than a cell may."""
        self._length += len(content)
        if self._length > MOST_TEXT:
            raise bomb(f"it holds a text of more than {MOST_TEXT:,} characters")
        self.text(content)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self._quiet = self._length = 0
        self._depth += 1
        if self._depth > _DEEPEST:
            raise bomb(f"its parts are nested more than {_DEEPEST} deep")
        self.begin(name.rpartition(":")[2] if ":" in name else name, attrs)

    def endElement(self, name: str) -> None:
        self._depth -= 1
        self.end(name.rpartition(":")[2] if ":" in name else name)

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, content: str) -> None:
        """A piece of an element's text."""


def unreadable(why: str) -> FileRefused:
    """The refusal of a workbook that cannot be read, in words."""
    return FileRefused(
        Issue(
            Code.SPREADSHEET,
            f"The workbook cannot be read: {why}. Open it in a spreadsheet program and save it "
            "again as XLSX or, better, as CSV (UTF-8).",
        )
    )


def bomb(why: str) -> FileRefused:
    """The refusal of a workbook that would take too much memory or time, in words."""
    return FileRefused(
        Issue(
            Code.ARCHIVE,
            f"The workbook was refused for safety: {why}. Save the sheet as CSV (UTF-8) and send "
            "that.",
        )
    )
