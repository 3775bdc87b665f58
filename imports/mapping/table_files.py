"""A look-up table from a CSV file or pasted text, with everything that is wrong with it. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from imports.issues import FileRefused
from imports.mapping.tables import Row, Table, normal
from imports.scan import cells
from imports.scan.dialect import Dialect, detect
from imports.scan.scanner import read_header, scan
from portal.people_csv import restore

MOST_ROWS = 100_000
MOST_COLUMNS = 20
MOST_BYTES = 10 << 20
MOST_CELL = 4_000  # characters
_MOST_TOLD = 20


class BadTable(ValueError):
    """A table that cannot be used. faults: each a sentence, with the line where there is one."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        rest = len(faults) - _MOST_TOLD
        more = [f"And {rest:,} more similar problems."] if rest > 0 else []
        self.faults = [*faults[:_MOST_TOLD], *more]


def read_table(data: bytes, *, key: str = "", fold: bool = False) -> Table:
    """The table that a delimited text holds; its first record names the columns.

    key: name of the column that is looked up, the first without one. An apostrophe that a file of
    ours has before a formula is taken off again. Raises BadTable.
    """
    if len(data) > MOST_BYTES:
        raise BadTable([f"The table is larger than {MOST_BYTES >> 20} MB, the maximum."])
    file = io.BytesIO(data)
    try:
        dialect = detect(file, len(data))
        names = _trimmed(read_header(file, dialect).cells)
        at = _key_place(names, key)
        lines, rows = _rows(file, dialect, len(names))
    except FileRefused as refused:
        raise BadTable([issue.message for issue in refused.issues]) from refused
    order = [at, *(place for place in range(len(names)) if place != at)]
    table = Table(
        columns=tuple(names[place] for place in order),
        rows=tuple(tuple(row[place] for place in order) for row in rows),
        fold=fold,
    )
    _refuse(row_faults(table, lines))
    return table


def row_faults(table: Table, lines: Sequence[int]) -> list[str]:
    """What is wrong with a table's rows: blank keys, keys that are there twice, cells too long.

    lines: of each row in its file.
    """
    if not table.rows:
        return ["The table has no rows. It needs a header line, then one line for each key."]
    keys = normal(pl.Series([row[0] for row in table.rows], dtype=pl.String), table.fold)
    return [*_key_faults(table, keys.to_list(), lines), *_long(table, lines)]


def _key_faults(table: Table, keys: Sequence[str], lines: Sequence[int]) -> Iterator[str]:
    name = table.columns[0]
    first: dict[str, int] = {}
    for key, row, line in zip(keys, table.rows, lines, strict=True):
        if not key:
            yield f'Line {line:,}: "{name}" is blank, but every row needs a key.'
        elif (before := first.setdefault(key, line)) != line:
            same = " (case is ignored)" if table.fold else ""
            yield (
                f'Line {line:,}: the key "{row[0][:60]}" is already on line '
                f"{before:,}{same}. Each key can appear only once."
            )


def _long(table: Table, lines: Sequence[int]) -> Iterator[str]:
    for row, line in zip(table.rows, lines, strict=True):
        for name, cell in zip(table.columns, row, strict=True):
            if len(cell) > MOST_CELL:
                yield (
                    f'Line {line:,}: "{name}" has {len(cell):,} characters; the maximum is '
                    f"{MOST_CELL:,}."
                )


def _trimmed(header: Sequence[str]) -> tuple[str, ...]:
    """The columns' names. Raises BadTable."""
    names = tuple(name.strip() for name in header)
    faults = []
    if not 2 <= len(names) <= MOST_COLUMNS:
        faults.append(
            f"Found {len(names):,} columns, expected 2 to {MOST_COLUMNS}: the key, and "
            "what it stands for. Separate columns with commas, semicolons, tabs or "
            "vertical bars."
        )
    if not all(names):
        faults.append("A column has no name. The first line must name every column.")
    faults += [f'"{one[:60]}" is the name of two columns.' for one in names if _twice(one, names)]
    faults += [f'The name "{one[:60]}…" is too long.' for one in names if len(one) > 200]
    if not all(name.isprintable() for name in names):
        faults.append("A column name contains a tab, a line break or a control character.")
    _refuse(list(dict.fromkeys(faults)))
    return names


def _twice(name: str, names: Sequence[str]) -> bool:
    return bool(name) and names.count(name) > 1


def _key_place(names: Sequence[str], key: str) -> int:
    if not key:
        return 0
    if key not in names:
        listed = ", ".join(f'"{name[:60]}"' for name in names)
        raise BadTable([f'There is no column "{key[:60]}". The table has {listed}.'])
    return names.index(key)


def _rows(file: io.BytesIO, dialect: Dialect, width: int) -> tuple[list[int], list[Row]]:
    """The physical lines and the cells of all rows. Raises BadTable, FileRefused."""
    lines: list[int] = []
    rows: list[Row] = []
    torn: list[str] = []
    for chunk in scan(file, dialect, width):
        torn += [f"Line {cut.line:,}: {cut.message}" for cut in chunk.cut]
        lines += chunk.lines.tolist()
        if len(rows) + len(torn) > MOST_ROWS or len(lines) > MOST_ROWS:
            raise BadTable([f"The table has more than {MOST_ROWS:,} rows, the maximum."])
        for start, end in pairwise(chunk.offsets.tolist()):
            text = chunk.data[start : end - 1].decode("utf-8", "replace")
            found = cells.split(text, dialect.delimiter, dialect.quote)
            rows.append(tuple(restore(cell.strip()) for cell in found))
    _refuse(torn)
    return lines, rows


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise BadTable(faults)
