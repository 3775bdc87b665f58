"""Look-up tables: how a file becomes one, and what is said of a file that does not."""

from __future__ import annotations

import pytest

from imports.mapping import table_files
from imports.mapping.spec import parse
from imports.mapping.table_files import BadTable, read_table
from imports.mapping.tables import Table, named_in, row_with, written_in
from tests.imports.mapping.written import small


def refused(text: str | bytes, **more: object) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadTable) as caught:
        read_table(data, **more)  # type: ignore[arg-type]
    return caught.value.sentences


@pytest.mark.parametrize(
    "text",
    [
        'code,school\n1,North\n2,"South, old"\n',
        "code;school\r\n1;North\r\n2;South, old\r\n",
        "\ufeffcode\tschool\n 1 \t North \n\n2\tSouth, old",
    ],
)
def test_it_reads_what_spreadsheets_write_and_people_paste(text: str) -> None:
    table = read_table(text.encode())
    assert table == Table(columns=("code", "school"), rows=(("1", "North"), ("2", "South, old")))


def test_the_key_may_be_any_column() -> None:
    table = read_table(b"school,code,town\nNorth,1,A\n", key="code", fold=True)
    assert (table.columns, table.rows) == (("code", "school", "town"), (("1", "North", "A"),))
    assert table.fold
    assert refused("a,b\n1,2\n", key="c") == ['There is no column "c". The table has "a", "b".']


def test_a_download_of_ours_comes_back_as_it_was() -> None:
    assert read_table(b"code,sum\n'=x,'-y\n").rows == (("=x", "-y"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("code\n1\n", "Found 1 columns, expected 2 to 20"),
        (",b\n1,2\n", "A column has no name"),
        ("a,a\n1,2\n", '"a" is the name of two columns.'),
        ("a,b\n", "The table has no rows."),
        (
            "a,b\n1,x\n\n 1 ,y\n",
            'Line 4: the key "1" is already on line 2. Each key can appear only',
        ),
        ("a,b\n ,x\n", 'Line 2: "a" is blank'),
        ("a,b\n1,x\n2\n", "Line 3: "),
        ("a,b\n1," + "x" * 4_001 + "\n", 'Line 2: "b" has 4,001 characters'),
        (b"PK\x03\x04" + b"\0" * 100, "a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, "an image"),
    ],
)
def test_it_says_what_is_wrong_with_a_table_and_where(text: str | bytes, expected: str) -> None:
    assert expected in " ".join(refused(text))


def test_keys_that_differ_in_capitals_only_are_one_where_capitals_do_not_count() -> None:
    text = "a,b\nx,1\nX,2\n"
    assert len(read_table(text.encode()).rows) == 2
    assert 'Line 3: the key "X" is already on line 2 (case is ignored).' in " ".join(
        refused(text, fold=True)
    )


def test_it_is_bounded_in_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{n},x\n" for n in range(101))
    monkeypatch.setattr(table_files, "MOST_ROWS", 100)
    assert refused("a,b\n" + rows) == ["The table has more than 100 rows, the maximum."]
    assert len(read_table(("a,b\n" + rows.removesuffix("100,x\n")).encode()).rows) == 100
    monkeypatch.setattr(table_files, "MOST_BYTES", 1 << 20)
    assert "larger than 1 MB" in refused("a,b\n" + "x" * (1 << 20))[0]


def test_many_faults_are_told_as_some_and_a_number() -> None:
    sentences = refused("a,b\n" + "1,x\n" * 101)
    assert (len(sentences), sentences[-1]) == (21, "And 80 more similar problems.")


def test_the_digest_changes_with_the_content_only() -> None:
    table = Table(columns=("a", "b"), rows=(("1", "x"), ("2", "y")))
    others = [
        Table(columns=("a", "c"), rows=table.rows),
        Table(columns=table.columns, rows=(("1", "x"), ("2", "z"))),
        Table(columns=table.columns, rows=table.rows, fold=True),
        Table(columns=table.columns, rows=(("1", "x"),)),
    ]
    assert len({each.digest for each in (table, *others)}) == 5
    assert Table(columns=table.columns, rows=table.rows, number=9).digest == table.digest


def test_a_row_is_found_by_its_key_in_any_spelling_that_counts() -> None:
    rows = (("É1", "x"), ("b", "y"))
    assert row_with(Table(columns=("a", "b"), rows=rows, fold=True), " é1 ") == 0
    assert row_with(Table(columns=("a", "b"), rows=rows), "é1") is None


def test_a_spec_says_which_tables_it_needs_also_where_it_is_not_valid() -> None:
    steps = [{"lookup": {"table": "t"}}, {"trim": True}, {"lookup": {"table": "s"}}]
    data = small(fields={"F": {"columns": ["A"], "steps": steps}}, columns=["A"])
    assert named_in(parse(data)) == ["s", "t"]
    assert written_in(data) == {"s", "t"}
    broken = {"fields": {"F": {"steps": [{"lookup": {"table": "t"}}, 7, {"lookup": 3}]}, "G": 1}}
    assert (written_in(broken), written_in(None), written_in({"fields": []})) == (
        {"t"},
        set(),
        set(),
    )
