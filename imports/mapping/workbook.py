"""A workbook's parts: the names of its sheets, number formats and shared texts. Pure."""

from __future__ import annotations

import posixpath
import tempfile
import zipfile
from array import array
from dataclasses import dataclass
from functools import lru_cache
from xml.sax.xmlreader import AttributesImpl

from imports.mapping.sheet_parts import MOST_TEXT, Elements, bomb, parse, unreadable
from imports.mapping.sheet_values import format_kind

_MOST_SHEETS = 1_000
_MOST_TEXTS = 16 << 20
_MOST_FORMATS = 70_000
_WORKBOOK = "xl/workbook.xml"
_LINKS = "xl/_rels/workbook.xml.rels"
_IN_MEMORY = 32 << 20
_SHORT = 200  # bytes of a text that is kept at hand


@dataclass(slots=True)
class Workbook:
    """The parts of a workbook. sheets: name and part. formats: what each cell style shows.

    texts: the part with the shared texts. from_1904: days are counted from 1904, not from 1900.
    """

    sheets: list[tuple[str, str]]
    formats: list[str]
    texts: str
    from_1904: bool


def read_workbook(archive: zipfile.ZipFile) -> Workbook:
    """The workbook in the archive. Raises FileRefused: SPREADSHEET, ARCHIVE."""
    main = _Main()
    parse(archive, _WORKBOOK, main)
    links = _Links()
    parse(archive, _LINKS, links)
    formats = _Formats()
    if links.styles and links.styles in archive.namelist():
        parse(archive, links.styles, formats)
    sheets = [(name, links.sheets[key]) for name, key in main.sheets if key in links.sheets]
    if not sheets:
        raise unreadable("it has no sheet")
    return Workbook(sheets, formats.kinds, links.texts, main.from_1904)


class _Main(Elements):
    """xl/workbook.xml: the sheets and the calendar."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        self.from_1904 = False

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        if name == "sheet" and len(self.sheets) < _MOST_SHEETS:
            keys = [key for key in attrs.getNames() if key.endswith(":id")]
            if keys:
                self.sheets.append((attrs.get("name", ""), attrs.getValue(keys[0])))
        elif name == "workbookPr":
            self.from_1904 = attrs.get("date1904", "0") in ("1", "true", "on")


class _Links(Elements):
    """The relations of the workbook: which part is which sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: dict[str, str] = {}
        self.styles = self.texts = ""

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        if name != "Relationship" or attrs.get("TargetMode") == "External":
            return
        kind, target = attrs.get("Type", "").rpartition("/")[2], attrs.get("Target", "")
        part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
        if kind == "worksheet" and len(self.sheets) < _MOST_SHEETS:
            self.sheets[attrs.get("Id", "")] = part
        elif kind == "styles":
            self.styles = part
        elif kind == "sharedStrings":
            self.texts = part


class _Formats(Elements):
    """xl/styles.xml: what the number format of each cell style shows."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str] = []
        self._codes: dict[str, str] = {}
        self._inside = False

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        if name == "numFmt" and len(self._codes) < _MOST_FORMATS:
            self._codes[attrs.get("numFmtId", "")] = attrs.get("formatCode", "")[:255]
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside and len(self.kinds) < _MOST_FORMATS:
            number = attrs.get("numFmtId", "0")
            code = self._codes.get(number, "")
            self.kinds.append(format_kind(int(number) if number.isdecimal() else 0, code))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False


class Texts:
    """The texts that cells share, beyond 32 MiB in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  closed in __exit__
        self._ends = array("Q", [0])
        self._short = lru_cache(maxsize=50_000)(self._read)

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Keep one more text. Raises FileRefused beyond 16 million of them."""
        if len(self._ends) > _MOST_TEXTS:
            raise unreadable(f"it has more than {_MOST_TEXTS:,} different texts")
        data = text.encode("utf-8", "surrogatepass")
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def get(self, number: int) -> str:
        """The text of that number, from 0. Raises FileRefused where there is none."""
        if not 0 <= number < len(self._ends) - 1:
            raise unreadable(f"a cell refers to text {number}, which it does not have")
        size = self._ends[number + 1] - self._ends[number]
        return self._short(number) if size <= _SHORT else self._read(number)

    def _read(self, number: int) -> str:
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")


def read_texts(archive: zipfile.ZipFile, workbook: Workbook, texts: Texts) -> None:
    """Read the texts that the workbook's cells share. Raises FileRefused."""
    if workbook.texts in archive.namelist():
        parse(archive, workbook.texts, _TextReader(texts))


class _TextReader(Elements):
    """xl/sharedStrings.xml without phonetic readings (rPh)."""

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._parts: list[str] | None = None
        self._taken = False
        self._phonetic = False

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._phonetic = True
        self._taken = name == "t" and not self._phonetic

    def text(self, content: str) -> None:
        if self._taken and self._parts is not None:
            self._parts.append(content)

    def end(self, name: str) -> None:
        self._taken = False
        if name == "rPh":
            self._phonetic = False
        elif name == "si" and self._parts is not None:
            text = "".join(self._parts)
            if len(text) > MOST_TEXT:
                raise bomb(f"it holds a text of more than {MOST_TEXT:,} characters")
            self._texts.add(text)
            self._parts = None
