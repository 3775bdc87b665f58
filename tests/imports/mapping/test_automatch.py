"""Columns find their fields by name, by values and by what was done before."""

from __future__ import annotations

import re
import string
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.mapping.assignment import assign
from imports.mapping.automatch import (
    Suggestion,
    normal_form,
    suggest,
    targets_of,
    unmapped_required,
    value_map,
)
from portal.records.catalog import catalog
from portal.records.definitions import Field, FieldType
from tests.sizes import examples

SPELLINGS: dict[str, dict[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("spellings.yaml").read_text("utf-8")
)
# Events are written by programs that know the names; their other columns have any.
FEEDS = [feed.name for feed in catalog().feeds() if not feed.keep_unknown]
SYSTEMS = range(8)


def suggested(
    feed: str,
    header: list[str],
    rows: list[list[str]] | None = None,
    learned: dict[str, dict[str, int]] | None = None,
    shared: dict[str, dict[str, int]] | None = None,
) -> list[Suggestion]:
    chosen = catalog().feed(feed)
    record_type = catalog().record_type(chosen.record_type)
    return suggest(header, rows or [], chosen, record_type, learned or {}, shared or {})


def fields(suggestions: list[Suggestion]) -> list[str | None]:
    return [suggestion.field for suggestion in suggestions]


def targets(feed: str) -> list[Field]:
    chosen = catalog().feed(feed)
    return targets_of(chosen, catalog().record_type(chosen.record_type))


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d)", "_", name).lower()


WRITTEN = {
    "as it is": str,
    "snake_case": snake,
    "upper case": str.upper,
    "blanks": lambda name: snake(name).replace("_", " ").title(),
    "dots and noise": lambda name: f" {snake(name).replace('_', '.')}: ",
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("feed", FEEDS)
def test_every_pack_header_finds_its_field(feed: str, written: str) -> None:
    names = [field.name for field in targets(feed)]
    assert fields(suggested(feed, [WRITTEN[written](name) for name in names])) == names


@pytest.mark.parametrize("feed", FEEDS)
def test_the_samples_of_the_packs_do_not_lead_astray(feed: str) -> None:
    possible = targets(feed)
    names = [field.name for field in possible]
    assert fields(suggested(feed, names, [[field.sample for field in possible]] * 3)) == names


def test_the_table_has_five_spellings_of_each_required_field() -> None:
    assert SPELLINGS.keys() == set(FEEDS)
    for feed in FEEDS:
        required = {field.name for field in targets(feed) if field.required}
        assert required <= SPELLINGS[feed].keys() | {"Action"}
        for spellings in SPELLINGS[feed].values():
            assert len({*map(normal_form, spellings)}) >= 5
            assert len(spellings) == len(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("feed", FEEDS)
def test_the_header_of_a_real_system_finds_the_required_fields(feed: str, system: int) -> None:
    header = [spellings[system] for spellings in SPELLINGS[feed].values()]
    assert fields(suggested(feed, header)) == list(SPELLINGS[feed])


@pytest.mark.parametrize("feed", FEEDS)
def test_each_spelling_finds_its_field_alone(feed: str) -> None:
    suggestions = {
        (name, spelling): suggested(feed, [spelling])[0].field
        for name, spellings in SPELLINGS[feed].items()
        for spelling in spellings
    }
    assert {key: field for key, field in suggestions.items() if field != key[0]} == {}


def test_it_says_why_and_how_sure_and_shows_three_values() -> None:
    rows = [["00012345", "Ada"], ["00012346", "Ada"], ["00012347", "Emmy"], ["00012348", "Lise"]]
    first, second = suggested("accounts", ["PersonIdentifier", "Vorname"], rows)
    assert (first.confidence, first.reason, first.samples) == (
        1.0,
        "The same name.",
        ("00012345", "00012346", "00012347"),
    )
    assert 0.8 <= second.confidence < 1
    assert second.samples == ("Ada", "Emmy", "Lise")


def test_a_misspelled_name_is_found() -> None:
    assert fields(suggested("accounts", ["PersonIdentifer", "FristName", "LastNme", "Emial"])) == [
        "PersonIdentifier",
        "FirstName",
        "LastName",
        "Email",
    ]


def test_values_tell_where_the_name_does_not() -> None:
    rows = [["1", "ada@example.edu", "Enrolled"], ["2", "emmy@example.edu", "Dropped"]]
    by_value = suggested("enrollments", ["Spalte 1", "Spalte 2", "Spalte 3"], rows)
    assert fields(by_value) == [None, "Email", "Status"]
    assert by_value[1].reason == "Its values look like e-mail addresses."


def test_values_speak_against_a_name() -> None:
    rows = [["2026-08-24"], ["2026-08-25"]]
    (dates,) = suggested("accounts", ["Mail"], rows)
    (mails,) = suggested("accounts", ["Mail"], [["ada@example.edu"]])
    assert (dates.confidence, mails.field) < (mails.confidence, "Email~")
    assert mails.confidence - dates.confidence > 0.2


def test_what_was_mapped_before_is_suggested_again() -> None:
    learned = {normal_form("Kdnr. 2"): {"PersonIdentifier": 3, "LastName": 1}}
    (suggestion,) = suggested("accounts", ["KDNR-2"], learned=learned)
    assert suggestion.field == "PersonIdentifier"
    assert "mapped this way 3 times" in suggestion.reason


def test_a_mapping_that_was_made_before_goes_before_a_likeness() -> None:
    learned = {normal_form("Student Name"): {"LastName": 5}}
    assert fields(suggested("accounts", ["Student Name"], learned=learned)) == ["LastName"]


KONTAKT = {normal_form("Kontakt"): {"Email": 40}}
NAMES = [[f"m{n}", f"jon{n}@elm.example", f"Rosa Vale {n}"] for n in range(5)]


@pytest.mark.parametrize("source", ["learned", "shared"])
def test_an_earlier_mapping_stands_below_what_the_values_say(source: str) -> None:
    header = ["Kennung", "Mail", "Kontakt"]
    suggestions = suggested("accounts", header, NAMES, **{source: KONTAKT})
    assert fields(suggestions) == ["PersonIdentifier", "Email", None]


@pytest.mark.parametrize(
    ("feed", "field", "values"),
    [
        ("accounts", "Email", ["Rosa Vale", "Jon Reyes"]),
        ("accounts", "LastName", ["rosa@elm.example", "jon@elm.example"]),
        ("accounts", "FirstName", ["2026-08-17", "2026-08-18"]),
        ("academic_terms", "BeginDate", ["Fall", "Spring"]),
        ("courses", "Credits", ["full", "half"]),
        ("courses", "CIPCode", ["Biology", "Algebra"]),
        ("enrollments", "Status", ["a@elm.example", "b@elm.example"]),
        ("enrollments", "Status", [f"note {n}" for n in range(30)]),
    ],
)
def test_no_earlier_mapping_makes_values_what_they_are_not(
    feed: str, field: str, values: list[str]
) -> None:
    learned = {normal_form("Spalte 7"): {field: 50}}
    (suggestion,) = suggested(feed, ["Spalte 7"], [[value] for value in values], learned)
    assert suggestion.field != field


def test_codes_that_only_a_value_map_knows_are_remembered_all_the_same() -> None:
    learned = {normal_form("Kz 4"): {"Status": 3}}
    (suggestion,) = suggested("enrollments", ["KZ-4"], [["7"], ["8"]], learned)
    assert suggestion.field == "Status"


def test_what_was_mapped_once_is_not_sure() -> None:
    (once,) = suggested("accounts", ["Kontakt"], learned={"kontakt": {"Email": 1}})
    (often,) = suggested("accounts", ["Kontakt"], learned={"kontakt": {"Email": 30}})
    assert once.confidence < 0.9 <= often.confidence


def test_what_others_mapped_is_a_hint_only_where_nothing_else_speaks() -> None:
    hint = {normal_form("Feld 9"): {"LastName": 500}, normal_form("Vorname"): {"LastName": 500}}
    first, other = suggested("accounts", ["Vorname", "Feld 9"], shared=hint)
    assert (first.field, other.field) == ("FirstName", "LastName")
    assert other.confidence < 0.7
    assert other.reason == "Another institution mapped a column of this name this way."


def test_the_same_name_is_not_sure_where_the_values_speak_against_it() -> None:
    (suggestion,) = suggested("accounts", ["Email"], [["Rosa Vale"], ["Jon Reyes"]])
    assert suggestion.confidence < 0.9
    assert "do not look like e-mail addresses" in suggestion.reason


def test_no_field_is_suggested_twice() -> None:
    suggestions = fields(suggested("accounts", ["Email", "E-Mail", "email address", "Email"]))
    assert suggestions.count("Email") == 1
    assert suggestions[1:3] == [None, None]


def test_a_column_that_is_like_nothing_gets_nothing() -> None:
    (suggestion,) = suggested("accounts", ["Favourite colour"], [["red"]])
    assert (suggestion.field, suggestion.confidence) == (None, 0.0)


def test_required_fields_without_a_column_are_listed() -> None:
    feed = catalog().feed("org_units")
    record_type = catalog().record_type("org_units")
    missing = unmapped_required(suggested("org_units", ["Name", "Type"]), feed, record_type)
    assert [field.name for field in missing] == ["OrgUnitIdentifier", "ParentIdentifier"]


def test_a_strict_header_needs_every_column() -> None:
    feed = catalog().feed("engage_users")
    record_type = catalog().record_type("engage_users")
    missing = unmapped_required(suggested("engage_users", ["Username"]), feed, record_type)
    assert [field.name for field in missing] == ["Action", "FirstName", "LastName", "CampusEmail"]


@given(st.lists(st.text(max_size=150), max_size=8), st.lists(st.lists(st.text(max_size=40))))
@settings(max_examples=examples(100), deadline=None)
def test_any_header_gets_one_suggestion_a_column(header: list[str], rows: list[list[str]]) -> None:
    suggestions = suggested("sections", header, rows)
    assert [suggestion.column for suggestion in suggestions] == list(range(len(header)))
    named = [suggestion.field for suggestion in suggestions if suggestion.field]
    assert len(named) == len(set(named))


@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 9), min_size=width, max_size=width), min_size=1, max_size=6
        )
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_the_assignment_has_the_best_total(rows: list[list[int]]) -> None:
    weights = np.array(rows, dtype=float)
    pairs = assign(weights)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert sum(weights[pair] for pair in pairs) == best_total(rows, frozenset())


def best_total(rows: list[list[int]], taken: frozenset[int]) -> int:
    if not rows:
        return 0
    chosen = [
        weight + best_total(rows[1:], taken | {column})
        for column, weight in enumerate(rows[0])
        if column not in taken
    ]
    return max([*chosen, best_total(rows[1:], taken)])


STATUS = next(field for field in targets("enrollments") if field.name == "Status")


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("Enrolled", "Enrolled"),
        (" enrolled ", "Enrolled"),
        ("ENR", "Enrolled"),
        ("RE", "Enrolled"),
        ("DD", "Dropped"),
        ("W", "Withdrawn"),
        ("wait-listed", "Waitlisted"),
        ("Inscrito", "Enrolled"),
        ("Withdrwan", "Withdrawn"),
        ("Compl", "Completed"),
        ("purple", None),
    ],
)
def test_a_value_of_the_file_finds_the_value_of_the_field(spelling: str, value: str | None) -> None:
    (suggestion,) = value_map(STATUS, {spelling: 3, "": 5})
    assert (suggestion.spelling, suggestion.count, suggestion.value) == (spelling, 3, value)
    assert (suggestion.confidence >= 0.5) is (value is not None)


def test_an_accepted_spelling_of_a_value_is_known() -> None:
    field = Field(name="Sex", type=FieldType.ENUM, values=("Male",), value_aliases={"m": "Male"})
    (suggestion,) = value_map(field, {"M": 1})
    assert (suggestion.value, suggestion.confidence) == ("Male", 0.98)


def test_ten_thousand_values_are_all_listed() -> None:
    distinct = {
        f"{letter}{number}": 1 for letter in string.ascii_lowercase for number in range(400)
    }
    assert len(value_map(STATUS, distinct)) == len(distinct)


@pytest.mark.parametrize("spelling", ["I", "A", "W", "D", "E", "C", "in", "IN", "ab"])
def test_a_short_code_that_may_mean_another_value_is_only_a_question(spelling: str) -> None:
    (suggestion,) = value_map(STATUS, {spelling: 123})
    assert not suggestion.is_likely
    assert suggestion.value is None or suggestion.confidence <= 0.5


@pytest.mark.parametrize("spelling", ["ENR", "WL", "DR", "Inscrito", "withdrwan", "Compl"])
def test_a_spelling_that_is_short_for_one_value_only_is_a_guess(spelling: str) -> None:
    (suggestion,) = value_map(STATUS, {spelling: 3})
    assert suggestion.is_likely
    assert not suggestion.is_certain


@pytest.mark.parametrize("spelling", ["Enrolled", " enrolled ", "ENROLLED"])
def test_the_fields_own_spelling_is_no_guess(spelling: str) -> None:
    (suggestion,) = value_map(STATUS, {spelling: 3})
    assert suggestion.is_likely
    assert suggestion.is_certain


def test_one_letter_that_the_field_itself_accepts_is_no_question() -> None:
    field = Field(name="Sex", type=FieldType.ENUM, values=("Male",), value_aliases={"m": "Male"})
    (suggestion,) = value_map(field, {"M": 1})
    assert suggestion.is_likely
