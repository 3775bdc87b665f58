"""Files outside of every drop folder (seed 001: "then an error will occur")."""

from __future__ import annotations

import pytest

from imports.arrivals.listing import Entry, Listing
from imports.arrivals.misplaced import find

DROPS = [
    "Accounts/AccountImports",
    "Courses/AcademicTerm",
    "Courses/Course",
    "Courses/Section",
    "Courses/SectionAttribute",
    "Courses/Enrollment",
    "CollegiateLink/Users",
]


def folder(*names: str) -> Listing:
    return Listing(Entry(name, 1, 1, 1) for name in names)


def test_files_in_their_folders_are_not_misplaced() -> None:
    assert find({"/Courses/Section/": folder("Section.csv", "s.done")}, DROPS) == []


@pytest.mark.parametrize("root", ["", "/"])
def test_it_finds_files_and_manifests_in_the_root(root: str) -> None:
    files = find({root: folder("Section.csv", "Section.done")}, DROPS)
    assert [m.path for m in files] == ["Section.csv", "Section.done"]
    assert all("root folder" in m.reason for m in files)
    assert all("Courses/Section" in m.reason for m in files)
    assert files[1].reason.startswith("The manifest")


@pytest.mark.parametrize(
    ("place", "name", "nearest"),
    [
        ("", "accounts.csv", "Accounts/AccountImports"),
        ("", "Course.csv", "Courses/Course"),
        ("", "enrollments_2025.csv", "Courses/Enrollment"),
        ("", "section_attributes.csv", "Courses/SectionAttribute"),
        ("", "enrollments_forgotten_by_somebody.csv", "Courses/Enrollment"),
        ("", "2026-11-28 New Sections (final).csv", "Courses/Section"),
        ("CollegiateLink", "x.csv", "CollegiateLink/Users"),
        ("CollegiateLink/Users/Errors", "x.csv", "CollegiateLink/Users"),
        ("Accounts", "x.csv", "Accounts/AccountImports"),
    ],
)
def test_it_suggests_the_nearest_folder(place: str, name: str, nearest: str) -> None:
    (file,) = find({place: folder(name)}, DROPS)
    assert f"probably {nearest}," in file.reason


@pytest.mark.parametrize(
    ("place", "name"), [("", "x.csv"), ("", "---.csv"), ("Reports", "x.csv"), ("Courses", "x.csv")]
)
def test_it_does_not_guess_where_nothing_speaks_for_a_folder(place: str, name: str) -> None:
    (file,) = find({place: folder(name)}, [*DROPS, "events"])
    assert file.reason.endswith(
        "Send it again to the folder for its type, "
        "with the data file and the manifest in the same folder."
    )


def test_it_leaves_out_what_is_no_delivery() -> None:
    names = (".hidden", "a.csv.filepart", "a.csv.result.txt", "a.csv.errors.csv", "Thumbs.db")
    assert find({"": folder(*names, "a.done.PROCESSING")}, DROPS) == []
    assert find({".snapshots/old": folder("a.csv")}, DROPS) == []
    assert find({"": Listing([Entry("Courses", 0, 1, 1, is_dir=True)])}, DROPS) == []


def test_folder_names_are_compared_exactly() -> None:
    (file,) = find({"courses/section": folder("x.csv")}, DROPS)
    assert file.path == "courses/section/x.csv"


def test_an_account_without_folders_gets_an_answer_too() -> None:
    (file,) = find({"": folder("a.csv")}, [])
    assert "Ask the portal's operator" in file.reason


def test_a_drop_in_the_root_takes_files_there() -> None:
    assert find({"/": folder("a.csv")}, [""]) == []
