"""The files of the import benchmark: enrollments with known faults, and what they refer to.

Everything follows from the number of rows and a fixed seed, so two runs measure the same bytes.
Rows are made one by one: memory does not grow with the file.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

HEADER = (
    "PersonIdentifier",
    "SectionIdentifier",
    "Status",
    "FirstName",
    "LastName",
    "Email",
    "Credits",
    "GradeOption",
    "RegisteredDate",
    "BeginDate",
    "StatusChangeDate",
    "FinalCourseGrade",
)
ACCOUNTS, SECTIONS = 20_000, 2_000
_STEP = 7  # no divisor of SECTIONS: a person's sections do not repeat
_BAD_EVERY, _CHANGED_SHARE = 200, 0.02
_FIRST = (
    "Anna Ben Clara David Élodie Farid Grace Hugo Inès Jürgen Kofi Léa Miguel Noémie Olga Péter "
    "Quentin Rosa Søren Tomás Uma Víctor Wanda Xenia Yusuf Zoë 美咲 Дмитрий"
).split()
_LAST = (
    "Smith Müller García Dubois Rossi Nowak Kowalski Jensen Öztürk Nguyen Lopez O'Neil Schmidt "
    "Martin Bernard Petit Durand Moreau Laurent Simon Lefèvre Fournier Girard Žižek"
).split()
_STATUS = ("Enrolled", "Enrolled", "Enrolled", "Dropped", "Withdrawn", "Completed", "enrolled")
_OPTIONS = ("Letter", "Pass/Fail", "Audit", "Letter", "")
_GRADES = ("", "", "A", "B+", "C", '"A, with distinction"')

Row = list[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One kind of bad row. spoil: changes it. column, code: as the error attachment names them."""

    spoil: Callable[[Row], Row]
    column: str
    code: str


def _cell(name: str, value: str) -> Callable[[Row], Row]:
    at = HEADER.index(name)
    return lambda row: [*row[:at], value, *row[at + 1 :]]


def _twice(row: Row) -> Row:
    return _cell("RegisteredDate", "31/31/2026")(_cell("Email", "nomail")(row))


def _open(row: Row) -> Row:
    """No other quote in the row, else that one is what stands in the wrong place."""
    return _cell("FinalCourseGrade", "")(_cell("LastName", '"Annie')(row))


# Undecodable bytes travel as surrogates until the row is written.
FAULTS: tuple[BadRow, ...] = (
    BadRow(_cell("Status", ""), "Status", "required"),
    BadRow(_cell("FirstName", "x" * 251), "FirstName", "too_long"),
    BadRow(_cell("Email", "nobody@@example"), "Email", "not_an_email"),
    BadRow(_cell("Status", "Janitor"), "Status", "not_in_list"),
    BadRow(_cell("Credits", "three"), "Credits", "not_a_number"),
    BadRow(_cell("BeginDate", "2026-02-30"), "BeginDate", "not_a_date"),
    BadRow(_cell("PersonIdentifier", "NOBODY"), "PersonIdentifier", "unknown_reference"),
    BadRow(_cell("SectionIdentifier", "NOWHERE"), "SectionIdentifier", "unknown_reference"),
    BadRow(lambda row: row, "PersonIdentifier", "duplicate_key"),
    BadRow(lambda row: row[:-3], "", "too_few_cells"),
    BadRow(lambda row: [*row, "surplus"], "", "too_many_cells"),
    BadRow(_cell("LastName", '"Ann"ie'), "", "bad_quote"),
    BadRow(_open, "", "open_quote"),
    BadRow(_cell("FirstName", "Ren\udce9"), "FirstName", "bad_encoding"),
    BadRow(_cell("FirstName", "Re\0ne"), "", "nul_byte"),
    BadRow(_twice, "Email; RegisteredDate", "not_an_email; not_a_date"),
)
_DUPLICATE = next(fault for fault in FAULTS if fault.code == "duplicate_key")


@dataclass(frozen=True, slots=True)
class Files:
    """What was written into a directory.

    first: with faults. changed: the same with 2 % of the good rows changed. clean: the good rows
    of `first` only, values as the typed table takes them. truth: JSON, see `truth_of`.
    """

    directory: Path
    rows: int
    bad: int = 0
    changes: int = 0

    @property
    def first(self) -> Path:
        return self.directory / "first.csv"

    @property
    def changed(self) -> Path:
        return self.directory / "changed.csv"

    @property
    def clean(self) -> Path:
        return self.directory / "clean.csv"

    @property
    def accounts(self) -> Path:
        return self.directory / "accounts.csv"

    def truth_of(self, path: Path) -> Path:
        """The expected faults of a file: a list of [line, columns, codes]."""
        return path.with_suffix(".truth.json")


class _Output:
    """A file under way: counts physical lines and notes the faults with theirs."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._file = stack.enter_context(path.open("wb", buffering=1 << 20))
        self.line = 1
        self.truth: list[tuple[int, str, str]] = []

    def write(self, cells: Row) -> None:
        data = (",".join(cells) + "\r\n").encode("utf-8", "surrogateescape")
        self._file.write(data)
        self.line += data.count(b"\n")

    def write_bad(self, cells: Row, fault: BadRow) -> None:
        self.truth.append((self.line, fault.column, fault.code))
        self.write(cells)


def write(directory: Path, rows: int) -> Files:
    """Write all files of a run."""
    _write_accounts(directory / "accounts.csv")
    files = Files(directory, rows)
    with ExitStack() as stack:
        outputs = [_Output(path, stack) for path in (files.first, files.changed, files.clean)]
        bad, changes = _write_rows(rows, *outputs)
    for path, output in zip((files.first, files.changed), outputs, strict=False):
        files.truth_of(path).write_text(json.dumps(output.truth))
    return Files(directory, rows, bad, changes)


def _write_rows(rows: int, first: _Output, changed: _Output, clean: _Output) -> tuple[int, int]:
    for output in (first, changed):
        output.write(list(HEADER))
    choice = random.Random(11)
    bad = changes = 0
    previous: Row | None = None
    for row in _rows(rows):
        fault = None
        if previous is not None and choice.random() < 1 / _BAD_EVERY:
            fault = FAULTS[bad % len(FAULTS)]
            bad += 1
        if fault is not None:
            spoilt = _spoilt(fault, row, previous or row, bad)
            for output in (first, changed):
                output.write_bad(spoilt, fault)
            continue
        previous = row
        first.write(row)
        clean.write(_typed(row))
        if choice.random() < _CHANGED_SHARE:
            changes += 1
            row = [*row[:11], "Changed"]
        changed.write(row)
    return bad, changes


def _spoilt(fault: BadRow, row: Row, previous: Row, number: int) -> Row:
    """The bad row. A repeated key comes with other values, or as a copy byte for byte."""
    if fault is _DUPLICATE:
        return previous if number // len(FAULTS) % 2 else [*previous[:2], *row[2:]]
    return fault.spoil(row)


def _typed(row: Row) -> Row:
    """The row as the plain table takes it: one spelling of the status, no unquoted surprises."""
    return [*row[:2], row[2].capitalize(), *row[3:]]


def _rows(rows: int) -> Iterator[Row]:
    """Good rows with pairs of person and section that never repeat."""
    each = -(-rows // ACCOUNTS)
    pick = random.Random(7)
    for number in range(rows):
        person, nth = divmod(number, each)
        yield _row(person, (person * 13 + nth * _STEP) % SECTIONS, pick)


def _row(person: int, section: int, pick: random.Random) -> Row:
    some = pick.random()
    last = _LAST[person % len(_LAST)]
    if some < 0.01:
        last = f'"{last}, called\r\n""{_LAST[int(some * 1e6) % len(_LAST)]}"""'
    elif some < 0.05:
        last = f'"{last}, {_LAST[int(some * 1e6) % len(_LAST)]}"'
    day = int(some * 1e9)
    return [
        f"{person:08d}",
        f"2026FA-SEC{section:05d}-01",
        _STATUS[day % 7],
        _FIRST[person % len(_FIRST)],
        last,
        f"user{person}@school{person % 97}.example.org",
        f"{day % 12 + 1}.{day % 2 * 5}" if some < 0.9 else "",
        _OPTIONS[day // 7 % 5],
        f"2026-{day % 12 + 1:02d}-{day % 28 + 1:02d}",
        "2026-08-24" if some < 0.8 else "",
        f"2026-{day // 12 % 12 + 1:02d}-{day // 28 % 28 + 1:02d}" if some > 0.3 else "",
        _GRADES[day // 35 % 6],
    ]


def _write_accounts(path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("PersonIdentifier,FirstName,LastName,Email\n")
        for person in range(ACCOUNTS):
            names = f"{_FIRST[person % len(_FIRST)]},{_LAST[person % len(_LAST)]}"
            out.write(f"{person:08d},{names},user{person}@example.org\n")


def references() -> dict[str, str]:
    """The small files that sections hang on, and the sections, by feed in the order of loading."""
    sections = (
        f"2026FA-SEC{n:05d}-01,2026FA,C1,1,2026-08-24,2026-12-18,Online" for n in range(SECTIONS)
    )
    return {
        "org_units": "OrgUnitIdentifier,Name,Acronym,ParentIdentifier,Type\n"
        "U,University,U,,Institution\n",
        "academic_terms": "TermIdentifier,Name,BeginDate,EndDate,ParentIdentifier,Type\n"
        "2026FA,Fall,2026-08-24,2026-12-18,,Annual\n",
        "courses": "CourseIdentifier,Subject,Number,Title,OrgUnitIdentifier,Type\n"
        "C1,BIO,101,Biology,U,Undergraduate\n",
        "sections": "SectionIdentifier,TermIdentifier,CourseIdentifier,Number,BeginDate,EndDate,"
        "DeliveryMode\n" + "\n".join(sections) + "\n",
    }
