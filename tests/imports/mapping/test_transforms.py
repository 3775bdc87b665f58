"""The steps: what each makes of a cell, and what it says where it cannot."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code
from imports.mapping.spec import parse
from imports.mapping.tables import Table
from imports.mapping.transforms import compile_field
from portal.records.definitions import Field
from tests.imports.mapping.written import small
from tests.sizes import examples

SCHOOLS = (("1", "North", "N"), (" 2 ", "South", "S"), ("NA", "Nassau", ""), ("q", "Quay", "Q"))
LOOKUPS = {
    "schools": Table(columns=("number", "name", "code"), rows=SCHOOLS),
    "folded": Table(columns=("number", "name", "code"), rows=SCHOOLS, fold=True),
}
HEADER = ["A", "B", "C"]
BAD = object()


def run(
    rows: list[tuple[str | None, ...]], steps: list[Any], default: str | None = None
) -> tuple[list[Any], list[tuple[Code, str]]]:
    """The cells, BAD where a step has failed, and the checks that failed anywhere."""
    columns = HEADER[: len(rows[0])]
    data = small(columns=HEADER, fields={"F": {"columns": columns, "steps": steps}})
    compiled = compile_field(
        parse(data).fields["F"],
        Field(name="F"),
        HEADER,
        range(len(columns)),
        slot=9,
        lookups=LOOKUPS,
        default=default,
    )
    schema = {f"r{at}": pl.String for at in range(len(columns))}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    for stage in compiled.stages:
        frame = frame.with_columns(stage)
    failed = [frame.select(check.failed.fill_null(False)).to_series() for check in compiled.faults]
    cells = [
        BAD if any(mask[at] for mask in failed) else cell for at, cell in enumerate(frame["c9"])
    ]
    for mask in failed:
        assert frame.filter(mask)["c9"].is_null().all(), "a cell that failed has a value"
    sentences = [
        (check.code, check.message)
        for check, mask in zip(compiled.faults, failed, strict=True)
        if mask.any()
    ]
    return cells, sentences


def first_cell(text: str | None, *steps: Any) -> Any:
    return run([(text,)], list(steps))[0][0]


@pytest.mark.parametrize(
    ("step", "text", "expected"),
    [
        ({"trim": True}, "  Ada   King\u00a0Noel ", "Ada King Noel"),
        ({"trim": True}, "   ", None),
        ({"case": "upper"}, "straße é", "STRASSE É"),
        ({"case": "lower"}, "ÀB", "àb"),
        ({"case": "title"}, "MARY-ANN o'brien", "Mary-Ann O'Brien"),
        ({"case": "upper"}, "Null", "NULL"),
        ({"replace": {"find": ".", "with": "$1"}}, "a.b.c", "a$1b$1c"),
        ({"replace": {"find": "x", "with": ""}}, "xxx", None),
        ({"replace": {"find": r"^(\d+)-(\d+)$", "with": "${2}/${1}", "regex": True}}, "1-2", "2/1"),
        ({"replace": {"find": "A", "with": "B"}}, "a", "a"),
        ({"split": {"on": ",", "part": 1}}, "King, Ada", "King"),
        ({"split": {"on": ",", "part": 2}}, "King, Ada", "Ada"),
        ({"split": {"on": ",", "part": -1}}, "a,b,c", "c"),
        ({"split": {"on": ",", "part": 4}}, "a,b,c", None),
        ({"split": {"on": ",", "part": -4}}, "a,b,c", None),
        ({"split": {"on": "||", "part": 2}}, "a||b", "b"),
        ({"part": {"from": 2, "length": 3}}, "abcdef", "bcd"),
        ({"part": {"from": 2}}, "éñü", "ñü"),
        ({"part": {"from": 9, "length": 3}}, "abc", None),
        ({"pad": {"width": 5}}, "42", "00042"),
        ({"pad": {"width": 5}}, " 42 ", "00042"),
        ({"pad": {"width": 4, "with": "é", "side": "right"}}, "ab", "abéé"),
        ({"pad": {"width": 2}}, "12345", "12345"),
        ({"pad": {"width": 5}}, "", None),
        ({"number": {}}, "1,234.50", "1234.50"),
        ({"number": {}}, "+7", "7"),
        ({"number": {}}, "-.5", "-0.5"),
        ({"number": {}}, "12.", "12"),
        ({"number": {}}, "12,34", BAD),
        ({"number": {}}, "1.2.3", BAD),
        ({"number": {}}, "12 €", BAD),
        ({"number": {}}, "N/A", None),
        ({"number": {"decimal": ","}}, "1.234.567,8", "1234567.8"),
        ({"number": {"decimal": ","}}, "1234,5", "1234.5"),
        ({"number": {"decimal": ","}}, "1,234.5", BAD),
        ({"number": {"decimal": ",", "thousands": " "}}, "1\u202f234\u00a0567,5", "1234567.5"),
        ({"number": {"decimal": ".", "thousands": "'"}}, "1\u2019234.5", "1234.5"),
        ({"number": {"decimal": ".", "thousands": ""}}, "1,234", BAD),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "24.8.2026", "2026-08-24"),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "31.02.2026", BAD),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "24.08.26", BAD),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "24.08.2026 ", "2026-08-24"),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "24. 8.2026", BAD),
        ({"date": {"formats": ["%d.%m.%Y"]}}, "24.08.0000", BAD),
        ({"date": {"formats": ["%m/%d/%y"]}}, "8/24/26", "2026-08-24"),
        ({"date": {"formats": ["%Y%m%d"]}}, "20260824", "2026-08-24"),
        ({"date": {"formats": ["%d %b %Y"]}}, "24 AUG 2026", "2026-08-24"),
        ({"date": {"formats": ["%B %e, %Y"]}}, "August 4, 2026", "2026-08-04"),
        ({"date": {"formats": ["%d.%m.%Y", "%Y/%m/%d"]}}, "2026/08/24", "2026-08-24"),
        ({"date": {"formats": ["%d.%m.%Y %H:%M"]}}, "24.08.2026 7:05", "2026-08-24T07:05:00"),
        (
            {"date": {"formats": ["%d.%m.%Y %H:%M:%S"]}},
            "24.08.2026 17:05:09",
            "2026-08-24T17:05:09",
        ),
        ({"date": {"formats": ["%m/%d/%Y %I:%M %p"]}}, "8/24/2026 5:07 pm", "2026-08-24T17:07:00"),
        ({"date": {"formats": ["%d.%m.%Y %H:%M"]}}, "24.08.2026 25:05", BAD),
        ({"map": {"values": {"M": "Male", "F": ""}}}, " M ", "Male"),
        ({"map": {"values": {"M": "Male", "F": ""}}}, "F", None),
        ({"map": {"values": {"M": "Male"}}}, "m", BAD),
        ({"map": {"values": {"M": "Male"}}}, "", None),
        ({"map": {"values": {"M": "Male"}}}, "NA", None),
        ({"map": {"values": {"NA": "Native"}}}, "NA", "Native"),
        ({"map": {"values": {"M": "Male"}, "other": "keep"}}, "X", "X"),
        ({"map": {"values": {"M": "Male"}, "other": "blank"}}, "X", None),
        ({"map": {"values": {}}}, "X", BAD),
        ({"lookup": {"table": "schools"}}, "2", "South"),
        ({"lookup": {"table": "schools"}}, "NA", "Nassau"),
        ({"lookup": {"table": "schools"}}, "3", BAD),
        ({"lookup": {"table": "schools", "other": "keep"}}, "3", "3"),
        ({"lookup": {"table": "schools", "other": "blank"}}, "3", None),
        ({"lookup": {"table": "schools", "other": "default", "default": "None"}}, "3", "None"),
        ({"lookup": {"table": "schools", "other": "default", "default": "None"}}, "1", "North"),
        ({"lookup": {"table": "schools", "other": "default", "default": "None"}}, " ", None),
        ({"lookup": {"table": "schools", "column": "code"}}, "2", "S"),
        ({"lookup": {"table": "schools", "column": "code"}}, "NA", None),
        ({"lookup": {"table": "schools"}}, "Q", BAD),
        ({"lookup": {"table": "schools"}}, "na", None),
        ({"lookup": {"table": "folded"}}, "Q", "Quay"),
        ({"lookup": {"table": "folded"}}, "q", "Quay"),
        ({"lookup": {"table": "folded"}}, "na", "Nassau"),
        ({"lookup": {"table": "folded", "other": "keep"}}, "X", "X"),
    ],
)
def test_each_step_does_what_it_says(step: Any, text: str, expected: Any) -> None:
    assert first_cell(text, step) is expected or first_cell(text, step) == expected


@pytest.mark.parametrize(
    ("cells", "joined", "first"),
    [
        (("Ada", "M.", "King"), "Ada M. King", "Ada"),
        (("Ada", "", "King"), "Ada King", "Ada"),
        (("", "N/A", " King "), "King", "King"),
        ((None, "", "NULL"), None, None),
    ],
)
def test_columns_are_joined_or_chosen_without_the_blank_ones(
    cells: tuple[str | None, ...], joined: str | None, first: str | None
) -> None:
    assert run([cells], [{"join": " "}])[0] == [joined]
    assert run([cells], [{"first_non_blank": True}])[0] == [first]


def test_steps_follow_each_other() -> None:
    steps = [
        {"join": ";"},
        {"split": {"on": ";", "part": 2}},
        {"trim": True},
        {"case": "lower"},
        {"map": {"values": {"x y": "7"}, "other": "keep"}},
        {"pad": {"width": 3}},
    ]
    assert run([("a", " X   Y ")], steps)[0] == ["007"]
    assert run([("a", "b")], steps)[0] == ["00b"]


def test_only_the_step_that_failed_is_told_once_a_cell() -> None:
    steps = [{"number": {}}, {"map": {"values": {"1": "one"}}}]
    cells, sentences = run([("1",), ("x",), ("2",), ("",)], steps)
    assert cells == ["one", BAD, BAD, None]
    assert sentences == [
        (Code.NOT_A_NUMBER, '"{column}" is "{value}". Expected a number written as 1,234.5.'),
        (
            Code.NOT_IN_LIST,
            '"{column}" is "{value}". The template\'s value map does not have it.'
            " Correct the cell, or add it to the map.",
        ),
    ]


def test_a_date_and_a_table_say_what_they_expect() -> None:
    steps = [{"date": {"formats": ["%d.%m.%Y", "%m/%d/%Y %I:%M %p"]}}]
    ((code, sentence),) = run([("x",)], steps)[1]
    assert code is Code.NOT_A_DATE
    assert sentence.endswith("that exists, written as 24.08.2026 or 08/24/2026 05:05 PM.")
    ((code, sentence),) = run([("x",)], [{"lookup": {"table": "schools"}}])[1]
    assert code is Code.NOT_IN_LIST
    assert 'The look-up table "schools" does not have it' in sentence


def test_a_default_fills_what_is_blank_but_not_what_failed() -> None:
    rows = [("1",), ("",), ("NA",), ("x",)]
    assert run(rows, [{"number": {}}], "0")[0] == ["1", "0", "0", BAD]
    assert run(rows, [], "0")[0] == ["1", "0", "NA", "x"]


def test_a_constant_is_the_same_for_every_row() -> None:
    spec = parse(small(fields={"F": {"constant": "NA"}}))
    compiled = compile_field(spec.fields["F"], Field(name="F"), HEADER, (), slot=3)
    frame = pl.DataFrame({"r0": ["a", "b"]})
    for stage in compiled.stages:
        frame = frame.with_columns(stage)
    assert frame["c3"].to_list() == ["NA", "NA"]
    assert (compiled.header, compiled.positions) == ("F", ())


_STEPS = st.sampled_from(
    [
        {"trim": True},
        {"case": "upper"},
        {"case": "title"},
        {"replace": {"find": r"(\w)|$", "with": "${1}é", "regex": True}},
        {"replace": {"find": " ", "with": "$"}},
        {"split": {"on": " ", "part": -2}},
        {"part": {"from": 2, "length": 3}},
        {"pad": {"width": 6, "with": "ñ"}},
        {"number": {"decimal": ",", "thousands": " "}},
        {"date": {"formats": ["%d.%m.%Y", "%Y%m%d", "%m/%d/%y %I:%M:%S %p", "%e %B %Y"]}},
        {"map": {"values": {"1": "", "a": "b"}, "other": "keep"}},
        {"map": {"values": {"1": "", "a": "b"}}},
        {"lookup": {"table": "schools", "other": "blank"}},
    ]
)
_CELL = st.text(max_size=12) | st.text(alphabet="0123456789.,/: -+APMaug", max_size=20)


@settings(deadline=None, max_examples=examples(150))
@given(
    st.lists(st.tuples(_CELL | st.none(), _CELL | st.none()), min_size=1, max_size=6),
    st.lists(_STEPS, max_size=3),
    st.sampled_from([{"join": " "}, {"first_non_blank": True}]),
)
def test_no_text_makes_any_steps_fall_over(
    rows: list[tuple[str | None, str | None]], steps: list[Any], gather: Any
) -> None:
    cells, _ = run(rows, [gather, *steps])
    assert len(cells) == len(rows)
    assert all(cell is BAD or cell is None or cell == cell.strip(" ") != "" for cell in cells)
