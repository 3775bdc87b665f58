"""A file as its template reads it: dialect, header and mapping. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import BinaryIO

from imports.check.columns import ColumnMapping, fields_of, fold, is_attachment, short
from imports.issues import Code, FileRefused, Issue, Severity
from imports.mapping.definitions import AUTO, DELIMITERS, QUOTES, ReadingOptions, Spec
from imports.mapping.drift import explained, is_layout, other_dialects, warn_of_wrapped_lines
from imports.mapping.matching import match
from imports.mapping.resolving import resolve
from imports.mapping.tables import Tables
from imports.scan.dialect import Dialect, DialectHints, detect
from imports.scan.encoding import ENCODING_NAMES
from imports.scan.scanner import Header, read_header
from portal.records.definitions import Feed, RecordType

_NO_TABLES: Tables = MappingProxyType({})
_PLAIN = ReadingOptions()
_SHOWN = 8  # names


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
    reading = _PLAIN if spec is None else spec.reading
    dialect, header = None, None
    try:
        dialect = _dialect(file, size, reading)
        header = read_header(file, dialect)
        mapping = _mapping(header, feed, record_type, spec, lookups)
    except FileRefused as refusal:
        if dialect is None or not is_layout(refusal):
            raise
        names = _names(feed, record_type, spec)
        for other, warnings in other_dialects(file, dialect, names):
            try:
                header_there = read_header(file, other)
                mapping = _mapping(header_there, feed, record_type, spec, lookups)
            except FileRefused:
                continue
            width = len(header_there.cells)
            if not other.header_row and spec is not None and width != len(spec.columns):
                continue
            return other, _doubted(replace(mapping, warnings=(*warnings, *mapping.warnings)), other)
        if header is None or not reading.header_row:
            raise
        raise explained(refusal, dialect, header) from refusal
    mapping = _doubted(_with_lines_unwrapped(mapping, dialect, header), dialect)
    if not reading.header_row:
        first = read_header(file, replace(dialect, header_row=1)).cells
        mapping = _with_header_doubted(mapping, first, _names(feed, record_type, None))
    return dialect, mapping


def _with_lines_unwrapped(
    mapping: ColumnMapping, dialect: Dialect, header: Header
) -> ColumnMapping:
    if not dialect.wrapped:
        return mapping
    warning = warn_of_wrapped_lines(header.line)
    return replace(mapping, warnings=(warning, *mapping.warnings))


def _with_header_doubted(
    mapping: ColumnMapping, first: Sequence[str], names: Sequence[str]
) -> ColumnMapping:
    """The mapping, to be held where a file without a header seems to have one after all."""
    folded = {fold(name) for name in names}
    matches = [name for name in first if fold(name) in folded]
    if len(matches) < 2 or len(matches) * 2 < len(first):
        return mapping
    named = ", ".join(f'"{short(name)}"' for name in matches[:5])
    reason = (
        f"The first row looks like a header ({named}), but the template was made for files without"
        " one. Remove the row, or correct the template."
    )
    return replace(mapping, reasons=(*mapping.reasons, reason))


def _dialect(file: BinaryIO, size: int, reading: ReadingOptions) -> Dialect:
    if reading != _PLAIN:
        attachment = _attachment(file, size)
        if attachment is not None:
            return attachment[0]
    return detect(file, size, _hints(reading))


def _mapping(
    header: Header,
    feed: Feed,
    record_type: RecordType,
    spec: Spec | None,
    lookups: Tables,
) -> ColumnMapping:
    if spec is None:
        mapping = match(header.cells, feed, record_type)
    else:
        mapping = resolve(spec, header.cells, feed, record_type, lookups)
    if not header.unbalanced:
        return mapping
    names = ", ".join(f'"{short(name)}"' for name in header.cells[:_SHOWN])
    message = (
        f"A quotation mark is in the wrong place in the header. Its names were read as {names}"
        f"{' ...' if len(header.cells) > _SHOWN else ''}."
    )
    doubt = Issue(Code.OTHER_LAYOUT, message, header.line, severity=Severity.WARNING)
    return replace(mapping, warnings=(doubt, *mapping.warnings))


def _names(feed: Feed, record_type: RecordType, spec: Spec | None) -> list[str]:
    """The names of which some are in a header."""
    if spec is not None:
        used = [name for field in spec.fields.values() for name in field.columns]
        return [*used, *spec.columns]
    fields = fields_of(feed, record_type)
    return [name for field in fields for name in (field.name, *field.aliases)]


def _doubted(mapping: ColumnMapping, dialect: Dialect) -> ColumnMapping:
    """The mapping warned of a guessed encoding, and to be held where the guess is a poor one."""
    encoding = ENCODING_NAMES[dialect.encoding]
    if dialect.guessed and not dialect.doubtful:
        words = ", ".join(f'"{short(word)}"' for word in dialect.guessed)
        message = (
            f"The file is not UTF-8, and its encoding was guessed: {encoding}. Read so, it has"
            f" {words}. If that is wrong, save the file as UTF-8 and send it"
            " again, or choose its encoding in a template."
        )
        warning = Issue(Code.GUESSED_ENCODING, message, severity=Severity.WARNING)
        return replace(mapping, warnings=(*mapping.warnings, warning))
    if not dialect.doubtful:
        return mapping
    reason = (
        f"The file is not UTF-8, and read as {encoding} some words have"
        " letters that names do not have. Send it as UTF-8, or choose its encoding in a template."
    )
    return replace(mapping, reasons=(*mapping.reasons, reason))


def read_start(file: BinaryIO, size: int, reading: ReadingOptions) -> tuple[Dialect, Header]:
    """The dialect and the header under the template's reading.

    An error attachment of the portal is read as the portal wrote it, whatever file it is for.
    Raises FileRefused.
    """
    dialect = _dialect(file, size, reading)
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
