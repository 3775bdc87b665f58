"""The header against the feed: what is matched, what is ignored, what refuses the file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check.columns import ColumnMapping, numbered
from imports.issues import Code, FileRefused, Severity
from imports.mapping.matching import match
from portal.records.catalog import catalog
from tests.sizes import examples

ACCOUNTS = ["PersonIdentifier", "FirstName", "LastName", "Email"]
ENGAGE = ["Action", "Username", "FirstName", "LastName", "CampusEmail"]
ATTACHMENT = ["_line", "_column", "_code", "_error"]


def matched(header: list[str], feed: str = "accounts") -> ColumnMapping:
    chosen = catalog().feed(feed)
    return match(header, chosen, catalog().record_type(chosen.record_type))


def refusal(header: list[str], feed: str = "accounts") -> list[tuple[Code, str]]:
    with pytest.raises(FileRefused) as refused:
        matched(header, feed)
    return [(issue.code, issue.message) for issue in refused.value.issues]


def columns(mapping: ColumnMapping) -> list[tuple[int, str]]:
    return [(position, field.name) for position, field in mapping.columns]


def test_it_matches_the_exact_header() -> None:
    mapping = matched(ACCOUNTS)
    assert columns(mapping) == list(enumerate(ACCOUNTS))
    assert mapping.header == tuple(ACCOUNTS)
    assert (mapping.ignored, mapping.warnings, mapping.neutralised) == ((), (), False)


def test_order_case_and_surrounding_blanks_do_not_matter() -> None:
    mapping = matched(["email ", "LASTNAME", " FirstName", "personidentifier"])
    assert columns(mapping) == [
        (0, "Email"),
        (1, "LastName"),
        (2, "FirstName"),
        (3, "PersonIdentifier"),
    ]


@pytest.mark.parametrize("older", ["ExternalId", "ExternalID"])
def test_it_takes_an_older_header_name(older: str) -> None:
    assert columns(matched([older, *ACCOUNTS[1:]]))[0] == (0, "PersonIdentifier")


def test_a_name_goes_before_an_alias() -> None:
    mapping = matched(["ExternalId", *ACCOUNTS])
    assert columns(mapping) == [(i + 1, name) for i, name in enumerate(ACCOUNTS)]
    assert mapping.ignored == ("ExternalId",)


def test_an_unknown_column_is_ignored_with_a_warning_and_what_is_near() -> None:
    mapping = matched(
        ["TermIdentifier", "Name", "BeginDate", "EndDate", "ParentIdentifier", "Type", "Colour"],
        "academic_terms",
    )
    assert mapping.ignored == ("Colour",)
    (warning,) = mapping.warnings
    assert (warning.code, warning.severity) == (Code.UNKNOWN_COLUMN, Severity.WARNING)
    assert (warning.column, warning.value) == ("Colour", "Colour")
    assert warning.message == 'The column "Colour" is unknown and was ignored.'
    header = ["PersonIdentifier", "SectionIdentifier", "Rolle"]
    (near,) = matched(header, "instructors").warnings
    assert near.message.endswith('Did you mean "Role"?')


def test_it_names_every_missing_column_and_what_is_near() -> None:
    assert refusal(["Person Identifer", "FirstName", "Mail"]) == [
        (
            Code.MISSING_COLUMN,
            'The column "PersonIdentifier" is missing. The file has "Person Identifer": rename it.',
        ),
        (
            Code.MISSING_COLUMN,
            'The column "LastName" is missing. Add it with exactly this spelling.',
        ),
        (Code.MISSING_COLUMN, 'The column "Email" is missing. The file has "Mail": rename it.'),
    ]


def renamed(header: list[str], feed: str = "accounts") -> dict[str, str]:
    """Missing column to the file's that it is advised to rename; "" where to add one."""
    with pytest.raises(FileRefused) as refused:
        matched(header, feed)
    return {issue.column or "": issue.value for issue in refused.value.issues}


def test_one_column_is_never_to_be_renamed_to_two() -> None:
    header = ["Section Identifer", "Term", "CourseIdentifier", "Title"]
    assert renamed(header, "sections") == {
        "SectionIdentifier": "Section Identifer",
        "TermIdentifier": "Term",
        "Number": "",
        "BeginDate": "",
        "EndDate": "",
        "DeliveryMode": "",
    }


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["PersonIdentifier", "Surname", "Email"], {"FirstName": "", "LastName": "Surname"}),
        (["PersonIdentifier", "LastName", "Surname", "Email"], {"FirstName": ""}),
        (["PersonIdentifier", "LastName", "Preferred Name", "Email"], {"FirstName": ""}),
        (["PersonIdentifier", "FirstName", "Family name", "e-mail"],
         {"LastName": "Family name", "Email": "e-mail"}),
        (["Persn Identifier", "Given name", "Family name", "Mail"],
         {"PersonIdentifier": "Persn Identifier", "FirstName": "Given name",
          "LastName": "Family name", "Email": "Mail"}),
        (["PersonIdentifier", "FirstName", "LastName", "Telephone"], {"Email": ""}),
    ],
)  # fmt: skip
def test_a_column_that_means_another_field_is_not_to_be_renamed(
    header: list[str], expected: dict[str, str]
) -> None:
    assert renamed(header) == expected


def test_the_columns_that_nothing_takes_are_named_once() -> None:
    messages = [message for _, message in refusal(["Colour", "Shoe", "FirstName"])]
    assert messages[0] == (
        'The column "PersonIdentifier" is missing. Add it with exactly this spelling.'
        ' Of the file\'s columns nothing takes "Colour", "Shoe".'
    )
    assert not any("nothing takes" in message for message in messages[1:])


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["Section Identifer", "Term", "Term Id", "Course", "CourseIdentifer", "Begin", "Start",
             "Start Date", "EndDat", "Mode", "Delivery", "Number", "Sec No", "Surname", "Foo"]
        ),
        unique=True,
    )
)  # fmt: skip
def test_no_column_of_any_header_is_advised_twice(header: list[str]) -> None:
    advised = [column for column in renamed([*header, "Zzz"], "sections").values() if column]
    assert len(advised) == len(set(advised))


def test_no_two_unknown_columns_are_said_to_mean_the_same() -> None:
    header = ["PersonIdentifier", "SectionIdentifier", "Rolle", "Roles"]
    warnings = matched(header, "instructors").warnings
    assert sum('Did you mean "Role"?' in warning.message for warning in warnings) == 1


def test_a_column_whose_cells_may_be_blank_must_still_be_there() -> None:
    header = ["OrgUnitIdentifier", "Name", "Type"]
    assert refusal(header, "org_units") == [
        (
            Code.MISSING_COLUMN,
            'The column "ParentIdentifier" is missing. Add it with exactly this spelling.',
        )
    ]


def test_columns_that_need_no_header_may_be_absent() -> None:
    assert len(matched(["PersonIdentifier", "SectionIdentifier"], "instructors").columns) == 2


def test_a_feed_reads_its_own_columns_only() -> None:
    mapping = matched(["PersonIdentifier", "SectionIdentifier", "Role"], "remove_instructors")
    assert columns(mapping) == [(0, "PersonIdentifier"), (1, "SectionIdentifier")]
    assert mapping.ignored == ("Role",)


def test_it_refuses_columns_that_are_there_twice() -> None:
    refusals = refusal([*ACCOUNTS, "email", "Extra", "extra"])
    assert [code for code, _ in refusals] == [Code.DUPLICATE_COLUMN] * 2
    assert refusals[0][1] == (
        'The column "Email" appears 2 times (case is ignored). Keep one of them.'
    )


def test_it_refuses_a_nameless_column_in_the_middle() -> None:
    assert refusal(["PersonIdentifier", " ", *ACCOUNTS[1:]]) == [
        (
            Code.UNREADABLE_HEADER,
            "Column 2 has no name in the header. Name it, or remove the column.",
        )
    ]


@pytest.mark.parametrize("header", [[], [""], ["", " "]])
def test_it_refuses_a_header_without_names(header: list[str]) -> None:
    assert refusal(header) == [(Code.UNREADABLE_HEADER, "The header has no column names.")]


def test_nameless_columns_at_the_end_are_ignored_with_a_warning() -> None:
    mapping = matched([*ACCOUNTS, "", ""])
    assert len(mapping.header) == 6
    (warning,) = mapping.warnings
    assert warning.message == "Ignored at the end because they have no name: 2 columns."


def test_an_error_attachment_imports_as_it_is() -> None:
    mapping = matched([*ACCOUNTS, *ATTACHMENT])
    assert mapping.neutralised
    assert (mapping.ignored, mapping.warnings) == ((), ())
    assert len(mapping.columns) == 4


def test_some_columns_of_an_attachment_do_not_make_one() -> None:
    mapping = matched([*ACCOUNTS, "_line", "_error"])
    assert not mapping.neutralised
    assert mapping.ignored == ("_line", "_error")


def test_the_operation_column_has_its_place() -> None:
    mapping = matched(["ExternalID", "action", "AdvisorID"], "beacon_connections")
    assert mapping.operation_column == 1
    assert columns(mapping) == [(0, "ExternalID"), (2, "AdvisorID")]


def test_the_operation_column_must_be_there() -> None:
    assert refusal(["ExternalID", "AdvisorID"], "beacon_connections") == [
        (Code.MISSING_COLUMN, 'The column "Action" is missing. Add it with exactly this spelling.')
    ]


def test_a_strict_header_must_keep_its_order() -> None:
    assert matched(ENGAGE, "engage_users").operation_column == 0
    ((code, message),) = refusal([*ENGAGE[1:], "Action"], "engage_users")
    assert code is Code.WRONG_COLUMN_ORDER
    assert message == (
        "The columns are in the wrong order: found Username, FirstName, LastName, CampusEmail,"
        " Action; expected Action, Username, FirstName, LastName, CampusEmail."
        " Put them in this order."
    )


def test_the_fingerprint_changes_with_header_definitions_and_mapping() -> None:
    feed, record_type = catalog().feed("accounts"), catalog().record_type("accounts")
    changed_field = replace(record_type.fields[1], max_length=10)
    fields = (record_type.fields[0], changed_field, *record_type.fields[2:])
    prints = [
        match(ACCOUNTS, feed, record_type).fingerprint,
        match([*ACCOUNTS, "X"], feed, record_type).fingerprint,
        match(ACCOUNTS[::-1], feed, record_type).fingerprint,
        match([*ACCOUNTS[:3], "email"], feed, record_type).fingerprint,
        match(ACCOUNTS, replace(feed, version=2), record_type).fingerprint,
        match(ACCOUNTS, replace(feed, name="other"), record_type).fingerprint,
        match(ACCOUNTS, feed, replace(record_type, version=2)).fingerprint,
        match(ACCOUNTS, feed, replace(record_type, fields=fields)).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert all(0 <= value < 2**64 for value in prints)
    assert match(ACCOUNTS, feed, record_type).fingerprint == prints[0]


def test_a_huge_header_is_answered_in_words() -> None:
    refusals = refusal([f"c{i}" + "x" * 5_000 for i in range(500)])
    assert [code for code, _ in refusals] == [Code.MISSING_COLUMN] * 4
    assert all(len(message) < 1_000 for _, message in refusals)


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_header_is_mapped_or_refused(header: list[str]) -> None:
    try:
        mapping = matched([*header, *ACCOUNTS])
    except FileRefused as refused:
        assert refused.issues
    else:
        assert len(mapping.columns) + len(mapping.ignored) == len(mapping.header)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["Size", "size", " SIZE "], ["Size", "size (2)", "SIZE (3)"]),
        (["Size", "Size (2)", "Size"], ["Size", "Size (2)", "Size (3)"]),
        (["a", "", "b", " "], ["a", "Column 2", "b", " "]),
        (["Column 2", "", "b"], ["Column 2", "Column 2 (2)", "b"]),
        (["", ""], ["", ""]),
    ],
)
def test_names_that_are_there_again_get_a_number(header: list[str], names: list[str]) -> None:
    assert numbered(header) == names


@pytest.mark.parametrize(
    "name", ["\u200bPersonIdentifier", "Person\u00adIdentifier", "\ufeffPERSONIDENTIFIER\u00a0"]
)
def test_what_nobody_sees_in_a_header_does_not_count(name: str) -> None:
    feed = catalog().feed("accounts")
    header = [name, "FirstName", "LastName", "Email"]
    mapping = match(header, feed, catalog().record_type("accounts"))
    assert mapping.columns[0][1].name == "PersonIdentifier"
    assert mapping.warnings == ()


def test_a_message_shows_what_nobody_sees_in_a_header() -> None:
    feed = catalog().feed("accounts")
    header = ["PersonIdentifier", "First\u2060Name2", "LastName", "Email"]
    with pytest.raises(FileRefused) as refusal:
        match(header, feed, catalog().record_type("accounts"))
    assert 'The file has "FirstU+2060Name2"' in str(refusal.value)


def test_a_column_that_holds_only_what_nobody_sees_has_no_name() -> None:
    feed = catalog().feed("accounts")
    header = ["PersonIdentifier", "FirstName", "LastName", "Email", "\u200b"]
    mapping = match(header, feed, catalog().record_type("accounts"))
    assert [issue.message for issue in mapping.warnings] == [
        "Ignored at the end because they have no name: 1 column."
    ]
