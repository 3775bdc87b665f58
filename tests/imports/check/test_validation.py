"""A chunk against the rules: which rows are good, what is stored, what is reported of the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check.characters import tidied
from imports.check.spreadsheets import restored
from imports.check.validation import CheckedChunk, ReferenceSet, Validator, key_hash, key_text
from imports.issues import Severity
from imports.mapping.matching import match
from portal.records.catalog import catalog
from portal.records.definitions import Blank, Feed, Field, FieldType, Operation, RecordType, Rule
from tests.sizes import examples

FIRST_LINE = 2
UNITS = ["OrgUnitIdentifier", "Name", "Acronym", "ParentIdentifier", "Type"]


def written(rows: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


def checked(
    feed: Feed,
    record_type: RecordType,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    references: Mapping[str, Sequence[str]] | None = None,
    delimiter: str = ",",
) -> CheckedChunk:
    stored = {name: ReferenceSet.of(keys, fold=True) for name, keys in (references or {}).items()}
    mapping = match(header, feed, record_type)
    types = catalog().record_type
    validator = Validator(mapping, feed, record_type, types, stored, delimiter)
    return validator.check(
        written(rows, delimiter),
        np.arange(FIRST_LINE, FIRST_LINE + len(rows)),
        np.arange(len(rows)) * 10,
        lambda position: f"raw {position}".encode(),
    )


def through(
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    references: Mapping[str, Sequence[str]] | None = None,
) -> CheckedChunk:
    feed = catalog().feed(name)
    return checked(feed, catalog().record_type(feed.record_type), header, rows, references)


def issues(chunk: CheckedChunk) -> set[tuple[int | None, str | None, str, str]]:
    return {
        (issue.line, issue.column, issue.code.value, issue.value)
        for batch in chunk.issues
        for issue in batch.issues()
    }


def messages(chunk: CheckedChunk) -> list[str]:
    return [issue.message for batch in chunk.issues for issue in batch.issues()]


def documents(chunk: CheckedChunk) -> list[dict[str, Any]]:
    return [json.loads(text) for text in chunk.good["data"]]


def test_every_fault_of_every_cell_is_reported_with_line_column_and_value() -> None:
    header = ["PersonIdentifier", "FirstName", "LastName", "Email"]
    chunk = through(
        "accounts",
        header,
        [
            ["001", "Ada", "Lovelace", "ada@example.edu"],
            ["", " ", "x" * 251, "nobody"],
            ["002", " . ", ".", "b@example.edu"],
            ["a\x1fb", "C", "D", "c@example.edu "],
        ],
    )
    assert issues(chunk) == {
        (3, "PersonIdentifier", "required", ""),
        (3, "FirstName", "required", ""),
        (3, "LastName", "too_long", "x" * 200),
        (3, "Email", "not_an_email", "nobody"),
        (5, "PersonIdentifier", "bad_format", "aU+001Fb"),
    }
    assert chunk.rejected.tolist() == [1, 3]
    assert chunk.rejected_records == (b"raw 1", b"raw 3")
    assert chunk.good["line"].to_list() == [2, 4]
    assert chunk.good["source_hash"].to_list() == [0, 20]
    assert chunk.good["operation"].to_list() == ["upsert", "upsert"]
    assert documents(chunk)[0] == {
        "PersonIdentifier": "001",
        "FirstName": "Ada",
        "LastName": "Lovelace",
        "Email": "ada@example.edu",
    }


def test_the_column_is_named_as_the_file_spells_it() -> None:
    header = ["EXTERNALID", "firstname", "LastName", "Email"]
    chunk = through("accounts", header, [["", "a", "b", "a@example.edu"]])
    assert issues(chunk) == {(2, "EXTERNALID", "required", "")}
    assert messages(chunk)[0].startswith('"EXTERNALID" is blank')


def test_org_units_obey_the_rules_of_their_tree() -> None:
    chunk = through(
        "org_units",
        UNITS,
        [
            ["U", "University", "", "", "institution"],
            ["M", "Mathematics", "MTH", "u", "DEPARTMENT"],
            ["X", "No parent", "", "", "School"],
            ["Y", "Own parent", "", "y", "School"],
            ["Z", "Second root", "", "U", "Institution"],
            ["Q", "Odd type", "", "U", "Faculty"],
        ],
    )
    assert issues(chunk) == {
        (4, "ParentIdentifier", "required", ""),
        (5, "ParentIdentifier", "same_as", "y"),
        (6, "ParentIdentifier", "must_be_blank", "U"),
        (7, "Type", "not_in_list", "Faculty"),
    }
    assert chunk.good["only:Type"].to_list() == [True, False]
    parents = chunk.good["self:ParentIdentifier"].to_list()
    assert parents == [None, chunk.good["key_hash"][0]]
    assert [d["Type"] for d in documents(chunk)] == ["Institution", "Department"]


def test_a_warning_is_reported_and_the_row_is_accepted() -> None:
    header = ["TermIdentifier", "Name", "BeginDate", "EndDate", "ParentIdentifier", "Type"]
    chunk = through(
        "academic_terms",
        header,
        [
            ["F", "Fall", "2026-08-24T06:00:00-06:00", "12/18/2026", "", "Semester"],
            ["G", "Late", "2026-12-19", "12/18/2026", "2026", "Semester"],
        ],
    )
    assert issues(chunk) == {
        (2, "ParentIdentifier", "required", ""),
        (3, "BeginDate", "after", "2026-12-19"),
    }
    severities = {b.code.value: b.severity.value for b in chunk.issues}
    assert severities == {"required": "warning", "after": "error"}
    assert chunk.rejected.tolist() == [1]
    assert documents(chunk)[0]["BeginDate"] == "2026-08-24T12:00:00Z"
    assert (
        '"BeginDate" is "2026-12-19", later than "EndDate", which is "12/18/2026".'
        " Correct one of them."
    ) in messages(chunk)


def test_references_are_compared_without_case_and_unknown_ones_are_reported() -> None:
    header = ["PersonIdentifier", "SectionIdentifier", "Status"]
    chunk = through(
        "enrollments",
        header,
        [["P1", "s1", "enrolled"], ["p2", "S1", "Dropped"], ["p1", "s2", "Enrolled"]],
        {"accounts": ["p1"], "sections": ["S1"]},
    )
    assert issues(chunk) == {
        (3, "PersonIdentifier", "unknown_reference", "p2"),
        (4, "SectionIdentifier", "unknown_reference", "s2"),
    }
    assert messages(chunk)[0] == (
        '"PersonIdentifier" is "p2", but there is no such record in "Accounts".'
        ' Correct the cell, or send the "Accounts" file with it first.'
    )


def test_each_element_of_a_list_is_looked_up() -> None:
    header = ["ProgramIdentifier", "OrgUnitIdentifier", "Name", "Type", "CourseIdentifiers"]
    chunk = through(
        "academic_programs",
        header,
        [
            ["P", "m", "n", "graduate", "A,b;c|a"],
            ["Q", "m", "n", "graduate", "a|zz;yy"],
            ["R", "m", "n", "graduate", " ; "],
        ],
        {"org_units": ["M"], "courses": ["A", "B", "C"]},
    )
    assert issues(chunk) == {
        (3, "CourseIdentifiers", "unknown_reference", "zz, yy"),
        (4, "CourseIdentifiers", "required", ";"),
    }
    assert documents(chunk)[0]["CourseIdentifiers"] == ["A", "b", "c", "a"]


def test_without_any_known_key_every_reference_is_unknown() -> None:
    header = ["Identifier", "Key", "Value"]
    chunk = through("section_attributes", header, [["s", "k", "v"]], {"sections": []})
    assert issues(chunk) == {(2, "Identifier", "unknown_reference", "s")}


def test_a_row_states_its_own_operation() -> None:
    header = ["AdvisorID", "ExternalID", "Action"]
    chunk = through(
        "beacon_connections",
        header,
        [["a", "b", ""], ["a", "c", "DISCONNECT"], ["a", "b", "Cut"]],
        {"accounts": ["A", "B", "C"]},
    )
    assert chunk.good["operation"].to_list() == ["upsert", "remove"]
    assert issues(chunk) == {(4, "Action", "not_in_list", "Cut")}
    assert documents(chunk)[0] == {"AdvisorID": "a", "ExternalID": "b"}


def test_a_removing_row_is_checked_in_its_key_only() -> None:
    header = ["Action", "Username", "FirstName", "LastName", "CampusEmail"]
    chunk = through(
        "engage_users",
        header,
        [
            ["Delete", "ada", "", "", "nobody"],
            ["Delete", "", "", "", ""],
            ["Update", "bob", "", "B", "nobody"],
            ["", "cy", "C", "D", "c@example.edu"],
        ],
    )
    assert issues(chunk) == {
        (3, "Username", "required", ""),
        (4, "FirstName", "required", ""),
        (4, "CampusEmail", "not_an_email", "nobody"),
        (5, "Action", "required", ""),
    }
    assert chunk.good.select("key", "operation").rows() == [("ada", "remove")]


def test_a_removing_feed_needs_the_key_only() -> None:
    header = ["PersonIdentifier", "SectionIdentifier"]
    stored = {"accounts": ["p"], "sections": ["s"]}
    chunk = through("remove_instructors", header, [["P", "S"]], stored)
    assert chunk.good.select("key", "operation").rows() == [("p\x1fs", "remove")]


PEOPLE = RecordType(
    name="people",
    pack="demo",
    label="People",
    key=("Id",),
    fields=(
        Field(name="Id", required=True),
        Field(name='Note "1": é'),
        Field(name="Level", type=FieldType.INTEGER),
        Field(name="Score", type=FieldType.NUMBER),
        Field(name="Active", type=FieldType.BOOLEAN),
        Field(name="Friends", many=True, references="people"),
        Field(name="Born", type=FieldType.DATE, blank=Blank.CLEAR),
    ),
)
FEED = Feed(
    name="people",
    pack="demo",
    label="People",
    record_type="people",
    folders=("People",),
    file_name="people.csv",
)
HEADER = [f.name for f in PEOPLE.fields]


def people(rows: Sequence[Sequence[str]], **more: Any) -> CheckedChunk:
    return checked(replace(FEED, **more), PEOPLE, HEADER, rows)


def test_values_are_stored_with_their_json_types() -> None:
    chunk = people([["7", "n", "1,000", "2.50", "T", "a;b", "8/1/2023"]])
    assert documents(chunk) == [
        {
            "Id": "7",
            'Note "1": é': "n",
            "Level": 1000,
            "Score": 2.5,
            "Active": True,
            "Friends": ["a", "b"],
            "Born": "2023-08-01",
        }
    ]


def test_a_blank_cell_clears_where_the_feed_clears() -> None:
    (document,) = documents(people([["7", "", "NULL", "", "", "", ""]]))
    assert document == {**dict.fromkeys(HEADER), "Id": "7"}


def test_a_blank_cell_is_left_out_where_the_feed_keeps_but_not_where_the_field_clears() -> None:
    (document,) = documents(people([["7", "", "", "", "", "", ""]], blank=Blank.KEEP))
    assert document == {"Id": "7", "Born": None}


def test_what_looks_like_a_member_inside_a_value_is_kept() -> None:
    tricky = '"Level":null,"Note \\"1\\": é":null,'
    (document,) = documents(people([["7", tricky, "", "3", "", "", ""]], blank=Blank.KEEP))
    assert document == {"Id": "7", 'Note "1": é': tricky.strip(), "Score": 3.0, "Born": None}


def test_a_column_that_the_file_lacks_is_left_out() -> None:
    chunk = checked(FEED, PEOPLE, ["Id", "Level"], [["7", ""]])
    assert documents(chunk) == [{"Id": "7", "Level": None}]


def test_references_to_the_own_type_are_left_to_the_caller() -> None:
    chunk = people([["7", "", "", "", "", "a;B", ""], ["8", "", "", "", "", "", ""]])
    lists = chunk.good["self:Friends"].to_list()
    frame = pl.DataFrame({"k": ["A", "b"]})
    assert lists == [frame.select(key_hash([pl.col("k")], fold=True)).to_series().to_list(), None]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_comes_back_from_its_json(texts: list[str], delimiter: str) -> None:
    rows = [[str(i), text] for i, text in enumerate(texts)]
    chunk = checked(FEED, PEOPLE, HEADER[:2], rows, delimiter=delimiter)
    assert chunk.good.height == len(rows)
    seen = tidied(restored(pl.Series(texts), identifiers=False)).str.strip_chars()
    expected = [None if t == "" else t for t in seen.to_list()]
    assert [d[HEADER[1]] for d in documents(chunk)] == expected


CELLS = st.sampled_from(
    ["", "x", "12", "NA", "2023-08-01", "8/1/2023 1:00 PM", "T", "a;b", "é\n\"'"]
)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.lists(CELLS, min_size=7, max_size=7), max_size=12), st.sampled_from(Blank))
def test_every_row_is_good_or_rejected_with_an_issue(rows: list[list[str]], blank: Blank) -> None:
    chunk = people(rows, blank=blank)
    good = chunk.good["line"].to_list()
    rejected = [FIRST_LINE + i for i in chunk.rejected.tolist()]
    assert sorted(good + rejected) == list(range(FIRST_LINE, FIRST_LINE + len(rows)))
    errors = [batch for batch in chunk.issues if batch.severity == Severity.ERROR]
    assert {line for batch in errors for line in batch.lines} == set(rejected)


def test_an_error_attachment_is_read_without_its_apostrophes() -> None:
    header = [*HEADER[:2], "_line", "_column", "_code", "_error"]
    chunk = checked(FEED, PEOPLE, header, [["'-a", "'=Ann", "2", "x", "y", "z"]])
    assert documents(chunk) == [{"Id": "-a", HEADER[1]: "=Ann"}]


def test_a_cell_that_looks_like_a_template_is_shown_as_it_is() -> None:
    chunk = people([["7", "", "{other}{value}", "", "", "", ""]])
    assert messages(chunk) == [
        '"Level" is "{other}{value}". Expected a whole number such as 1200, 1,200 or -3.'
    ]


def test_numbers_are_compared_as_numbers() -> None:
    rule = Rule(kind="not_after", field="Level", other="Score")
    chunk = checked(
        FEED,
        replace(PEOPLE, rules=(rule,)),
        ["Id", "Level", "Score"],
        [["1", "9", "10"], ["2", "11", "10.5"], ["3", "", "1"]],
    )
    assert issues(chunk) == {(3, "Level", "after", "11")}
    assert messages(chunk)[0].startswith('"Level" is "11", larger than "Score", which is "10.5".')


def test_a_rule_about_a_column_that_the_file_lacks_is_left_out() -> None:
    rule = Rule(kind="required_unless", field="Level", other="Score", values=("1",))
    chunk = checked(FEED, replace(PEOPLE, rules=(rule,)), ["Id", "Score"], [["1", "2"]])
    assert chunk.good.height == 1


def test_it_will_not_start_without_the_keys_of_a_type_that_is_referred_to() -> None:
    with pytest.raises(KeyError, match="sections"):
        through("section_attributes", ["Identifier", "Key", "Value"], [["s", "k", "v"]])


def test_an_empty_chunk_is_no_fault() -> None:
    chunk = people([])
    assert (chunk.good.height, chunk.issues, chunk.rejected.size) == (0, (), 0)


def test_the_operation_of_the_feed_is_that_of_each_row() -> None:
    chunk = people([["7", "", "", "", "", "", ""]], operation=Operation.ADD_ONLY)
    assert chunk.good["operation"].to_list() == ["add_only"]


@pytest.mark.parametrize(("fold", "expected"), [(True, "é\x1fß1\x1f2"), (False, "É\x1fß1\x1f2")])
def test_a_key_is_its_parts_joined_and_hashed(fold: bool, expected: str) -> None:
    frame = pl.DataFrame({"a": ["É"], "b": ["ß1"], "c": [2]})
    parts = [pl.col("a"), pl.col("b"), pl.col("c")]
    text, number = frame.select(key_text(parts, fold), h=key_hash(parts, fold)).row(0)
    assert text == expected
    assert number % 2**64 == xxhash.xxh3_64_intdigest(expected.encode())


def test_a_reference_set_knows_what_is_missing_and_lets_blanks_pass() -> None:
    stored = ReferenceSet.of(["B", "a", "b"], fold=True)
    assert stored.hashes.size == 2
    frame = pl.DataFrame({"k": ["A", "c", None, "b"]})
    hashes = frame.select(key_hash([pl.col("k")], fold=True)).to_series()
    assert stored.missing(hashes).tolist() == [False, True, False, False]
