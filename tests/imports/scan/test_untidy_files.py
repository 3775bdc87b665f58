"""Padding, blanks, stray quotes and footers: nothing is lost by them, and nothing is made up."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code
from imports.scan.dialect import Dialect
from imports.scan.footer import FooterRule, is_footer
from imports.scan.scanner import Chunk, merged, scan
from tests.sizes import examples

HEADER = "Id,First,Last,Email\n"


def read(
    text: str | bytes, columns: int = 4, delimiter: str = ",", **options: object
) -> tuple[list[str], list[tuple[int, Code]], Chunk]:
    """The good records, the malformed ones as line and code, and everything in one chunk."""
    data = text.encode() if isinstance(text, str) else text
    dialect = Dialect("utf-8", 0, delimiter, quote=str(options.pop("quote", '"')))
    chunk = merged(list(scan(io.BytesIO(data), dialect, columns, **options)))
    records = chunk.data.decode().splitlines()
    return records, [(record.line, record.code) for record in chunk.malformed], chunk


# --- padding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [",,,", ",", ",,,,,,", '"","","",""', '" ",,,', " , ,\t, "])
@pytest.mark.parametrize("chunk_bytes", [3, 1 << 20])
def test_rows_without_any_value_are_left_out_and_counted(blank: str, chunk_bytes: int) -> None:
    text = f"{HEADER}1,A,B,c\n{blank}\n2,D,E,f\n{blank}\n{blank}\n"
    records, malformed, chunk = read(text, chunk_bytes=chunk_bytes)
    assert records == ["1,A,B,c", "2,D,E,f"]
    assert chunk.lines.tolist() == [2, 4]
    assert (malformed, chunk.blank.tolist()) == ([], [3, 5, 6])


@pytest.mark.parametrize("row", ['",",,,', '"""",,,', ",,,x", '"\n",,,'])
def test_a_row_with_any_value_is_not_blank(row: str) -> None:
    _, _, chunk = read(f"{HEADER}{row}\n")
    assert len(chunk.lines) == 1 and not chunk.blank.size


@pytest.mark.parametrize("surplus", [1, 2, 30])
def test_delimiters_behind_the_rows_separate_nothing(surplus: int) -> None:
    rows = [f'{n},A,"B, {n}",c' for n in range(100)]
    text = HEADER + "".join(row + "," * (surplus if n % 3 else 0) + "\n" for n, row in
                            enumerate(rows))  # fmt: skip
    records, malformed, chunk = read(text, chunk_bytes=500)
    assert (records, malformed) == (rows, [])
    assert chunk.lines.tolist() == list(range(2, 102))


def test_a_surplus_value_is_still_one_too_many() -> None:
    _, malformed, chunk = read(f'{HEADER}1,A,B,c,,x\n2,A,B,c,x,\n3,A,B,"c,,"\n')
    assert malformed == [(2, Code.TOO_MANY_CELLS), (3, Code.TOO_MANY_CELLS)]
    assert chunk.data == b'3,A,B,"c,,"\n'
    assert chunk.malformed[0].raw == b"1,A,B,c,,x"


@pytest.mark.parametrize("chunk_bytes", [7, 90, 1 << 20])
@pytest.mark.parametrize("at", [2, 3, 4])
def test_a_delimiter_too_many_within_a_row_is_no_padding(at: int, chunk_bytes: int) -> None:
    rows = [f"s{n},Ann,Lee,7{n},a{n}@oak.example," for n in range(30)]
    values = rows[20].split(",")
    shifted = ",".join([*values[:at], "", *values[at:]])
    text = HEADER.replace("Email", "Room,Email,Note") + "".join(
        row + "\n" for row in [*rows[:20], shifted, rows[21] + ",", *rows[22:]]
    )
    records, malformed, _ = read(text, 6, chunk_bytes=chunk_bytes)
    assert malformed == [(22, Code.TOO_MANY_CELLS)]
    assert records == [*rows[:20], *rows[21:]]


@pytest.mark.parametrize("chunk_bytes", [7, 90, 1 << 20])
@pytest.mark.parametrize(
    "row",
    [
        "s9,,Lee,79,a@oak.example,,",  # no first name
        "s9,,,,,,",
        "s9,,Lee,79,a@oak.example,new,",  # the first note
        "s9,Ann,Lee,79,a@oak.example,,,,",
    ],
)
def test_padding_behind_one_row_is_padding(row: str, chunk_bytes: int) -> None:
    rows = [f"s{n},Ann,Lee,7{n},a{n}@oak.example," for n in range(9)]
    text = HEADER.replace("Email", "Room,Email,Note") + "".join(
        f"{line}\n" for line in [*rows, row]
    )
    records, malformed, _ = read(text, 6, chunk_bytes=chunk_bytes)
    assert malformed == []
    assert records[-1].split(",") == row.split(",")[:6]


def test_nameless_columns_behind_the_header_need_no_cells() -> None:
    records, malformed, _ = read("Id,First,,\n1,A\n2,B,,\n3,C,x\n4\n", 4)
    assert records == ["1,A,,", "2,B,,", "3,C,x,"]
    assert malformed == [(5, Code.TOO_FEW_CELLS)]


CELL = st.text(st.sampled_from('ab", \n'), max_size=4).map(lambda text: "x" + text)


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=12),
    st.lists(st.integers(0, 3), min_size=12, max_size=12),
    st.integers(1, 60),
)
@settings(max_examples=examples(200), deadline=None)
def test_padding_never_changes_a_value(
    rows: list[list[str]], surplus: list[int], chunk_bytes: int
) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    plain = "a,b\n" + "".join(line + "\n" for line in lines)
    padded = "a,b\n" + "".join(
        line + "," * more + "\n" for line, more in zip(lines, surplus, strict=False)
    )
    expected, got = read(plain, 2), read(padded, 2, chunk_bytes=chunk_bytes)
    assert got[0] == expected[0]
    assert got[1] == expected[1]


@pytest.mark.parametrize("chunk_bytes", [3, 25, 1 << 20])
def test_the_header_once_more_is_no_row(chunk_bytes: int) -> None:
    text = f"{HEADER}1,A,B,c\n{HEADER}2,D,E,f\n{HEADER}x{HEADER}{HEADER.strip()}x\n"
    records, malformed, chunk = read(text, chunk_bytes=chunk_bytes)
    assert records == ["1,A,B,c", "2,D,E,f", f"x{HEADER.strip()}", f"{HEADER.strip()}x"]
    assert (malformed, chunk.repeated.tolist()) == ([], [3, 5])
    assert read("Name\nName\nAda\n", 1)[0] == ["Name", "Ada"]


def test_a_final_control_z_is_no_row() -> None:
    records, malformed, chunk = read(f"{HEADER}1,A,B,c\n\x1a")
    assert (records, malformed, chunk.blank.size) == (["1,A,B,c"], [], 0)


# --- blanks beside quotes -----------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(" ", ""), ("", " "), ("  ", "   "), (" ", " ")])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_blanks_between_quotes_and_delimiters_are_no_part_of_the_value(
    before: str, after: str, delimiter: str
) -> None:
    def line(*values: str) -> str:
        return delimiter.join(f'{before}"{value}"{after}' for value in values)

    lines = [line("a", "b"), line("1", f"x {delimiter} y"), line("2", "p\nq")]
    text = "".join(each + "\n" for each in lines)
    _, malformed, chunk = read(text, 2, delimiter, chunk_bytes=5)
    assert malformed == []
    tidy = f'"1"{delimiter}"x {delimiter} y"\n"2"{delimiter}"p\nq"\n'
    assert chunk.data.decode() == tidy
    assert chunk.lines.tolist() == [2, 3]


def test_a_quote_beside_another_value_is_still_in_the_wrong_place() -> None:
    _, malformed, _ = read('a,b\n1, the "x" y\n2,"nick" name\n3,"a" "b"\n', 2)
    assert malformed == [(line, Code.BAD_QUOTE) for line in (3, 4)]


# --- swallowed rows -----------------------------------------------------------------------------

PEOPLE = [f"s{n},Ann{n},Lee{n},a{n}@oak.example" for n in range(40)]


@given(
    st.integers(0, 38).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 39))),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(1, 300),
)
@settings(max_examples=examples(200), deadline=None)
def test_two_stray_quotes_cost_their_own_rows_and_none_between(
    rows: tuple[int, int], opening: int, closing: int, chunk_bytes: int
) -> None:
    lines = list(PEOPLE)
    first, last = rows
    cells = lines[first].split(",")
    cells[opening] = '"' + cells[opening]
    lines[first] = ",".join(cells)
    cells = lines[last].split(",")
    cells[closing] += '"'
    lines[last] = ",".join(cells)
    _, malformed, chunk = read(HEADER + "\n".join(lines) + "\n", chunk_bytes=chunk_bytes)
    assert [line for line, _ in malformed] == [first + 2, last + 2]
    assert len(chunk.lines) == 38


@pytest.mark.parametrize(
    "note",
    [
        "Dear Ann,\nplease call, or write, or come,\nyours",
        "one\n\nthree",
        "topics: cells, genes, life, and energy\nmore: atoms, light, heat, sound",
        "a,b\nc,d",
    ],
)
def test_a_text_of_several_lines_stays_one_value(note: str) -> None:
    text = f'{HEADER}BIO101,A,B,"{note}"\nBIO102,C,D,e\n'
    _, malformed, chunk = read(text)
    assert malformed == []
    assert len(chunk.lines) == 2


# --- encodings ----------------------------------------------------------------------------------


def test_very_many_badly_encoded_rows_take_no_longer_than_their_number() -> None:
    def seconds(rows: int) -> float:
        data = b"a,b\n" + b"1,\xe9\n" * rows
        start = time.process_time()
        read(data, 2, chunk_bytes=len(data))
        return time.process_time() - start

    few = min(seconds(10_000) for _ in range(3))
    assert seconds(80_000) < 25 * few


# --- footers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "footer",
    [
        "Rows: 12,,,", "Rows: 12", "Total,,,45", "Total,12", "Grand Total:,12,,", "(12 rows)",
        "12 records", "Record Count = 12", "--- end ---", "End of report,,,", "EOF", "TRL,12,,",
        "Generated on 2026-09-01 10:15", "Generated on,2026-09-01,,", "Printed by,J. Smith,,",
        "Generated by: J. Smith", "Page 1 of 3", "Total de registros: 3",
        "Anzahl der Zeilen: 3", "Fin del archivo", "Número de registros,3,,", "Subtotal,,,3",
    ],
)  # fmt: skip
@pytest.mark.parametrize("chunk_bytes", [20, 1 << 20])
def test_a_footer_is_known_by_what_it_is(footer: str, chunk_bytes: int) -> None:
    body = "".join(row + "\n" for row in PEOPLE)
    rule = FooterRule(key=(0,))
    records, malformed, chunk = read(
        f"{HEADER}{body}{footer}\n\n", footer=rule, chunk_bytes=chunk_bytes
    )
    assert (records, malformed) == (PEOPLE, [])
    assert [(each.line, each.text) for each in chunk.footers] == [(42, footer)]


@pytest.mark.parametrize(
    "row",
    [
        "guest-7,Nils,Holm,", "k1,,,", "9,Total,,", "k2,End of,report,", "Page,Anna,Page,p@x.org",
        "SOURCE,Source Hall,Campus,", "k3,Rows: 12,,", "fin,Fin,Lee,f@x.org", "0,,,", "k4",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allowed", [0, 3])
def test_a_row_with_a_key_is_never_a_footer(row: str, allowed: int) -> None:
    rule = FooterRule(key=(0,), allowed=allowed if "," in row else 0)
    _, malformed, chunk = read(f"{HEADER}1,A,B,c\n{row}\n", footer=rule)
    assert not chunk.footers
    assert len(chunk.lines) + len(malformed) == 2


def test_rows_of_one_column_are_footers_only_with_a_figure_or_an_end_mark() -> None:
    for value in ("Page", "Source", "Total", "Trailer"):
        assert not is_footer([value], 1)
    for value in ("Total: 12", "End of file", "12 rows"):
        assert is_footer([value], 1)


def test_records_without_a_key_are_left_out_where_the_template_allows_some() -> None:
    text = f"{HEADER}1,A,B,c\nPrepared for the registrar\n,,see notes,\n"
    assert [line for line, _ in read(text, footer=FooterRule(key=(0,)))[1]] == [3]
    _, malformed, chunk = read(text, footer=FooterRule(key=(0,), allowed=2))
    assert (malformed, [each.line for each in chunk.footers]) == ([], [3, 4])


@given(st.lists(st.sampled_from([*PEOPLE, "Total: 3", ",,,", "Rows: 1,,,"]), max_size=60),
       st.integers(0, 30), st.integers(1, 400))  # fmt: skip
@settings(max_examples=examples(200), deadline=None)
def test_no_row_is_lost_by_looking_for_footers(
    lines: Sequence[str], allowed: int, chunk_bytes: int
) -> None:
    rule = FooterRule(key=(0,), allowed=allowed)
    _, malformed, chunk = read(
        HEADER + "".join(line + "\n" for line in lines) + "x,y,z,w\n",
        footer=rule,
        chunk_bytes=chunk_bytes,
    )
    assert not chunk.footers
    seen = len(chunk.lines) + len(malformed) + len(chunk.blank)
    assert seen == len(lines) + 1
