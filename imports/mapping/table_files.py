"""A look-up table from a CSV file or pasted text, with everything that is wrong with it. Pure."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from imports.issues import Code, FileRefused, Issue
from imports.mapping.tables import Row, Table, normal
from imports.scan import cells
from imports.scan.dialect import Dialect, detect
from imports.scan.scanner import read_header, scan
from portal.faults import Fault, Refused
from portal.people_csv import restore

MOST_ROWS = 100_000
MOST_COLUMNS = 20
MOST_BYTES = 10 << 20
MOST_CELL = 4_000  # characters
_MOST_FAULTS = 20


class BadTable(Refused):
    """A table that cannot be used. A fault of a row has its physical line as parameter `line`."""

    def __init__(self, *faults: Fault) -> None:
        rest = len(faults) - _MOST_FAULTS
        more = Fault(
            (), "more_faults", "And %(count)s more similar problems.", {"count": f"{rest:,}"}
        )
        super().__init__(*faults[:_MOST_FAULTS], *((more,) if rest > 0 else ()))

    @property
    def sentences(self) -> list[str]:
        """The faults, each with its line where it has one."""
        return [
            f"Line {fault.params['line']:,}: {fault}" if "line" in fault.params else str(fault)
            for fault in self.faults
        ]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def read_table(data: bytes, *, key: str = "", fold: bool = False) -> Table:
    """The table that a delimited text holds; its first record names the columns.

    key: name of the column that is looked up; empty: the first. The apostrophe that
    `portal.people_csv` writes before a formula is removed again. Raises BadTable.
    """
    if len(data) > MOST_BYTES:
        message = "The table is larger than %(most)s MB, the maximum."
        raise BadTable(Fault((), "too_large", message, {"most": MOST_BYTES >> 20}))
    file = io.BytesIO(data)
    try:
        dialect = detect(file, len(data))
        header = read_header(file, dialect)
        if header.unbalanced:
            message = "A quotation mark is in the wrong place in the header. Correct it."
            raise FileRefused(Issue(Code.UNREADABLE_HEADER, message, header.line))
        names = _trimmed(header.cells)
        at = _key_place(names, key)
        lines, rows = _rows(file, dialect, len(names))
    except FileRefused as refused:
        raise BadTable(*map(_of_issue, refused.issues)) from refused
    order = [at, *(place for place in range(len(names)) if place != at)]
    table = Table(
        columns=tuple(names[place] for place in order),
        rows=tuple(tuple(row[place] for place in order) for row in rows),
        fold=fold,
    )
    _refuse(row_faults(table, lines))
    return table


def _of_issue(issue: Issue) -> Fault:
    return Fault((), issue.code.value.lower(), "%(message)s", {"message": issue.message})


def row_faults(table: Table, lines: Sequence[int]) -> list[Fault]:
    """What is wrong with a table's rows: blank keys, keys that are there twice, cells too long.

    lines: the physical line of each row in its file.
    """
    if not table.rows:
        message = "The table has no rows. It needs a header line, then one line for each key."
        return [Fault(("rows",), "no_rows", message)]
    keys = normal(pl.Series([row[0] for row in table.rows], dtype=pl.String), table.fold)
    return [*_key_faults(table, keys.to_list(), lines), *_long_cells(table, lines)]


def _key_faults(table: Table, keys: Sequence[str], lines: Sequence[int]) -> Iterator[Fault]:
    name = table.columns[0]
    first: dict[str, int] = {}
    for at, (key, row, line) in enumerate(zip(keys, table.rows, lines, strict=True)):
        if not key:
            message = '"%(column)s" is blank, but every row needs a key.'
            yield Fault(("rows", at, 0), "no_key", message, {"line": line, "column": name})
        elif (before := first.setdefault(key, line)) != line:
            folded = " (case is ignored)" if table.fold else ""
            message = (
                f'the key "%(key)s" is already on line %(before)s{folded}. Each key can '
                "appear only once."
            )
            params = {"line": line, "key": row[0][:60], "before": f"{before:,}"}
            yield Fault(("rows", at, 0), "key_repeated", message, params)


def _long_cells(table: Table, lines: Sequence[int]) -> Iterator[Fault]:
    message = '"%(column)s" has %(size)s characters; the maximum is %(most)s.'
    most = f"{MOST_CELL:,}"
    for at, (row, line) in enumerate(zip(table.rows, lines, strict=True)):
        for column, cell in enumerate(row):
            if len(cell) > MOST_CELL:
                params = {"line": line, "column": table.columns[column], "most": most}
                size = f"{len(cell):,}"
                yield Fault(("rows", at, column), "cell_length", message, {**params, "size": size})


def _trimmed(header: Sequence[str]) -> tuple[str, ...]:
    """The columns' names. Raises BadTable."""
    names = tuple(name.strip() for name in header)
    _refuse(list(_name_faults(names)))
    return names


def _name_faults(names: Sequence[str]) -> Iterator[Fault]:
    path = ("columns",)
    if not 2 <= len(names) <= MOST_COLUMNS:
        message = (
            "Found %(count)s columns, expected 2 to %(most)s: the key, and what it "
            "stands for. Separate columns with commas, semicolons, tabs or vertical bars."
        )
        params = {"count": f"{len(names):,}", "most": MOST_COLUMNS}
        yield Fault(path, "column_count", message, params)
    if not all(names):
        message = "A column has no name. The first line must name every column."
        yield Fault(path, "no_column_name", message)
    for name, times in Counter(names).items():
        if name and times > 1:
            message = '"%(name)s" is the name of two columns.'
            yield Fault(path, "column_repeated", message, {"name": name[:60]})
    for name in dict.fromkeys(names):
        if len(name) > 200:
            message = 'The name "%(name)s…" is too long.'
            yield Fault(path, "column_name_length", message, {"name": name[:60]})
    if not all(name.isprintable() for name in names):
        message = "A column name contains a tab, a line break or a control character."
        yield Fault(path, "column_name_characters", message)


def _key_place(names: Sequence[str], key: str) -> int:
    if not key:
        return 0
    if key not in names:
        listed = ", ".join(f'"{name[:60]}"' for name in names)
        message = 'There is no column "%(key)s". The table has %(columns)s.'
        raise BadTable(Fault(("key",), "no_column", message, {"key": key[:60], "columns": listed}))
    return names.index(key)


def _rows(file: io.BytesIO, dialect: Dialect, width: int) -> tuple[list[int], list[Row]]:
    """The physical lines and the cells of all rows. Raises BadTable, FileRefused."""
    lines: list[int] = []
    rows: list[Row] = []
    malformed: list[Fault] = []
    for chunk in scan(file, dialect, width):
        malformed += [
            Fault(("rows",), "malformed", "%(message)s", {"line": cut.line, "message": cut.message})
            for cut in chunk.malformed
        ]
        lines += chunk.lines.tolist()
        if len(rows) + len(malformed) > MOST_ROWS or len(lines) > MOST_ROWS:
            message = "The table has more than %(most)s rows, the maximum."
            raise BadTable(Fault(("rows",), "too_many_rows", message, {"most": f"{MOST_ROWS:,}"}))
        for start, end in pairwise(chunk.offsets.tolist()):
            text = chunk.data[start : end - 1].decode("utf-8", "replace")
            split = cells.split(text, dialect.delimiter, dialect.quote)
            rows.append(tuple(restore(cell.strip()) for cell in split))
    _refuse(malformed)
    return lines, rows


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise BadTable(*faults)
