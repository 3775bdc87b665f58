"""The template protocol over a listing: exact names, stable files, near misses (seed 003)."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest

from imports.arrivals.decisions import Verdict
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.near import MOST, near_misses
from imports.arrivals.template import TemplateDetection, detect

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUIET = timedelta(seconds=5)
SECOND = 10**9
TEMPLATES = {"users.csv": 1, "classes.csv": 2, "Users2018.csv": 3}


def entry(name: str, *, age: float = 60, renamed: float | None = None) -> Entry:
    written = int((NOW.timestamp() - age) * SECOND)
    changed = int((NOW.timestamp() - (age if renamed is None else renamed)) * SECOND)
    return Entry(name, 10, written, 1, False, changed)


def look(*entries: Entry | str, elsewhere: dict[str, str] | None = None) -> TemplateDetection:
    listing = Listing(entry(each) if isinstance(each, str) else each for each in entries)
    return detect(listing, NOW, TEMPLATES, QUIET, elsewhere)


def verdicts(detection: TemplateDetection) -> dict[str, str]:
    return {decision.subject: decision.verdict for decision in detection.decisions}


def test_it_matches_the_exact_name_of_a_template() -> None:
    detection = look("users.csv", "classes.csv")
    assert [(m.entry.name, m.template) for m in detection.matches] == [
        ("classes.csv", 2),
        ("users.csv", 1),
    ]
    assert detection.decisions == []
    assert detection.unmatched == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("of_template", ["NFC", "NFD"])
def test_accents_that_are_written_apart_are_the_same_name(form: str, of_template: str) -> None:
    name = "matrículas.csv"
    listing = Listing([entry(unicodedata.normalize(form, name))])
    detection = detect(listing, NOW, {unicodedata.normalize(of_template, name): 7}, QUIET)
    assert [match.template for match in detection.matches] == [7]


@pytest.mark.parametrize(
    "name",
    ["Users.csv", "users.CSV", "users.txt", "users", " users.csv", "users.csv ", "usersXcsv"],
)
def test_a_name_that_differs_in_anything_is_unmatched(name: str) -> None:
    detection = look(name)
    assert detection.matches == []
    assert [unmatched.entry.name for unmatched in detection.unmatched] == [name]
    assert verdicts(detection) == {name: Verdict.UNMATCHED}


@pytest.mark.parametrize(
    ("age", "renamed", "stable"),
    [(4.9, None, False), (5, None, True), (60, 1, False), (-3600, None, True), (-1, None, False)],
)
def test_it_waits_until_a_file_was_neither_written_nor_renamed_for_a_moment(
    age: float, renamed: float | None, stable: bool
) -> None:
    detection = look(entry("users.csv", age=age, renamed=renamed), entry("x.csv", age=age))
    assert bool(detection.matches) == stable
    if not stable:
        assert verdicts(detection)["users.csv"] == Verdict.NOT_YET_STABLE


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("users.csv.filepart", Verdict.TEMPORARY),
        ("users.csv.FILEPART", Verdict.TEMPORARY),
        ("users.csv.tmp", Verdict.TEMPORARY),
        ("users.csv.part", Verdict.TEMPORARY),
        ("users.csv~", Verdict.IGNORED),
        (".users.csv", Verdict.HIDDEN),
        (".in.users.csv.", Verdict.HIDDEN),
        ("users.csv.result.txt", Verdict.RESULT),
        ("users.csv.errors.csv", Verdict.RESULT),
        ("Thumbs.db", Verdict.IGNORED),
        ("us\udce9rs.csv", Verdict.NAME_NOT_TEXT),
        ("x" * 245, Verdict.NAME_TOO_LONG),
    ],
)
def test_what_is_no_delivery_is_left_alone_and_explained(name: str, verdict: Verdict) -> None:
    detection = look(name)
    assert (detection.matches, detection.unmatched) == ([], [])
    assert verdicts(detection) == {name: verdict}
    assert detection.decisions[0].reason.endswith(".")


def test_a_template_may_name_what_would_be_a_leftover_but_not_a_temporary_name() -> None:
    listing = Listing([entry("old.bak"), entry("old.tmp")])
    detection = detect(listing, NOW, {"old.bak": 1, "old.tmp": 2}, QUIET)
    assert [match.entry.name for match in detection.matches] == ["old.bak"]


def test_folders_are_no_files() -> None:
    detection = detect(Listing([Entry("users.csv", 0, 0, 1, True)]), NOW, TEMPLATES, QUIET)
    assert detection == TemplateDetection()


@pytest.mark.parametrize(
    ("name", "meant", "words"),
    [
        ("Users.CSV", "users.csv", "uppercase and lowercase letters"),
        ("users.txt", "users.csv", "the file ends in .txt"),
        ("users", "users.csv", "has no extension"),
        ("users.csv.txt", "users.csv", "spelling is similar"),
        ("Users2019.csv", "Users2018.csv", "a year, a number"),
        ("classes (1).csv", "classes.csv", "a year, a number"),
        ("class_es-2026-01-31.csv", "classes.csv", "a year, a number"),
        ("clases.csv", "classes.csv", "spelling is similar"),
    ],
)
def test_it_names_the_near_miss_and_what_differs(name: str, meant: str, words: str) -> None:
    first = near_misses(name, TEMPLATES)[0]
    assert first.name == meant
    assert words in first.reason
    assert first.reason in look(name).unmatched[0].reason


def test_it_recognises_accents_that_only_look_the_same() -> None:
    (miss,) = near_misses("jose\u0301.csv", ["jos\u00e9.csv"])
    assert "accents" in miss.reason


def test_a_template_of_that_very_name_that_does_not_count_here_comes_first() -> None:
    elsewhere = {"users2.csv": "It belongs to the account pat.", "else.csv": "no"}
    unmatched = look("users2.csv", elsewhere=elsewhere).unmatched[0]
    assert unmatched.near[0].reason == "It belongs to the account pat."
    assert {miss.name for miss in unmatched.near[1:]} == {"users.csv", "Users2018.csv"}


def test_it_names_few_and_none_where_nothing_is_near() -> None:
    assert near_misses("photo.jpg", TEMPLATES) == ()
    many = [f"users{number}.csv" for number in range(900)]
    assert len(near_misses("users.csv", many)) == MOST


def test_a_hostile_name_is_made_visible() -> None:
    reason = look("us\u202eers\n.csv").unmatched[0].reason
    assert "\u202e" not in reason
    assert "\n" not in reason
