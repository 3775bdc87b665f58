"""A chunk against the rules: which rows are good, what is stored, what is told of the rest."""

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

from imports.check.columns import match
from imports.check.validation import Checked, ReferenceSet, Validator, key_hash, key_text
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
) -> Checked:
    known = {name: ReferenceSet.of(keys, fold=True) for name, keys in (references or {}).items()}
    mapping = match(header, feed, record_type)
    types = catalog().record_type
    validator = Validator(mapping, feed, record_type, types, known, delimiter)
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
) -> Checked:
    feed = catalog().feed(name)
    return checked(feed, catalog().record_type(feed.record_type), header, rows, references)


def issues(found: Checked) -> set[tuple[int | None, str | None, str, str]]:
    return {
        (issue.line, issue.column, issue.code.value, issue.found)
        for batch in found.issues
        for issue in batch.issues()
    }


def messages(found: Checked) -> list[str]:
    return [issue.message for batch in found.issues for issue in batch.issues()]


def documents(found: Checked) -> list[dict[str, Any]]:
    return [json.loads(text) for text in found.good["data"]]


def test_every_fault_of_every_cell_is_told_with_line_column_and_what_was_found() -> None:
    header = ["PersonIdentifier", "FirstName", "LastName", "Email"]
    found = through(
        "accounts",
        header,
        [
            ["001", "Ada", "Lovelace", "ada@example.edu"],
            ["", "NULL", "x" * 251, "nobody"],
            ["002", " . ", ".", "b@example.edu"],
            ["a\x1fb", "C", "D", "c@example.edu "],
        ],
    )
    assert issues(found) == {
        (3, "PersonIdentifier", "required", ""),
        (3, "FirstName", "required", "NULL"),
        (3, "LastName", "too_long", "x" * 200),
        (3, "Email", "not_an_email", "nobody"),
        (5, "PersonIdentifier", "bad_format", "a\x1fb"),
    }
    assert found.rejected.tolist() == [1, 3]
    assert found.rejected_records == (b"raw 1", b"raw 3")
    assert found.good["line"].to_list() == [2, 4]
    assert found.good["source_hash"].to_list() == [0, 20]
    assert found.good["operation"].to_list() == ["upsert", "upsert"]
    assert documents(found)[0] == {
        "PersonIdentifier": "001",
        "FirstName": "Ada",
        "LastName": "Lovelace",
        "Email": "ada@example.edu",
    }


def test_the_column_is_named_as_the_file_spells_it() -> None:
    header = ["EXTERNALID", "firstname", "LastName", "Email"]
    found = through("accounts", header, [["", "a", "b", "a@example.edu"]])
    assert issues(found) == {(2, "EXTERNALID", "required", "")}
    assert messages(found)[0].startswith('"EXTERNALID" is blank')


def test_org_units_obey_the_rules_of_their_tree() -> None:
    found = through(
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
    assert issues(found) == {
        (4, "ParentIdentifier", "required", ""),
        (5, "ParentIdentifier", "same_as", "y"),
        (6, "ParentIdentifier", "must_be_blank", "U"),
        (7, "Type", "not_in_list", "Faculty"),
    }
    assert found.good["only:Type"].to_list() == [True, False]
    parents = found.good["self:ParentIdentifier"].to_list()
    assert parents == [None, found.good["key_hash"][0]]
    assert [d["Type"] for d in documents(found)] == ["Institution", "Department"]


def test_a_warning_tells_and_lets_the_row_through() -> None:
    header = ["TermIdentifier", "Name", "BeginDate", "EndDate", "ParentIdentifier", "Type"]
    found = through(
        "academic_terms",
        header,
        [
            ["F", "Fall", "2026-08-24T06:00:00-06:00", "12/18/2026", "", "Semester"],
            ["G", "Late", "2026-12-19", "12/18/2026", "2026", "Semester"],
        ],
    )
    assert issues(found) == {
        (2, "ParentIdentifier", "required", ""),
        (3, "BeginDate", "after", "2026-12-19"),
    }
    severities = {b.code.value: b.severity.value for b in found.issues}
    assert severities == {"required": "warning", "after": "error"}
    assert found.rejected.tolist() == [1]
    assert documents(found)[0]["BeginDate"] == "2026-08-24T12:00:00Z"
    assert (
        '"BeginDate" is "2026-12-19", later than "EndDate", which is "12/18/2026".'
        " Correct one of them."
    ) in messages(found)


def test_references_are_compared_without_case_and_unknown_ones_are_told() -> None:
    header = ["PersonIdentifier", "SectionIdentifier", "Status"]
    found = through(
        "enrollments",
        header,
        [["P1", "s1", "enrolled"], ["p2", "S1", "Dropped"], ["p1", "s2", "Enrolled"]],
        {"accounts": ["p1"], "sections": ["S1"]},
    )
    assert issues(found) == {
        (3, "PersonIdentifier", "unknown_reference", "p2"),
        (4, "SectionIdentifier", "unknown_reference", "s2"),
    }
    assert messages(found)[0] == (
        '"PersonIdentifier" is "p2", but there is no such record in "Accounts".'
        ' Correct the cell, or send the "Accounts" file with it first.'
    )


def test_each_element_of_a_list_is_looked_up() -> None:
    header = ["ProgramIdentifier", "OrgUnitIdentifier", "Name", "Type", "CourseIdentifiers"]
    found = through(
        "academic_programs",
        header,
        [
            ["P", "m", "n", "graduate", "A,b;c|a"],
            ["Q", "m", "n", "graduate", "a|zz;yy"],
            ["R", "m", "n", "graduate", " ; "],
        ],
        {"org_units": ["M"], "courses": ["A", "B", "C"]},
    )
    assert issues(found) == {
        (3, "CourseIdentifiers", "unknown_reference", "zz, yy"),
        (4, "CourseIdentifiers", "required", ";"),
    }
    assert documents(found)[0]["CourseIdentifiers"] == ["A", "b", "c", "a"]


def test_without_any_known_key_every_reference_is_unknown() -> None:
    header = ["Identifier", "Key", "Value"]
    found = through("section_attributes", header, [["s", "k", "v"]], {"sections": []})
    assert issues(found) == {(2, "Identifier", "unknown_reference", "s")}


def test_a_row_says_itself_what_it_does() -> None:
    header = ["AdvisorID", "ExternalID", "Action"]
    found = through(
        "beacon_connections",
        header,
        [["a", "b", ""], ["a", "c", "DISCONNECT"], ["a", "b", "Cut"]],
        {"accounts": ["A", "B", "C"]},
    )
    assert found.good["operation"].to_list() == ["upsert", "remove"]
    assert issues(found) == {(4, "Action", "not_in_list", "Cut")}
    assert documents(found)[0] == {"AdvisorID": "a", "ExternalID": "b"}


def test_a_removing_row_is_checked_in_its_key_only() -> None:
    header = ["Action", "Username", "FirstName", "LastName", "CampusEmail"]
    found = through(
        "engage_users",
        header,
        [
            ["Delete", "ada", "", "", "nobody"],
            ["Delete", "", "", "", ""],
            ["Update", "bob", "", "B", "nobody"],
            ["", "cy", "C", "D", "c@example.edu"],
        ],
    )
    assert issues(found) == {
        (3, "Username", "required", ""),
        (4, "FirstName", "required", ""),
        (4, "CampusEmail", "not_an_email", "nobody"),
        (5, "Action", "required", ""),
    }
    assert found.good.select("key", "operation").rows() == [("ada", "remove")]


def test_a_removing_feed_needs_the_key_only() -> None:
    header = ["PersonIdentifier", "SectionIdentifier"]
    known = {"accounts": ["p"], "sections": ["s"]}
    found = through("remove_instructors", header, [["P", "S"]], known)
    assert found.good.select("key", "operation").rows() == [("p\x1fs", "remove")]


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


def people(rows: Sequence[Sequence[str]], **more: Any) -> Checked:
    return checked(replace(FEED, **more), PEOPLE, HEADER, rows)


def test_values_are_stored_with_their_json_types() -> None:
    found = people([["7", "n", "1,000", "2.50", "T", "a;b", "8/1/2023"]])
    assert documents(found) == [
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
    found = checked(FEED, PEOPLE, ["Id", "Level"], [["7", ""]])
    assert documents(found) == [{"Id": "7", "Level": None}]


def test_references_to_the_own_type_are_left_to_the_caller() -> None:
    found = people([["7", "", "", "", "", "a;B", ""], ["8", "", "", "", "", "", ""]])
    lists = found.good["self:Friends"].to_list()
    frame = pl.DataFrame({"k": ["A", "b"]})
    assert lists == [frame.select(key_hash([pl.col("k")], fold=True)).to_series().to_list(), None]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_comes_back_from_its_json(texts: list[str], delimiter: str) -> None:
    rows = [[str(i), text] for i, text in enumerate(texts)]
    found = checked(FEED, PEOPLE, HEADER[:2], rows, delimiter=delimiter)
    assert found.good.height == len(rows)
    frame = pl.DataFrame({"t": texts}).select(pl.col("t").str.strip_chars())
    missing = {"", "NULL", "NA", "N/A", "na", "n/a"}
    expected = [None if t in missing else t for t in frame["t"].to_list()]
    assert [d[HEADER[1]] for d in documents(found)] == expected


CELLS = st.sampled_from(
    ["", "x", "12", "NA", "2023-08-01", "8/1/2023 1:00 PM", "T", "a;b", "é\n\"'"]
)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.lists(CELLS, min_size=7, max_size=7), max_size=12), st.sampled_from(Blank))
def test_every_row_is_good_or_rejected_with_an_issue(rows: list[list[str]], blank: Blank) -> None:
    found = people(rows, blank=blank)
    good = found.good["line"].to_list()
    rejected = [FIRST_LINE + i for i in found.rejected.tolist()]
    assert sorted(good + rejected) == list(range(FIRST_LINE, FIRST_LINE + len(rows)))
    assert {line for line, *_ in issues(found)} == set(rejected)


def test_an_error_attachment_is_read_without_its_apostrophes() -> None:
    header = [*HEADER[:2], "_line", "_column", "_code", "_error"]
    found = checked(FEED, PEOPLE, header, [["'-a", "'=1+1", "2", "x", "y", "z"]])
    assert documents(found) == [{"Id": "-a", HEADER[1]: "=1+1"}]


def test_a_cell_that_looks_like_a_template_is_told_as_it_is() -> None:
    found = people([["7", "", "{other}{found}", "", "", "", ""]])
    assert messages(found) == [
        '"Level" is "{other}{found}". Expected a whole number such as 1200, 1,200 or -3.'
    ]


def test_numbers_are_compared_as_numbers() -> None:
    rule = Rule(kind="not_after", field="Level", other="Score")
    found = checked(
        FEED,
        replace(PEOPLE, rules=(rule,)),
        ["Id", "Level", "Score"],
        [["1", "9", "10"], ["2", "11", "10.5"], ["3", "", "1"]],
    )
    assert issues(found) == {(3, "Level", "after", "11")}
    assert messages(found)[0].startswith('"Level" is "11", larger than "Score", which is "10.5".')


def test_a_rule_about_a_column_that_the_file_lacks_is_left_out() -> None:
    rule = Rule(kind="required_unless", field="Level", other="Score", values=("1",))
    found = checked(FEED, replace(PEOPLE, rules=(rule,)), ["Id", "Score"], [["1", "2"]])
    assert found.good.height == 1


def test_it_will_not_start_without_the_keys_of_a_type_that_is_referred_to() -> None:
    with pytest.raises(KeyError, match="sections"):
        through("section_attributes", ["Identifier", "Key", "Value"], [["s", "k", "v"]])


def test_an_empty_chunk_is_no_fault() -> None:
    found = people([])
    assert (found.good.height, found.issues, found.rejected.size) == (0, (), 0)


def test_the_operation_of_the_feed_is_that_of_each_row() -> None:
    found = people([["7", "", "", "", "", "", ""]], operation=Operation.ADD_ONLY)
    assert found.good["operation"].to_list() == ["add_only"]


@pytest.mark.parametrize(("fold", "expected"), [(True, "é\x1fß1\x1f2"), (False, "É\x1fß1\x1f2")])
def test_a_key_is_its_parts_joined_and_hashed(fold: bool, expected: str) -> None:
    frame = pl.DataFrame({"a": ["É"], "b": ["ß1"], "c": [2]})
    parts = [pl.col("a"), pl.col("b"), pl.col("c")]
    text, number = frame.select(key_text(parts, fold), h=key_hash(parts, fold)).row(0)
    assert text == expected
    assert number % 2**64 == xxhash.xxh3_64_intdigest(expected.encode())


def test_a_reference_set_knows_what_is_missing_and_lets_blanks_pass() -> None:
    known = ReferenceSet.of(["B", "a", "b"], fold=True)
    assert known.hashes.size == 2
    frame = pl.DataFrame({"k": ["A", "c", None, "b"]})
    hashes = frame.select(key_hash([pl.col("k")], fold=True)).to_series()
    assert known.missing(hashes).tolist() == [False, True, False, False]
