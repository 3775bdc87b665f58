"""A template against a file: which columns feed which field, what is refused, what is held."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check.columns import ATTACHMENT_COLUMNS, ColumnMapping
from imports.check.validation import CheckedChunk, ReferenceSet, Validator
from imports.issues import Code, FileRefused
from imports.load.reading import FileSource
from imports.mapping.effective import applied, extended, unfit
from imports.mapping.matching import match
from imports.mapping.opening import opened
from imports.mapping.resolving import HoldNeeded, resolve
from imports.mapping.spec import Spec, from_mapping, parse
from imports.mapping.tables import Table
from imports.scan.scanner import record_hashes
from portal.records.catalog import catalog
from portal.records.definitions import (
    Blank,
    Feed,
    Field,
    FieldType,
    Operation,
    RecordType,
    RowOperation,
    Rule,
)
from tests.sizes import examples

PEOPLE = RecordType(
    name="people",
    pack="test",
    label="People",
    key=("Id",),
    fields=(
        Field(name="Id", required=True),
        Field(name="Name", required=True, max_length=20),
        Field(name="Email", type=FieldType.EMAIL),
        Field(name="Sex", type=FieldType.ENUM, values=("Female", "Male", "Unknown")),
        Field(name="Born", type=FieldType.DATE),
        Field(name="Left", type=FieldType.DATE),
        Field(name="Boss", references="people"),
        Field(name="Tags", many=True),
    ),
    rules=(Rule(kind="not_after", field="Born", other="Left"),),
)
FEED = Feed(
    name="people",
    pack="test",
    label="People",
    record_type="people",
    folders=("people",),
    file_name="people.csv",
    blank=Blank.CLEAR,
)
HEADER = ["ID", "First", "Last", "Mail", "Sex", "Born", "Extra"]
FIELDS: dict[str, Any] = {
    "Id": {"columns": ["ID"], "steps": [{"pad": {"width": 4}}]},
    "Name": {"columns": ["First", "Last"], "steps": [{"join": " "}]},
    "Email": {"columns": ["Mail"]},
    "Sex": {
        "columns": ["Sex"],
        "steps": [{"map": {"values": {"M": "Male", "F": "Female"}}}],
        "default": "Unknown",
    },
    "Born": {"columns": ["Born"], "steps": [{"date": {"formats": ["%d.%m.%Y"]}}]},
    "Tags": {"constant": "a; b"},
}


def spec(fields: Mapping[str, Any] = FIELDS, **parts: Any) -> Spec:
    return parse({"version": 1, "columns": HEADER, "fields": fields, **parts})


def resolved(header: list[str], template: Spec | None = None, feed: Feed = FEED) -> ColumnMapping:
    return resolve(template or spec(), header, feed, PEOPLE, {})


def refusal(header: list[str], template: Spec | None = None, feed: Feed = FEED) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        resolved(header, template, feed)
    return refused.value


def read(
    text: str, template: Spec, feed: Feed = FEED, record_type: RecordType = PEOPLE
) -> CheckedChunk:
    """The file's only chunk, checked with the template."""
    file = io.BytesIO(text.encode())
    dialect, mapping = opened(file, len(text.encode()), feed, record_type, template)
    source = FileSource(file, len(text.encode()), dialect, mapping)
    (chunk,) = source.chunks()
    validator = Validator(
        mapping,
        applied(template, feed),
        extended(record_type, template.own_fields),
        catalog().record_type,
        {"people": ReferenceSet.of([], fold=True)},
        dialect.delimiter,
        dialect.quote,
    )
    hashes = record_hashes(chunk, source.layout)
    return validator.check(chunk.data, chunk.lines, hashes, lambda at: f"raw {at}".encode())


def documents(checked: CheckedChunk) -> list[dict[str, Any]]:
    return [json.loads(text) for text in checked.good["data"]]


def issues(checked: CheckedChunk) -> list[tuple[int | None, str | None, str, str]]:
    every = [issue for batch in checked.issues for issue in batch.issues()]
    return [(issue.line, issue.column, issue.code.value, issue.value) for issue in every]


def sentences(checked: CheckedChunk) -> list[str]:
    return [issue.message for batch in checked.issues for issue in batch.issues()]


def csv(*rows: str) -> str:
    return "\n".join((",".join(HEADER), *rows)) + "\n"


# --- what is stored and what is told ----------------------------------------------------------


def test_rows_are_stored_as_the_template_says() -> None:
    checked = read(csv("7,Ada,King,ADA@x.org,F,24.8.2026,z", "12,Bo,,,,,"), spec())
    assert documents(checked) == [
        {
            "Id": "0007",
            "Name": "Ada King",
            "Email": "ADA@x.org",
            "Sex": "Female",
            "Born": "2026-08-24",
            "Tags": ["a", "b"],
        },
        {
            "Id": "0012",
            "Name": "Bo",
            "Email": None,
            "Sex": "Unknown",
            "Born": None,
            "Tags": ["a", "b"],
        },
    ]
    assert checked.good["key"].to_list() == ["0007", "0012"]
    assert checked.issues == ()


def test_each_fault_is_told_once_with_the_files_columns_and_cells() -> None:
    checked = read(csv(",,,nobody,X,31.2.2026,", "1,Ada Augusta,King of Lovelace,,F,,"), spec())
    assert sorted(issues(checked), key=str) == [
        (2, "Born", "not_a_date", "31.2.2026"),
        (2, "First, Last", "required", ""),
        (2, "ID", "required", ""),
        (2, "Mail", "not_an_email", "nobody"),
        (2, "Sex", "not_in_list", "X"),
        (3, "First, Last", "too_long", "Ada Augusta, King of Lovelace"),
    ]
    assert checked.rejected.tolist() == [0, 1]
    assert '"Born" is "31.2.2026". Expected a date that exists, written as 24.08.2026.' in (
        sentences(checked)
    )


def test_a_value_that_could_not_be_read_is_not_called_blank_too() -> None:
    fields = {**FIELDS, "Id": {"columns": ["ID"], "steps": [{"number": {}}], "default": "5"}}
    checked = read(csv("x1,Ada,,,,,"), spec(fields))
    assert issues(checked) == [(2, "ID", "not_a_number", "x1")]


def test_a_rule_across_fields_sees_what_the_steps_made() -> None:
    fields = {
        **FIELDS,
        "Left": {"columns": ["Extra"], "steps": [{"date": {"formats": ["%d.%m.%Y"]}}]},
    }
    checked = read(csv("1,Ada,,,,2.1.2026,1.1.2026", "2,Bo,,,,2.1.2026,3.1.2026"), spec(fields))
    assert issues(checked) == [(2, "Born", "after", "2.1.2026")]
    assert 'later than "Extra", which is "1.1.2026"' in sentences(checked)[0]


def test_one_column_may_feed_several_fields() -> None:
    fields = {"Id": {"columns": ["ID"]}, "Name": {"columns": ["ID"]}, "Boss": {"columns": ["ID"]}}
    checked = read(csv("7,,,,,,"), spec(fields))
    assert documents(checked) == [{"Id": "7", "Name": "7", "Boss": "7"}]
    assert "self:Boss" in checked.good.columns


def test_all_may_be_constant_but_the_key() -> None:
    fields = {"Id": {"columns": ["ID"], "steps": [{"trim": True}]}, "Name": {"constant": "x"}}
    checked = read(csv("7,,,,,,", "8,,,,,,"), spec(fields))
    assert documents(checked) == [{"Name": "x", "Id": "7"}, {"Name": "x", "Id": "8"}]


def test_a_constant_that_cannot_be_rejects_every_row_under_the_fields_name() -> None:
    fields = {**FIELDS, "Email": {"constant": "nobody"}}
    rejected = issues(read(csv("1,Ada,,,,,"), spec(fields)))
    assert rejected == [(2, "Email", "not_an_email", "nobody")]


def test_an_own_field_is_stored_in_the_document() -> None:
    template = spec(
        {**FIELDS, "Locker": {"columns": ["Extra"]}},
        own_fields=[{"name": "Locker", "type": "integer"}],
    )
    feed = replace(FEED, columns=tuple(field.name for field in PEOPLE.fields))
    checked = read(csv("1,Ada,,,,,17", "2,Bo,,,,,x"), template, feed)
    assert [document["Locker"] for document in documents(checked)] == [17]
    assert issues(checked) == [(3, "Extra", "not_a_number", "x")]


@pytest.mark.parametrize(
    ("blank", "sex"),
    [(None, {"Sex": "Unknown"}), ("default", {"Sex": "Unknown"}), ("clear", {"Sex": None})],
)
def test_a_blank_optional_cell_takes_the_default_unless_the_template_clears(
    blank: str | None, sex: dict[str, Any]
) -> None:
    fields = {name: FIELDS[name] for name in ("Id", "Name", "Sex")}
    (document,) = documents(read(csv("1,Ada,,,,,"), spec(fields, settings={"blank": blank})))
    assert {name: document[name] for name in sex} == sex


def test_blank_cells_that_keep_leave_no_member() -> None:
    (document,) = documents(read(csv("1,Ada,,,,,"), spec(settings={"blank": "keep"})))
    assert set(document) == {"Id", "Name", "Tags"}


def test_a_required_field_takes_its_default_whatever_blank_cells_mean() -> None:
    fields = {**FIELDS, "Name": {"columns": ["First"], "default": "Nobody"}}
    checked = read(csv("1,,,,,,"), spec(fields, settings={"blank": "keep"}))
    assert documents(checked)[0]["Name"] == "Nobody"


def test_a_file_without_a_header_has_numbered_columns() -> None:
    template = parse(
        {
            "version": 1,
            "reading": {"header_row": 0, "skip_rows": 1, "skip_last": 1, "quote": "none"},
            "columns": ["Column 1", "Column 2"],
            "fields": {"Id": {"columns": ["Column 1"]}, "Name": {"columns": ["Column 2"]}},
        }
    )
    checked = read('Export of "today\n7,5" tall\n\n8,Bo\nTotal: 2\n', template)
    assert documents(checked) == [{"Id": "7", "Name": '5" tall'}, {"Id": "8", "Name": "Bo"}]
    assert checked.good["line"].to_list() == [2, 4]


def test_single_quotes_are_read_if_the_template_says_so() -> None:
    template = spec(reading={"quote": "'"})
    checked = read(csv("1,'Ada, ''A''','K\nL',,,,", '2,"Bo",,,,,'), template)
    assert [document["Name"] for document in documents(checked)] == ["Ada, 'A' K\nL", '"Bo"']
    assert checked.good["line"].to_list() == [2, 4]


def test_an_error_attachment_is_read_as_we_wrote_it() -> None:
    template = spec(reading={"quote": "none", "skip_rows": 5, "header_row": 0, "delimiter": ";"})
    report = "_line,_column,_code,_error"
    text = f'{",".join(HEADER)},{report}\n7,"Ada, A.",\'=K,,,,,2,ID,x,y\n'
    assert documents(read(text, template))[0]["Name"] == "Ada, A. =K"


# --- the header -------------------------------------------------------------------------------


def test_columns_match_exactly_and_then_without_case() -> None:
    mapping = resolved(["mail", " ID ", "FIRST", "last", "Sex", "Born", "extra"])
    assert mapping.columns == ((0, PEOPLE.field("Email")),)
    by_name = {field.field.name: field for field in mapping.computed}
    assert by_name["Name"].positions == (2, 3)
    assert by_name["Name"].header == "FIRST, last"
    assert by_name["Tags"].positions == ()
    assert (mapping.ignored, mapping.warnings, mapping.reasons) == ((), (), ())


def test_a_missing_column_is_refused_with_what_is_near() -> None:
    refused = refusal(["ID", "First", "Surname", "E-Mail", "Sex", "Born"])
    assert not isinstance(refused, HoldNeeded)
    assert [(issue.code, issue.column, issue.value) for issue in refused.issues] == [
        (Code.MISSING_COLUMN, "Last", ""),
        (Code.MISSING_COLUMN, "Mail", "E-Mail"),
    ]
    assert refused.issues[1].message == (
        'The column "Mail" is missing, which the template uses for "Email". The file '
        'has "E-Mail": rename it, or correct the template.'
    )


def test_a_missing_column_holds_the_file_where_the_template_says_so() -> None:
    refused = refusal(["ID"], spec(settings={"missing_columns": "hold"}))
    assert isinstance(refused, HoldNeeded)
    assert len(refused.reasons) == 5


def test_a_column_of_the_sample_that_feeds_nothing_may_be_missing_or_there() -> None:
    assert resolved(HEADER[:-1]).warnings == ()
    assert resolved(HEADER).warnings == ()


@pytest.mark.parametrize(
    ("rule", "warned", "held"), [("ignore", 0, False), ("warn", 2, False), ("hold", 2, True)]
)
def test_unknown_columns_are_ignored_told_or_held(rule: str, warned: int, held: bool) -> None:
    mapping = resolved([*HEADER[:-1], "Extras", "New"], spec(settings={"unknown_columns": rule}))
    assert mapping.ignored == ("Extras", "New")
    assert len(mapping.warnings) == warned
    assert bool(mapping.reasons) is held
    if held:
        assert mapping.reasons[0].endswith('are not in the template: "Extras", "New".')
        assert mapping.warnings[0].message.endswith('Did you mean "Extra"?')


def test_two_columns_of_one_name_are_refused() -> None:
    assert [issue.code for issue in refusal([*HEADER, "mail"]).issues] == [Code.DUPLICATE_COLUMN]


def test_a_repeated_column_that_the_template_was_made_with_is_known_by_its_number() -> None:
    header = [*HEADER, "mail"]
    mapping = resolved(header, spec(columns=[*HEADER, "mail (2)"]))
    assert mapping.header[-1] == "mail (2)"
    assert mapping.as_written == tuple(header)
    assert mapping.warnings == ()


def test_the_columns_of_an_error_attachment_are_ours() -> None:
    mapping = resolved([*HEADER, *ATTACHMENT_COLUMNS])
    assert (mapping.neutralised, mapping.warnings) == (True, ())


# --- the feed and the type --------------------------------------------------------------------


def test_a_spec_that_does_not_fit_is_refused_with_all_reasons() -> None:
    template = spec(
        {
            "Id": {"columns": ["ID"], "steps": [{"lookup": {"table": "ids"}}]},
            "Colour": {"constant": "red"},
        },
        own_fields=[{"name": "email"}],
        settings={"absent_scope": "School"},
    )
    assert list(map(str, unfit(template, FEED, PEOPLE, {}))) == [
        'The custom field "email" has the name of an existing field. Rename it.',
        'The template fills the field "Colour", which "People" does not have.',
        'The template has no column for the required field "Name". Map a column to it.',
        '"Id" needs the look-up table "ids", which does not exist.',
        '`absent_scope` names "School", which is not a field of "People".',
    ]
    assert {issue.code for issue in refusal(HEADER, template).issues} == {Code.BAD_TEMPLATE}


@pytest.mark.parametrize("operation", ["remove", "update_only"])
def test_the_key_is_enough_to_remove_or_to_update(operation: str) -> None:
    template = spec({"Id": {"columns": ["ID"]}}, settings={"operation": operation})
    checked = read(csv("7,,,,,,"), template)
    assert checked.good["operation"].to_list() == [operation]
    assert unfit(spec({"Id": {"columns": ["ID"]}}), FEED, PEOPLE) != []


def test_the_operation_column_may_have_another_name_or_none() -> None:
    rule = RowOperation(
        column="Action",
        values={"x": Operation.REMOVE, "": Operation.UPSERT},
        blank=Operation.UPSERT,
    )
    feed = replace(FEED, row_operation=rule)
    assert refusal(HEADER, feed=feed).issues[0].column == "Action"
    assert resolved([*HEADER, "ACTION"], feed=feed).operation_column == 7
    named = spec({**FIELDS, "Action": {"columns": ["Extra"]}})
    assert resolved(HEADER, named, feed).operation_column == 6
    checked = read(csv("7,Ada,,,,,x", "8,Bo,,,,,"), named, feed)
    assert checked.good["operation"].to_list() == ["remove", "upsert"]
    whole = spec(settings={"operation": "add_only"})
    assert resolved(HEADER, whole, feed).operation_column is None


def test_what_a_row_does_may_be_made_by_steps() -> None:
    rule = RowOperation(
        column="Action", values={"d": Operation.REMOVE, "a": Operation.UPSERT}, blank=None
    )
    feed = replace(FEED, row_operation=rule)
    steps = [{"map": {"values": {"gone": "D", "here": "A", "odd": "Z"}}}]
    template = spec({**FIELDS, "Action": {"columns": ["Extra"], "steps": steps}})
    checked = read(
        csv("1,,,,,,gone", "2,Bo,,,,,here", "3,Cy,,,,,x", "4,Di,,,,,", "5,Ed,,,,,odd"),
        template,
        feed,
    )
    assert checked.good["operation"].to_list() == ["remove", "upsert"]
    assert issues(checked) == [
        (4, "Extra", "not_in_list", "x"),
        (6, "Extra", "not_in_list", "odd"),
        (5, "Extra", "required", ""),
    ]
    always = spec({**FIELDS, "Action": {"constant": "a"}})
    assert read(csv("1,Ada,,,,,"), always, feed).good["operation"].to_list() == ["upsert"]


def test_a_strict_feed_takes_any_order_from_a_template() -> None:
    assert resolved(HEADER[::-1], feed=replace(FEED, header_strict=True)).columns


def table(value: str, **more: Any) -> Table:
    return Table(columns=("key", "value"), rows=(("1", value),), **more)


def test_a_look_up_needs_its_table_and_its_column() -> None:
    def of(**step: Any) -> Spec:
        steps = [{"lookup": {"table": "t", **step}}]
        return spec({**FIELDS, "Id": {"columns": ["ID"], "steps": steps}})

    columns = {"t": ("key", "value")}
    assert unfit(of(), FEED, PEOPLE, columns) == unfit(of(column="value"), FEED, PEOPLE, columns)
    assert unfit(of(), FEED, PEOPLE, columns) == []
    assert list(map(str, unfit(of(column="key"), FEED, PEOPLE, columns))) == [
        '"Id" needs the column "key" of the look-up table "t", which has "value".'
    ]


def test_the_fingerprint_changes_with_the_spec_and_its_tables_only() -> None:
    lookup = {**FIELDS, "Id": {"columns": ["ID"], "steps": [{"lookup": {"table": "t"}}]}}
    prints = [
        resolved(HEADER).fingerprint,
        resolved(HEADER[::-1]).fingerprint,
        resolved(HEADER, spec(settings={"blank": "keep"})).fingerprint,
        resolved(HEADER, spec({**FIELDS, "Tags": {"constant": "c"}})).fingerprint,
        resolve(spec(lookup), HEADER, FEED, PEOPLE, {"t": table("2")}).fingerprint,
        resolve(spec(lookup), HEADER, FEED, PEOPLE, {"t": table("3")}).fingerprint,
        resolve(spec(lookup), HEADER, FEED, PEOPLE, {"t": table("3", fold=True)}).fingerprint,
    ]
    others = {"t": table("2", number=7), "unused": table("9")}
    assert resolve(spec(lookup), HEADER, FEED, PEOPLE, others).fingerprint == prints[4]
    assert len(set(prints)) == len(prints)
    assert resolved(HEADER, spec(dict(reversed(FIELDS.items())))).fingerprint == prints[0]


@pytest.mark.parametrize("name", [feed.name for feed in catalog().feeds()])
def test_a_draft_of_each_feeds_own_header_maps_as_the_names_do(name: str) -> None:
    feed = catalog().feed(name)
    record_type = catalog().record_type(feed.record_type)
    header = list(feed.columns) or [field.name for field in record_type.fields]
    if feed.row_operation is not None and feed.row_operation.column not in header:
        header.append(feed.row_operation.column)
    draft = from_mapping(header, feed, record_type)
    mapping = resolve(draft, header, feed, record_type, {})
    plain = match(header, feed, record_type)
    assert (mapping.columns, mapping.operation_column) == (plain.columns, plain.operation_column)
    assert mapping.computed == ()


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_header_is_resolved_or_refused(header: list[str]) -> None:
    for names in (header, [*HEADER, *header]):
        try:
            mapping = resolved(names)
        except FileRefused as refused:
            assert refused.issues
        else:
            assert len(mapping.columns) + len(mapping.computed) == len(FIELDS)


_ROW = st.lists(
    st.text(alphabet="aA0.1,@ '\"éN", max_size=8), min_size=len(HEADER), max_size=len(HEADER)
)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(_ROW, min_size=1, max_size=8))
def test_every_row_is_good_or_rejected_with_an_issue(rows: list[list[str]]) -> None:
    quoted = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    checked = read(csv(*quoted), spec())
    rejected = {line for line, *_ in issues(checked)}
    filled = sum(any(cell.strip() for cell in row) for row in rows)
    assert len(checked.good) + len(checked.rejected) == filled
    assert rejected == {at + 2 for at in checked.rejected.tolist()}
