"""Read a manifest: lax about spelling, strict about everything that could do harm.

Any root element is accepted, element and attribute names are compared without case and prefix, and
a single bare `file` element is a manifest too (its meaning is clear). Refused as InvalidSchema are:
what is not XML, DTDs and entities, more than 256 KiB (looked at before any parsing), more than 8
levels, more than 1,000 files, no file, a file with two names. A line without a name is BadName.
Rules: seed 001 (states 2 and 3), design.md section 6, reliability.md section 4 (XML).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers.expat import XMLParserType
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from imports.manifest.encoding import Document, document
from imports.manifest.schema import InvalidSchema, Manifest, Problem, Reference
from imports.manifest.states import is_manifest, parse_state
from portal.dropserver.paths import MAX_NAME_BYTES

MAX_BYTES = 256 * 1024
MAX_MARKS = 64 * 1024  # what 1,000 INVALID attributes may add, in UTF-16
MOST_READ = 2 * MAX_BYTES  # of a file: a longer one is refused by its length
MAX_DEPTH = 8
MAX_FILES = 1_000

# All of them hold ASCII as it is or in two bytes, which is what marking relies on.
_ENCODINGS = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252"}
_EXAMPLE = '<file name="accounts.csv" checksum="" checksumhashtype="none" />'
_HASH = re.compile(r"[0-9a-f]{32}")
# An "&" that begins no character reference; the five names are XML's own.
_BARE_AND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_CURLY = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019", "\u00ab", "\u00bb")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class LocatedReference(NamedTuple):
    """A reference and the byte offset of its start tag in the document."""

    reference: Reference
    offset: int


def parse(data: bytes, *, marked: bool = False) -> Manifest:
    """Parse the manifest in these bytes. INVALID attributes of an earlier run are ignored.

    marked: the portal wrote INVALID attributes into it, which may exceed the sender's limit.
    Raises InvalidSchema and nothing else.
    """
    elements = file_elements(data, marked=marked)
    return Manifest(tuple(element.reference for element in elements))


def file_elements(data: bytes, *, marked: bool = False) -> list[LocatedReference]:
    """The `file` elements in document order, with their offsets. Raises InvalidSchema."""
    _refuse_size(data, MAX_BYTES + MAX_MARKS if marked else MAX_BYTES)
    xml = document(data)
    parser = _Parser(xml)
    handler = _Handler(parser)
    parser.setContentHandler(handler)
    try:
        # In one piece: fed in small chunks, old expat versions rescan a long token each time.
        parser.feed(xml.content)
        parser.close()
    except SAXParseException as problem:
        raise _not_xml(xml, problem) from None
    except DefusedXmlException:
        raise InvalidSchema(
            "The manifest declares a document type or entities. They are not allowed, "
            "because they can make a small file huge. Remove the <!DOCTYPE …> part.",
            parser.line,
        ) from None
    except (LookupError, ValueError):
        raise _unreadable_encoding(parser.line) from None
    if not handler.elements:
        raise InvalidSchema(
            "The manifest is XML, but it has no file element. Name at least one file: " + _EXAMPLE
        )
    return handler.elements


class _Parser(DefusedExpatParser):
    """Expat without DTD and entities, which also exposes its position in the bytes."""

    _parser: XMLParserType

    def __init__(self, xml: Document) -> None:
        super().__init__(forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._xml = xml
        if xml.encoding is not None:
            # The reader asks its source for the encoding when it begins.
            vars(self)["_source"].setEncoding(xml.encoding)

    def reset(self) -> None:
        super().reset()
        self._parser.XmlDeclHandler = self._declaration

    @property
    def offset(self) -> int:
        """Byte offset of the current event in the document, whatever its encoding."""
        return self._xml.start + int(self._parser.CurrentByteIndex)

    @property
    def line(self) -> int:
        """Physical line of the current event."""
        return self._xml.lines + int(self._parser.CurrentLineNumber)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if self._xml.encoding is not None:
            return  # the bytes have shown it
        try:
            readable = encoding is None or codecs.lookup(encoding).name in _ENCODINGS
        except (LookupError, ValueError):
            readable = False
        if not readable:
            raise _unreadable_encoding(self.line)


class _Handler(ContentHandler):
    """Collect the `file` elements; stop at the first limit that is exceeded."""

    def __init__(self, parser: _Parser) -> None:
        super().__init__()
        self.elements: list[LocatedReference] = []
        self._parser = parser
        self._depth = 0
        self._file_depth: int | None = None
        self._names: set[str] = set()

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        """Count levels and files. Raises InvalidSchema."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._refused(
                f"The elements are nested more than {MAX_DEPTH} levels deep. "
                "A manifest needs two: one root element, and its file elements in it."
            )
        if _local(name) == "file":
            self._add_file(attrs)

    def endElement(self, name: str) -> None:
        """Leave the level."""
        if self._file_depth == self._depth:
            self._file_depth = None
        self._depth -= 1

    def _add_file(self, attrs: AttributesImpl) -> None:
        if self._file_depth is not None:
            raise self._refused(
                "A file element is inside another file element. Close each of them: " + _EXAMPLE
            )
        self._file_depth = self._depth
        if len(self.elements) == MAX_FILES:
            raise self._refused(
                f"The manifest names more than {MAX_FILES:,} files. Send them in several manifests."
            )
        self.elements.append(LocatedReference(self._reference(attrs), self._parser.offset))

    def _reference(self, attrs: AttributesImpl) -> Reference:
        name = self._attribute(attrs, "name", "filename")
        checksum = _plain(self._attribute(attrs, "checksum"))
        hash_type = self._attribute(attrs, "checksumhashtype").strip().lower()
        problem = self._problem(name, checksum, hash_type)
        self._names.add(name)
        return Reference(len(self.elements), name, checksum, hash_type, problem)

    def _attribute(self, attrs: AttributesImpl, *names: str) -> str:
        """Return the value of the attribute under all its spellings, "" if it has none."""
        values = {value for key, value in attrs.items() if _local(key) in names}
        if len(values) > 1:
            raise self._refused(
                f"A file element has {names[0]} twice, with different values. Keep one "
                f"{names[0]} attribute."
            )
        return values.pop() if values else ""

    def _problem(self, name: str, checksum: str, hash_type: str) -> Problem | None:
        if any(bad_name(name)):
            return Problem.BAD_NAME
        if name in self._names:
            return Problem.DUPLICATE
        return Problem.BAD_CHECKSUM if any(bad_checksum(checksum, hash_type)) else None

    def _refused(self, reason: str) -> InvalidSchema:
        return InvalidSchema(reason, self._parser.line)


def bad_name(name: str) -> Iterator[str]:
    """Yield why a reference may not have that name, as sentences; none if it may."""
    if not name.strip():
        yield f"The line gives no name of a data file. Expected {_EXAMPLE}"
        return
    if "/" in name or "\\" in name or name in (".", ".."):
        yield "It is a path. A manifest names only files in its own folder, without a folder name."
    if _CONTROL.search(name):
        yield "It contains control characters."
    if name.startswith("."):
        yield "Names with a leading dot are hidden files and unfinished uploads."
    if is_manifest(name) or parse_state(name):
        yield "It is the name of a manifest, not of a data file."
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        yield f"It is longer than {MAX_NAME_BYTES} bytes, the maximum for a file name."


def bad_checksum(checksum: str, hash_type: str) -> Iterator[str]:
    """Yield why checksum and hash type do not fit together, as sentences (seed 001)."""
    if hash_type not in ("md5", "none", ""):
        yield f"The hash type {hash_type[:40]!r} is unknown; expected md5, or none and no checksum."
    elif hash_type == "md5" and not checksum:
        yield "The hash type is md5, but the checksum is blank; give it, or write none."
    elif hash_type == "md5" and not _HASH.fullmatch(checksum):
        yield "The checksum is not an MD5; expected 32 hexadecimal digits."
    elif hash_type != "md5" and checksum:
        yield "There is a checksum, but the hash type is not md5."


def _plain(checksum: str) -> str:
    """The checksum in the form that is compared: tools group the digits by blanks, `-` or `:`."""
    plain = checksum.strip().lower()
    digits = re.sub(r"[\s:-]", "", plain)
    return digits if _HASH.fullmatch(digits) else plain


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _refuse_size(data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise InvalidSchema(
            f"The manifest has {len(data):,} bytes; the maximum is {limit:,}. Send the "
            "files in several manifests."
        )
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf\xfe\xff"):
        raise InvalidSchema("The manifest is empty. Expected XML with at least " + _EXAMPLE)


def _not_xml(xml: Document, problem: SAXParseException) -> InvalidSchema:
    line = xml.lines + (problem.getLineNumber() or 1)
    if reason := _bad_character(xml, problem):
        return InvalidSchema(reason, line)
    if b"<filename=" in xml.content.replace(b"\0", b"").lower():
        return InvalidSchema(
            "'<filename=' is not XML: there must be a space between the element's name "
            "and its attribute, and between attributes. Expected " + _EXAMPLE,
            line,
        )
    if "encoding" in problem.getMessage():
        return _unreadable_encoding(line)
    return InvalidSchema(
        f"The manifest is not well-formed XML ({problem.getMessage()}). "
        "Expected one root element with file elements such as " + _EXAMPLE,
        line,
    )


def _bad_character(xml: Document, problem: SAXParseException) -> str:
    """What to do about the character that XML does not allow as it stands; empty for others."""
    text = xml.content.decode(xml.encoding or "utf-8", "replace").replace("\r\n", "\n")
    lines = re.split("[\r\n]", text)
    row, column = (problem.getLineNumber() or 1) - 1, problem.getColumnNumber() or 0
    line = lines[row] if row < len(lines) else ""
    if bare := _BARE_AND.search(line):
        around = line[max(0, bare.start() - 20) : bare.end() + 20].strip()
        return (
            f'At character {bare.start() + 1} of the line, in {around!r}, there is an "&" as it '
            'is. In XML it is written "&amp;", in file names too. Replace it and send the '
            "manifest again."
        )
    if line[column : column + 1] in _CURLY:
        return (
            f"At character {column + 1} of the line there is the quotation mark "
            f"{line[column]} of a word processor. XML takes straight ones only. Expected {_EXAMPLE}"
        )
    return ""


def _unreadable_encoding(line: int | None) -> InvalidSchema:
    return InvalidSchema(
        "The manifest does not match the encoding in its XML declaration, or that "
        "encoding is not supported. Save it as UTF-8 and declare UTF-8 (UTF-16, "
        "ISO-8859-1 and Windows-1252 are also supported; Windows PowerShell writes "
        "UTF-16 by default).",
        line,
    )
