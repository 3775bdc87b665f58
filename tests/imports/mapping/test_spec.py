"""A template's spec: strict, every fault named, the same after JSON and YAML, compared in words."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.mapping.spec import (
    BadSpec,
    Change,
    FieldSpec,
    as_json,
    diff,
    dump_yaml,
    from_mapping,
    load_yaml,
    parse,
)
from imports.mapping.step_parsing import STEPS
from portal.records.catalog import catalog
from portal.records.definitions import FieldType, Operation
from tests.imports.mapping.written import FULL, small, stepped
from tests.sizes import examples


def faults(data: Any) -> list[str]:
    with pytest.raises(BadSpec) as refused:
        parse(data)
    return refused.value.sentences


def yaml_faults(text: str) -> list[str]:
    with pytest.raises(BadSpec) as refused:
        load_yaml(text)
    return refused.value.sentences


def test_it_reads_a_full_spec_and_writes_the_same() -> None:
    spec = parse(FULL)
    assert spec.settings.operation is Operation.MIRROR
    assert spec.own_fields[0].type is FieldType.INTEGER
    assert as_json(spec) == FULL
    assert parse(json.loads(json.dumps(as_json(spec)))) == spec


def test_what_is_not_said_has_its_usual_value() -> None:
    spec = parse(small())
    assert (spec.reading.encoding, spec.reading.header_row, spec.reading.quote) == ("auto", 1, '"')
    assert (spec.settings.operation, spec.settings.blank, spec.settings.mail) == (None, None, False)
    assert spec.settings.unknown_columns == "warn"
    assert parse(as_json(spec)) == spec


def test_it_names_all_faults_at_once() -> None:
    assert faults(
        {
            "version": 2,
            "colums": [],
            "columns": ["A", "A", 7],
            "fields": {"Id": {"columns": ["Z"], "steps": [{"case": "lowr"}]}, "Name": {}},
            "reading": {"delimiter": "#", "header_row": -1},
            "settings": {"limits": {"removes": "ten"}, "mail": "yes"},
        }
    ) == [
        'spec: found the key "colums", expected one of version, reading, columns, fields,'
        " own_fields, settings",
        "version: found the number 2, expected 1",
        "columns[3]: found the number 7, expected a text (write it in quotes)",
        'columns: found "A" 2 times, expected each name once',
        'fields.Id.steps[1].case: found "lowr", expected one of upper, lower, title',
        "fields.Name: found neither columns nor a constant, expected one of them",
        'reading.delimiter: found "#", expected one of auto, ,, ;, tab, |, space, :, ^, ~',
        "reading.header_row: found the number -1, expected a whole number from 0 to 1,000",
        'settings.limits.removes: found "ten", expected a number of rows or a percentage such as'
        ' "10%"',
        'settings.mail: found "yes", expected true or false',
        'fields.Id.columns: found "Z", expected a name among `columns`',
    ]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"columns": ["A", "B"]}, "expected join or first_non_blank as first step"),
        (
            {"columns": ["A"], "steps": [{"trim": True}, {"join": ""}]},
            "a join after the first step",
        ),
        ({"columns": ["A", "A"], "steps": [{"join": ""}]}, "found a column twice"),
        ({"columns": ["A"], "constant": "x"}, "expected only a constant"),
        ({"constant": 3}, "found the number 3, expected a text"),
        ("A", 'found "A", expected a mapping'),
        ({"columns": "A"}, 'found "A", expected a list'),
        ({"columns": ["A"], "steps": {"trim": True}}, "found a mapping, expected a list"),
        ({"columns": ["A"], "default": "a\0b"}, "expected a text without NUL"),
        ({"columns": ["A"], "default": "\ud800"}, "without unpaired surrogates"),
    ],
)
def test_it_refuses_a_field_that_makes_no_sense(field: Any, expected: str) -> None:
    assert expected in "\n".join(faults(small(fields={"Id": field})))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("trim", 'found "trim", expected a mapping'),
        ({}, "found 0 keys, expected one step: join, first_non_blank, trim"),
        ({"trim": True, "case": "upper"}, "found 2 keys, expected one step"),
        ({"shout": True}, 'steps[1]: found "shout", expected one of join'),
        ({"trim": False}, "steps[1].trim: found false, expected true"),
        ({"replace": {"find": "", "with": ""}}, "replace.find"),
        ({"replace": {"find": "a"}}, "the key with is missing"),
        ({"replace": {"find": "(", "with": "", "regex": True}}, "a regular expression without"),
        ({"replace": {"find": "(?=a)", "with": "", "regex": True}}, "a regular expression without"),
        ({"replace": {"find": r"(a)\1", "with": "", "regex": True}}, "a regular expression"),
        ({"replace": {"find": "(a{900}){900}", "with": "", "regex": True}}, "of moderate size"),
        ({"replace": {"find": "a" * 501, "with": ""}}, "a text of 1 to 500 characters"),
        ({"replace": {"find": "a", "with": "b" * 101}}, "a text of 0 to 100 characters"),
        ({"split": {"on": ",", "part": 0}}, "expected 1 for the first, 2 ..., or -1"),
        ({"split": {"on": "", "part": 1}}, "split.on"),
        ({"part": {"from": 0}}, "part.from: found the number 0"),
        ({"part": {"from": True}}, "part.from: found true"),
        ({"part": {"from": 1, "length": 0}}, "part.length"),
        ({"pad": {"width": 10**9}}, "pad.width"),
        ({"pad": {"width": 3, "with": "ab"}}, "pad.with"),
        ({"number": {"decimal": ",", "thousands": ","}}, "a different sign from the decimal sign"),
        ({"date": {"formats": []}}, 'found none, expected one such as "%d.%m.%Y"'),
        ({"date": {"formats": ["%d.%m"]}}, "a year (%Y), a month (%m) and a day (%d)"),
        ({"date": {"formats": ["%Q %Y-%m-%d"]}}, "only the parts %Y"),
        ({"date": {"formats": ["%Y-%m-%d%"]}}, "only the parts %Y"),
        ({"date": {"formats": ["%Y %y-%m-%d"]}}, "each part once"),
        ({"date": {"formats": ["%Y-%m-%d %H"]}}, "a time as %H:%M or %I:%M %p"),
        ({"map": {"values": {"a": 1}}}, "map.values.a: found the number 1, expected a text"),
        ({"map": {"values": {1: "a"}}}, "a text as name (write it in quotes)"),
        ({"map": {"values": {str(i): "" for i in range(10_001)}}}, "found 10,001 entries"),
        ({"map": {"values": {}, "other": "drop"}}, "expected one of keep, blank, reject"),
        ({"lookup": {}}, "the key table is missing"),
        ({"lookup": {"table": "t", "other": "default"}}, "expected the text that an unknown key"),
        (
            {"lookup": {"table": "t", "default": "x"}},
            'expected "default", because a default is given',
        ),
        ({"lookup": {"table": "t", "column": ""}}, "lookup.column"),
    ],
)
def test_it_refuses_a_step_that_makes_no_sense(step: Any, expected: str) -> None:
    assert expected in "\n".join(faults(stepped(step)))


def test_it_refuses_steps_that_would_blow_a_text_up() -> None:
    longer = {"replace": {"find": ".", "with": "x" * 50, "regex": True}}
    assert "far too long" in faults(stepped(longer, longer))[0]
    assert parse(stepped(longer))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"name": "_x"}, "does not begin with _"),
        ({"name": " x"}, "without spaces at either end"),
        ({"name": "x", "type": "enum"}, "expected one of text"),
        ({"label": "x"}, "the key name is missing"),
    ],
)
def test_it_refuses_an_own_field_that_cannot_be(own: Any, expected: str) -> None:
    assert expected in faults(small(own_fields=[own]))[0]


@pytest.mark.parametrize("data", [None, [], "spec", 7, {"version": 1, "columns": 3, "fields": []}])
def test_what_is_no_spec_at_all_is_refused_in_words(data: Any) -> None:
    assert faults(data)


def test_a_million_faults_are_told_in_a_few() -> None:
    sentences = faults(small(columns=[1] * 1_000))
    assert len(sentences) == 201
    assert sentences[-1] == "and 801 more faults"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=examples(150))
@given(st.sampled_from(["reading", "columns", "fields", "own_fields", "settings"]), _JSON)
def test_any_part_is_read_or_refused(part: str, value: Any) -> None:
    try:
        assert parse(as_json(parse(small(**{part: value}))))
    except BadSpec as bad:
        assert bad.sentences


@settings(deadline=None, max_examples=examples(150))
@given(
    st.sampled_from(STEPS),
    st.dictionaries(
        st.sampled_from(
            ["find", "with", "regex", "on", "part", "from", "length", "width", "formats", "values"]
        ),
        _JSON,
    )
    | _JSON,
)
def test_any_step_is_read_or_refused(name: str, value: Any) -> None:
    try:
        assert parse(as_json(parse(stepped({name: value}))))
    except BadSpec as bad:
        assert bad.sentences


# --- YAML -------------------------------------------------------------------------------------


def test_yaml_keeps_everything() -> None:
    spec = parse(FULL)
    text = dump_yaml(spec, "Students: spring", "accounts", ["Users.csv", "Yes"])
    read = load_yaml(text)
    assert (read.name, read.feed, read.file_names) == (
        "Students: spring",
        "accounts",
        ("Users.csv", "Yes"),
    )
    assert read.spec == spec


def test_yaml_keeps_values_that_look_like_something_else() -> None:
    values = {"yes": "no", "1": "2.0", "2024-01-01": "null", "~": "=", "é😀": "a\n  b\t"}
    spec = parse(stepped({"map": {"values": values}}))
    assert load_yaml(dump_yaml(spec, "x", "accounts", ())).spec == spec


def test_yaml_names_all_faults_of_the_file_and_its_spec() -> None:
    sentences = yaml_faults(
        "name: 7\nspec: {version: 1, columns: [A], fields: {Id: {columns: [B]}}}"
    )
    assert sentences == [
        "template: the key feed is missing",
        "name: found the number 7, expected a text (write it in quotes)",
        'fields.Id.columns: found "B", expected a name among `columns`',
    ]


_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_BOMB, "line 1: found an anchor or alias"),
        ("name: *x", "anchor or alias"),
        ("name: !!python/object/apply:os.system [id]", "found the tag"),
        ("name: !!binary aGk=", "found the tag"),
        ("[" * 5_000, "levels, expected at most 20"),
        ("name: x\nname: y", 'line 1: found the key "name" is written 2 times'),
        ("name: [", "expected valid YAML"),
        ("name: a\x07b", "expected valid YAML"),
        ("name: 2024-13-45", "expected valid YAML"),
        ("{[a]: b}", "expected valid YAML"),
        ("a: 1\n--- \nb: 2", "expected valid YAML"),
        ("x" * 300_000, "found more than 262,144 bytes"),
        ("", "found nothing, expected a mapping"),
        ("just text", "expected a mapping"),
        ("name: " + "1" * 5_000, "expected"),
    ],
)
def test_hostile_or_broken_yaml_is_refused_in_words(text: str, expected: str) -> None:
    assert expected in "\n".join(yaml_faults(text))


@settings(deadline=None, max_examples=examples(150))
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@ \n\t1~?,", max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    assert yaml_faults(text)


# --- differences and drafts -------------------------------------------------------------------


def test_a_spec_does_not_differ_from_itself() -> None:
    assert diff(parse(FULL), parse(FULL)) == []


def test_differences_are_told_in_words() -> None:
    old, changed = parse(FULL), deepcopy(FULL)
    changed["reading"]["skip_rows"] = 0
    changed["columns"].append("New")
    changed["fields"]["Email"] = {"columns": ["Mail"], "steps": [{"case": "upper"}]}
    changed["fields"]["Sex"]["steps"][0]["map"]["values"]["F"] = "Woman"
    del changed["fields"]["Country"]
    changed["own_fields"] = []
    changed["settings"]["operation"] = None
    changed["settings"]["limits"] = {"removes": 7}
    changes = {change.path: change for change in diff(old, parse(changed))}
    assert changes["Lines skipped at the top"] == Change("Lines skipped at the top", "3", "0")
    assert changes["Columns of the sample"].after.endswith("Fee, New")
    assert changes['Field "Email"'].before == (
        '"Mail", "ID"; the first that is not blank; lower case; "(at)" replaced by "@"'
    )
    assert changes['Field "Email"'].after == '"Mail"; upper case'
    assert changes['Field "Sex", value "F"'] == Change('Field "Sex", value "F"', "Female", "Woman")
    assert changes['Field "Country"'] == Change('Field "Country"', 'always "MX"', "nothing")
    assert changes['Custom field "Locker"'].before == "integer Number of the locker"
    assert changes["Operation"] == Change("Operation", "mirror", "as the feed says")
    assert changes["Limits"] == Change("Limits", "creates 100, removes 5.5%", "removes 7")


def test_a_draft_has_the_columns_that_match_by_name_or_alias() -> None:
    feed = catalog().feed("accounts")
    header = ["EXTERNALID", " FirstName ", "Familienname", "email", "", "email"]
    spec = from_mapping(header, feed, catalog().record_type("accounts"))
    assert spec.columns == ("EXTERNALID", "FirstName", "Familienname", "email")
    assert dict(spec.fields) == {
        "PersonIdentifier": FieldSpec(columns=("EXTERNALID",)),
        "FirstName": FieldSpec(columns=("FirstName",)),
        "Email": FieldSpec(columns=("email",)),
    }
    assert parse(as_json(spec)) == spec


def test_a_draft_names_the_operation_column() -> None:
    feed = catalog().feed("beacon_connections")
    record_type = catalog().record_type(feed.record_type)
    spec = from_mapping(["ExternalID", "ACTION", "AdvisorID"], feed, record_type)
    assert spec.fields["Action"] == FieldSpec(columns=("ACTION",))
