"""The template protocol over a listing: exact names, stable files, near misses (seed 003)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from imports.arrivals.decisions import Verdict
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.near import MOST, near_misses
from imports.arrivals.template import Detection, detect

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUIET = timedelta(seconds=5)
SECOND = 10**9
TEMPLATES = {"users.csv": 1, "classes.csv": 2, "Users2018.csv": 3}


def entry(name: str, *, age: float = 60, renamed: float | None = None) -> Entry:
    written = int((NOW.timestamp() - age) * SECOND)
    changed = int((NOW.timestamp() - (age if renamed is None else renamed)) * SECOND)
    return Entry(name, 10, written, 1, False, changed)


def look(*entries: Entry | str, elsewhere: dict[str, str] | None = None) -> Detection:
    listing = Listing(entry(one) if isinstance(one, str) else one for one in entries)
    return detect(listing, NOW, TEMPLATES, QUIET, elsewhere)


def verdicts(detection: Detection) -> dict[str, str]:
    return {decision.subject: decision.verdict for decision in detection.decisions}


def test_it_matches_the_exact_name_of_a_template() -> None:
    found = look("users.csv", "classes.csv")
    assert [(m.entry.name, m.template) for m in found.matches] == [
        ("classes.csv", 2),
        ("users.csv", 1),
    ]
    assert found.decisions == []
    assert found.unmatched == []


@pytest.mark.parametrize(
    "name",
    ["Users.csv", "users.CSV", "users.txt", "users", " users.csv", "users.csv ", "usersXcsv"],
)
def test_a_name_that_differs_in_anything_is_unmatched(name: str) -> None:
    found = look(name)
    assert found.matches == []
    assert [one.entry.name for one in found.unmatched] == [name]
    assert verdicts(found) == {name: Verdict.UNMATCHED}


@pytest.mark.parametrize(
    ("age", "renamed", "stable"),
    [(4.9, None, False), (5, None, True), (60, 1, False), (-3600, None, True), (-1, None, False)],
)
def test_it_waits_until_a_file_was_neither_written_nor_renamed_for_a_moment(
    age: float, renamed: float | None, stable: bool
) -> None:
    found = look(entry("users.csv", age=age, renamed=renamed), entry("x.csv", age=age))
    assert bool(found.matches) == stable
    if not stable:
        assert verdicts(found)["users.csv"] == Verdict.NOT_YET_STABLE


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
    found = look(name)
    assert (found.matches, found.unmatched) == ([], [])
    assert verdicts(found) == {name: verdict}
    assert found.decisions[0].reason.endswith(".")


def test_a_template_may_name_what_would_be_a_leftover_but_not_a_temporary_name() -> None:
    listing = Listing([entry("old.bak"), entry("old.tmp")])
    found = detect(listing, NOW, {"old.bak": 1, "old.tmp": 2}, QUIET)
    assert [match.entry.name for match in found.matches] == ["old.bak"]


def test_folders_are_no_files() -> None:
    found = detect(Listing([Entry("users.csv", 0, 0, 1, True)]), NOW, TEMPLATES, QUIET)
    assert found == Detection()


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


def test_it_tells_accents_that_only_look_the_same() -> None:
    (found,) = near_misses("jose\u0301.csv", ["jos\u00e9.csv"])
    assert "accents" in found.reason


def test_a_template_of_that_very_name_that_does_not_count_here_comes_first() -> None:
    elsewhere = {"users2.csv": "It belongs to the account pat.", "else.csv": "no"}
    found = look("users2.csv", elsewhere=elsewhere).unmatched[0]
    assert found.near[0].reason == "It belongs to the account pat."
    assert {miss.name for miss in found.near[1:]} == {"users.csv", "Users2018.csv"}


def test_it_names_few_and_none_where_nothing_is_near() -> None:
    assert near_misses("photo.jpg", TEMPLATES) == ()
    many = [f"users{number}.csv" for number in range(900)]
    assert len(near_misses("users.csv", many)) == MOST


def test_a_hostile_name_is_made_visible() -> None:
    reason = look("us\u202eers\n.csv").unmatched[0].reason
    assert "\u202e" not in reason
    assert "\n" not in reason
