"""The demo's files: a small invented campus, and typical faults of senders. Pure.

The same seed gives the same files. No learner exists.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import quoteattr

_SEED = 20260901
_FIRST = (
    *("Ada", "Ben", "Chloe", "Dario", "Élodie", "Farid", "Grace", "Hugo", "Inés", "Jürgen"),
    *("Kofi", "Lena", "Miguel", "Noémie", "Olga", "Pedro", "Quinn", "Rosa", "Søren", "Tomás"),
    *("Uma", "Víctor", "Wanda", "Ximena", "Yusuf", "Zoë"),
)
_LAST = (
    *("Abara", "Brook", "Castillo", "Dufresne", "Eriksen", "Fontaine", "García", "Haddad"),
    *("Ibarra", "Jansen", "Kowalska", "Lindqvist", "Moreau", "Novák", "Okafor", "Petrov"),
    *("Quispe", "Rossi", "Schäfer", "Tanaka", "Usman", "Vidal", "Weiss", "Zamora"),
)
_SUBJECTS = {
    "BIO": ("Biology", "SCI"),
    "CHE": ("Chemistry", "SCI"),
    "MAT": ("Mathematics", "SCI"),
    "HIS": ("History", "HUM"),
    "PHI": ("Philosophy", "HUM"),
    "ECO": ("Economics", "BUS"),
}
_TITLES = ("Introduction to", "Methods of", "Topics in", "Advanced")
_STUDENTS = 240
_TEACHERS = 18


@dataclass(frozen=True, slots=True)
class Sending:
    """Files for one folder, in the order of sending; a manifest comes last."""

    folder: str
    files: tuple[tuple[str, bytes], ...]


def sendings() -> list[Sending]:
    """All files of the demo, in the order of the dictionary, the faulty ones at the end."""
    campus = _Campus(random.Random(_SEED))  # noqa: S311  sample data, nothing secret
    return [
        _named("Courses/AcademicTerm", "terms", campus.terms()),
        _named("Courses/OrgUnit", "orgunits", campus.units()),
        _named("Accounts/AccountImports", "accounts", campus.accounts()),
        _named("Courses/Course", "courses", campus.courses()),
        _named("Courses/Section", "sections", campus.sections()),
        _named("Courses/Enrollment", "enrollments", campus.enrollments()),
        _named("Courses/Instructor", "instructors", campus.instructors()),
        _named("Accounts/AccountImports", "late_accounts", campus.accounts_with_faults()),
        _named("Courses/Section", "sections_export", campus.sections_with_wrong_header()),
        _two_bad_references(campus),
        Sending(
            "Courses/Course", (("courses_by_hand.done", b'<filename="courses.csv"checksum=""/>'),)
        ),
        Sending("", (("enrollments_forgotten.csv", campus.enrollments()),)),
    ]


def completions(day: date) -> Sending:
    """Courses that students completed on a day: events for an export."""
    campus = _Campus(random.Random(_SEED))  # noqa: S311  sample data, nothing secret
    return _named("events", "completions", campus.completions(day))


def another() -> Sending:
    """A file for a person to send by hand, with its manifest."""
    rows = [
        ("00300001", "Mira", "Castillo", "mira@riverbend.example"),
        ("00300002", "Noor", "Haddad", "noor@riverbend.example"),
    ]
    content = _table(("PersonIdentifier", "FirstName", "LastName", "Email"), rows)
    return _named("Accounts/AccountImports", "more_accounts", content)


def manifest(entries: Iterable[tuple[str, str]]) -> bytes:
    """A manifest that names each file with its MD5 (docs/senders.md)."""
    lines = [
        f"  <file name={quoteattr(name)} checksum={quoteattr(md5)} checksumhashtype="
        f'"{"md5" if md5 else "none"}" />'
        for name, md5 in entries
    ]
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return "\n".join([head, "<files>", *lines, "</files>", ""]).encode()


def md5(content: bytes) -> str:
    """The checksum as a manifest has it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _named(folder: str, stem: str, content: bytes) -> Sending:
    name = f"{stem}.csv"
    done = manifest([(name, md5(content))])
    return Sending(folder, ((name, content), (f"{stem}.done", done)))


def _two_bad_references(campus: _Campus) -> Sending:
    """A reference to a missing file, and one with a wrong checksum."""
    content = campus.instructors()
    done = manifest([("instructors_fall.csv", md5(content)), ("instructors_lost.csv", "")])
    damaged = content[:-20]
    return Sending(
        "Courses/Instructor",
        (("instructors_fall.csv", damaged), ("instructors_fall.done", done)),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file. No value of the demo has a comma or a quote."""
    return "".join(",".join(row) + "\r\n" for row in [header, *rows]).encode()


class _Campus:
    """An invented institution, drawn from a random source."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        people = [(f"{100_000 + i:08d}", *self._name()) for i in range(_STUDENTS + _TEACHERS)]
        self._students, self._teachers = people[:_STUDENTS], people[_STUDENTS:]
        self._courses = [
            (f"{subject}{100 * level + 1}", subject, f"{100 * level + 1}", f"{title} {name}", unit)
            for subject, (name, unit) in _SUBJECTS.items()
            for level, title in enumerate(_TITLES, start=1)
        ]
        self._sections = [
            (f"{course[0]}-2026FA-{number:02d}", course)
            for course in self._courses
            for number in (1, 2, 3)
        ]

    def _name(self) -> tuple[str, str]:
        return self._dice.choice(_FIRST), self._dice.choice(_LAST)

    def terms(self) -> bytes:
        rows = [
            ("AY2026", "Academic year 2026/27", "2026-07-01", "2027-06-30", "", "Annual"),
            ("2026FA", "Fall 2026", "2026-08-24", "2026-12-18", "AY2026", "Semester"),
            ("2027SP", "Spring 2027", "2027-01-11", "2027-05-14", "AY2026", "Semester"),
        ]
        header = ("TermIdentifier", "Name", "BeginDate", "EndDate", "ParentIdentifier", "Type")
        return _table(header, rows)

    def units(self) -> bytes:
        rows = [
            ("RVU", "Riverbend University", "RVU", "", "Institution"),
            ("SCI", "School of Science", "SCI", "RVU", "School"),
            ("HUM", "School of Humanities", "HUM", "RVU", "School"),
            ("BUS", "School of Business", "BUS", "RVU", "School"),
            *(
                (s, f"Department of {n}", s, unit, "Department")
                for s, (n, unit) in _SUBJECTS.items()
            ),
        ]
        return _table(("OrgUnitIdentifier", "Name", "Acronym", "ParentIdentifier", "Type"), rows)

    def accounts(self) -> bytes:
        people = [*self._students, *self._teachers]
        rows = [(i, f, n, f"{n[:1].lower()}{i[-6:]}@riverbend.example") for i, f, n in people]
        return _table(("PersonIdentifier", "FirstName", "LastName", "Email"), rows)

    def courses(self) -> bytes:
        header = (
            *("CourseIdentifier", "Subject", "Number", "Title", "Credits", "OrgUnitIdentifier"),
            *("Type", "Description", "CIPCode"),
        )
        rows = [
            (i, subject, number, title, "3", subject, "Undergraduate", "", "")
            for i, subject, number, title, _unit in self._courses
        ]
        return _table(header, rows)

    def sections(self) -> bytes:
        header = (
            *("SectionIdentifier", "TermIdentifier", "CourseIdentifier", "Subject"),
            *("CourseNumber", "Number", "BeginDate", "EndDate", "OrgUnitIdentifier", "Title"),
            *("Credits", "DeliveryMode", "Location", "Description", "CrossListingIdentifier"),
        )
        rows = [
            (
                *(section, "2026FA", course[0], course[1], course[2], section[-2:]),
                *("2026-08-24T08:00:00-05:00", "2026-12-18T17:00:00-06:00", course[1], course[3]),
                *("3", self._dice.choice(("Face2Face", "Online", "Hybrid")), "", "", ""),
            )
            for section, course in self._sections
        ]
        return _table(header, rows)

    def enrollments(self) -> bytes:
        header = ("PersonIdentifier", "SectionIdentifier", "Status", "Credits", "RegisteredDate")
        rows = [
            (person[0], section, "Enrolled", "3", f"2026-08-{self._dice.randint(1, 23):02d}")
            for person in self._students
            for section, _ in self._dice.sample(self._sections, 5)
        ]
        return _table(header, rows)

    def instructors(self) -> bytes:
        header = ("PersonIdentifier", "SectionIdentifier", "FirstName", "LastName", "Email", "Role")
        rows = []
        for at, (section, _course) in enumerate(self._sections):
            person, first, last = self._teachers[at % len(self._teachers)]
            rows.append((person, section, first, last, "", "Primary"))
        return _table(header, rows)

    def completions(self, day: date) -> bytes:
        header = (
            *("id", "source", "timestamp", "type", "user", "event", "title"),
            *("userDetail.firstName", "userDetail.lastName", "userDetail.externalCustomerId"),
        )
        rows = [
            (
                *(f"{day}-{number:03d}", "course_completed", f"{day}T{12 + number // 6}:05:00Z"),
                *("status_change", f"{last[:1].lower()}{person[-6:]}@riverbend.example"),
                *("courseCompletion", self._dice.choice(self._courses)[3], first, last, person),
            )
            for number, (person, first, last) in enumerate(self._dice.sample(self._students, 30))
        ]
        return _table(header, rows)

    def accounts_with_faults(self) -> bytes:
        header = ("PersonIdentifier", "FirstName", "LastName", "Email")
        good = [
            (f"{200_000 + i:08d}", *self._name(), f"new{i}@riverbend.example") for i in range(40)
        ]
        bad = [
            ("00200101", "Nadia", "", "nadia@riverbend.example"),
            ("00200102", "Omar", "Petrov", "omar-at-riverbend.example"),
            ("00200003", "Twice", "Sent", "twice@riverbend.example"),
            ("", "No", "Identifier", "nobody@riverbend.example"),
            ("00200105", "Too", "Many", "many@riverbend.example", "extra"),
        ]
        rows: list[Sequence[str]] = [*good[:30], *bad, *good[30:]]
        return _table(header, rows)

    def sections_with_wrong_header(self) -> bytes:
        header = ("Section Identifer", "Term", "CourseIdentifier", "Title")
        rows = [(s, "2026FA", course[0], course[3]) for s, course in self._sections[:10]]
        return _table(header, rows)
