"""A file as its template reads it: dialect, header and mapping. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import BinaryIO

from imports.check.columns import ColumnMapping, fold, is_attachment
from imports.issues import FileRefused
from imports.mapping.definitions import AUTO, DELIMITERS, QUOTES, ReadingOptions, Spec
from imports.mapping.matching import match
from imports.mapping.resolving import resolve
from imports.mapping.tables import Tables
from imports.scan.dialect import Dialect, DialectHints, detect
from imports.scan.scanner import Header, read_header
from portal.records.definitions import Feed, RecordType

_NO_TABLES: Tables = MappingProxyType({})
_PLAIN = ReadingOptions()


def opened(
    file: BinaryIO,
    size: int,
    feed: Feed,
    record_type: RecordType,
    spec: Spec | None = None,
    lookups: Tables = _NO_TABLES,
) -> tuple[Dialect, ColumnMapping]:
    """The file's dialect and its mapping, which goes by name where there is no template.

    size: bytes. feed, record_type: the catalog's. Raises FileRefused.
    """
    if spec is None:
        dialect = detect(file, size)
        return dialect, match(read_header(file, dialect).cells, feed, record_type)
    dialect, header = read_start(file, size, spec.reading)
    return dialect, resolve(spec, header.cells, feed, record_type, lookups)


def read_start(file: BinaryIO, size: int, reading: ReadingOptions) -> tuple[Dialect, Header]:
    """The dialect and the header under the template's reading.

    An error attachment of the portal is read as the portal wrote it, whatever file it is for.
    Raises FileRefused.
    """
    if reading != _PLAIN:
        attachment = _attachment(file, size)
        if attachment is not None:
            return attachment
    dialect = detect(file, size, _hints(reading))
    return dialect, read_header(file, dialect)


def _hints(reading: ReadingOptions) -> DialectHints:
    """The template's reading in the terms of the scanner."""
    return DialectHints(
        encoding=None if reading.encoding == AUTO else reading.encoding,
        delimiter=None if reading.delimiter == AUTO else DELIMITERS[reading.delimiter],
        quote=QUOTES[reading.quote],
        header_row=reading.header_row,
        skip_rows=reading.skip_rows,
        skip_last=reading.skip_last,
    )


def _attachment(file: BinaryIO, size: int) -> tuple[Dialect, Header] | None:
    try:
        dialect = detect(file, size)
        header = read_header(file, dialect)
    except FileRefused:
        return None
    names = (fold(name) for name in header.cells)
    return (dialect, header) if is_attachment(names) else None
