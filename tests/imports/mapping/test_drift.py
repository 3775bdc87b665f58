"""A file whose delimiter, header line or width changed is read, held, or told what was read."""

from __future__ import annotations

import io
from typing import Any

import pytest

from imports.check.columns import ColumnMapping
from imports.issues import Code, FileRefused, Severity
from imports.load.reading import FileSource
from imports.mapping.opening import opened
from imports.mapping.resolving import HoldNeeded
from imports.mapping.spec import Spec, parse
from imports.scan.dialect import Dialect
from portal.records.catalog import catalog

COLUMNS = ["PersonIdentifier", "FirstName", "LastName", "Email"]
ROWS = [["k1", "Ada", "Lee", "a@x.org"], ["k2", "Bo", "Lind", "b@x.org"]]
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def template(**reading: Any) -> Spec:
    return parse(
        {
            "version": 1,
            "columns": COLUMNS,
            "fields": {name: {"columns": [name]} for name in COLUMNS},
            "reading": reading,
        }
    )


def without_header(**reading: Any) -> Spec:
    columns = [f"Column {number}" for number in range(1, 5)]
    return parse(
        {
            "version": 1,
            "columns": columns,
            "fields": {name: {"columns": [at]} for name, at in zip(COLUMNS, columns, strict=True)},
            "reading": {"header_row": 0, **reading},
        }
    )


def text(delimiter: str = ",", above: str = "", header: bool = True) -> str:
    lines = [COLUMNS, *ROWS] if header else ROWS
    return above + "".join(delimiter.join(line) + "\n" for line in lines)


def read(content: str, spec: Spec | None) -> tuple[Dialect, ColumnMapping, list[str]]:
    """The dialect, the mapping, and the lines of the file's rows."""
    feed = catalog().feed("accounts")
    record_type = catalog().record_type(feed.record_type)
    data = content.encode()
    file = io.BytesIO(data)
    dialect, mapping = opened(file, len(data), feed, record_type, spec)
    source = FileSource(
        file, len(data), dialect, mapping, key=mapping.positions_of(record_type.key)
    )
    records = [line for chunk in source.chunks() for line in chunk.data.decode().splitlines()]
    return dialect, mapping, records


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("expected", [",", ";", "tab", "auto"])
def test_a_changed_delimiter_is_read_and_said(delimiter: str, expected: str) -> None:
    dialect, mapping, records = read(text(delimiter), template(delimiter=expected))
    assert dialect.delimiter == delimiter
    assert records == [delimiter.join(row) for row in ROWS]
    warnings = [w for w in mapping.warnings if w.code is Code.OTHER_LAYOUT]
    if {"tab": "\t"}.get(expected, expected) in (delimiter, "auto"):
        assert not warnings
    else:
        (warning,) = warnings
        assert DELIMITERS[delimiter] in warning.message
        assert warning.severity is Severity.WARNING


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("with_template", [True, False])
def test_values_in_single_quotes_are_read_and_said(delimiter: str, with_template: bool) -> None:
    lines = [COLUMNS, *ROWS]
    content = "".join(delimiter.join(f"'{cell}'" for cell in line) + "\n" for line in lines)
    dialect, mapping, records = read(content, template(delimiter=",") if with_template else None)
    assert (dialect.quote, dialect.delimiter, len(records)) == ("'", delimiter, 2)
    assert any("enclosed in '" in warning.message for warning in mapping.warnings)


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_a_changed_delimiter_is_read_without_a_header_too(delimiter: str) -> None:
    spec = without_header(delimiter=",")
    dialect, mapping, records = read(text(delimiter, header=False), spec)
    assert (dialect.delimiter, len(records), mapping.reasons) == (delimiter, 2, ())


@pytest.mark.parametrize(
    "above",
    [
        "Staff of Oak\n",
        "Staff of Oak\n\nGenerated on 2026-09-01, 10:15\n",
        "Staff\n,,,\n",
        "\n\nA\n",
    ],
)
@pytest.mark.parametrize("with_template", [True, False])
def test_a_title_above_the_header_is_left_out_and_shown(above: str, with_template: bool) -> None:
    spec = template(delimiter=",") if with_template else None
    _, mapping, records = read(text(above=above), spec)
    assert records == [",".join(row) for row in ROWS]
    (warning,) = (w for w in mapping.warnings if w.code is Code.OTHER_LAYOUT)
    assert warning.line == above.count("\n") + 1
    assert above.split("\n")[0] in warning.message or not above.split("\n")[0]


@pytest.mark.parametrize("skipped", [1, 2, 5])
def test_a_title_that_is_gone_costs_no_row(skipped: int) -> None:
    _, mapping, records = read(text(), template(skip_rows=skipped))
    assert records == [",".join(row) for row in ROWS]
    assert [w.line for w in mapping.warnings if w.code is Code.OTHER_LAYOUT] == [1]


def test_rows_above_the_header_are_never_taken_for_a_title() -> None:
    rows = "k8,Cy,Low,c@x.org\nk9,Di,Law,d@x.org\n"
    with pytest.raises(FileRefused) as refused:
        read(text(above=rows), template())
    assert 'Line 1 was taken as the header; separated by commas it has "k8"' in str(refused.value)


@pytest.mark.parametrize("spec", [template(), template(delimiter=";"), None])
def test_a_refusal_says_which_line_was_taken_for_the_header_and_what_stood_there(
    spec: Spec | None,
) -> None:
    with pytest.raises(FileRefused) as refused:
        read("Id;Given;Family;Mail\n1;a;b;c\n", spec)
    first = refused.value.issues[0]
    assert (first.code, first.line) == (Code.MISSING_COLUMN, 1)
    assert 'Line 1 was taken as the header; separated by semicolons it has "Id", "Given"' in (
        first.message
    )


def test_a_template_that_holds_files_without_their_columns_still_holds_them() -> None:
    spec = parse(
        {
            "version": 1,
            "columns": COLUMNS,
            "fields": {name: {"columns": [name]} for name in COLUMNS},
            "settings": {"missing_columns": "hold"},
        }
    )
    with pytest.raises(HoldNeeded):
        read("Id,Given\n1,a\n", spec)


@pytest.mark.parametrize("more", [["09"], ["09", "x"]])
def test_another_number_of_columns_without_a_header_waits_for_a_person(more: list[str]) -> None:
    content = "".join(",".join([*row[:2], *more, *row[2:]]) + "\n" for row in ROWS)
    _, mapping, _ = read(content, without_header())
    (reason,) = mapping.reasons
    assert f"has {4 + len(more)} columns, the template was made with 4" in reason


def test_a_header_where_the_template_expects_none_waits_for_a_person() -> None:
    _, mapping, _ = read(text(), without_header())
    assert "looks like a header" in mapping.reasons[0]
    _, mapping, _ = read(text(header=False), without_header())
    assert not mapping.reasons


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"'])
@pytest.mark.parametrize("spec", [template(delimiter=","), template(skip_rows=1), None])
def test_a_line_that_names_the_delimiter_is_read_by_every_template(
    line: str, spec: Spec | None
) -> None:
    _, mapping, records = read(f"{line}\n{text(';')}", spec)
    assert records == [";".join(row) for row in ROWS]
    assert not [w for w in mapping.warnings if w.code is Code.OTHER_LAYOUT]


@pytest.mark.parametrize("skip_last", [0, 1, 5])
def test_a_stored_number_of_last_rows_costs_no_row(skip_last: int) -> None:
    _, _, records = read(text(), template(skip_last=skip_last))
    assert records == [",".join(row) for row in ROWS]
    _, _, records = read(text() + "Rows: 2,,,\n", template(skip_last=skip_last))
    assert records == [",".join(row) for row in ROWS]


def test_a_poor_guess_of_the_encoding_waits_for_a_person() -> None:
    feed = catalog().feed("accounts")
    record_type = catalog().record_type(feed.record_type)
    data = ",".join(COLUMNS).encode() + "\nk1,Иван,Иванов,i@x.org\n".encode("cp1251")
    _, mapping = opened(io.BytesIO(data), len(data), feed, record_type, None)
    assert "letters that names do not have" in mapping.reasons[0]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("behind", ["", ",,,", ";;"])
@pytest.mark.parametrize("with_template", [True, False])
@pytest.mark.parametrize("rows", [1, 40_000])
def test_lines_that_stand_in_quotes_as_a_whole_are_read_and_told(
    delimiter: str, behind: str, with_template: bool, rows: int
) -> None:
    values = [f'k{n}{delimiter}""Ada""{delimiter}Lee{delimiter}a{n}@x.org' for n in range(rows)]
    lines = [delimiter.join(COLUMNS), *values]
    content = "".join(f'"{line}"{behind}\n' for line in lines)
    named = "tab" if delimiter == "\t" else delimiter
    spec = template(delimiter=named) if with_template else None
    _, mapping, records = read(content, spec)
    assert records == [value.replace('""', '"') for value in values]
    first = mapping.warnings[0]
    assert "Each whole line stands in quotation marks" in first.message


def test_a_name_with_a_comma_in_quotes_is_no_line_in_quotes() -> None:
    with pytest.raises(FileRefused) as refused:
        read('"Lee, Ada"\n"Lind, Bo"\n', template())
    assert refused.value.issues[0].code is Code.MISSING_COLUMN


@pytest.mark.parametrize("with_template", [True, False])
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("behind", [True, False])
def test_a_stray_quote_in_the_header_is_told_and_the_rows_are_read(
    at: int, behind: bool, with_template: bool
) -> None:
    names = [*COLUMNS]
    names[at] = f'{names[at]}"' if behind else f'"{names[at]}'
    rows = [f'k{n},"Ada",Lee,a{n}@x.org' for n in range(3)]
    content = "".join(f"{line}\n" for line in [",".join(names), *rows])
    _, mapping, records = read(content, template() if with_template else None)
    assert records == rows
    assert "A quotation mark is in the wrong place in the header" in mapping.warnings[0].message
    assert mapping.warnings[0].line == 1
