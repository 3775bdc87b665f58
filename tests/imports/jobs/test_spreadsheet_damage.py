"""What spreadsheets do to a file that the store has already: each change is undone or told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

from imports.jobs import actions
from imports.models import ImportJob
from tests.imports.institution import Institution, counts, issues

ROWS = 12
NUMBERS = range(10, 10 + ROWS)
PEOPLE = "PersonIdentifier,FirstName,LastName,Email\n"
CODES = ["1E5", "2E10", "MAR1", "DEC10", "1-2", "3/4", "TRUE", "10:30", "+15", "-7", "1.50", "(12)"]
FILES = {
    "people": "".join(f"000{n},First{n},O'Last{n},p{n}@oak.example\n" for n in NUMBERS),
    "long numbers": "".join(
        f"12345678901234{n},Zoë{n},Long{n},l{n}@oak.example\n" for n in NUMBERS
    ),
    "codes": "".join(
        f"{code},Code{n},Fee{n},c{n}@oak.example\n"
        for n, code in zip(NUMBERS, CODES, strict=True)
    ),
    "sections": "".join(
        f"S{n},2026FA,BIO101,0{n % 9 + 1},2026-08-{n},2026-12-{n - 5:02d},Title {n},3.5,Online,"
        f"1-{n % 12 + 1}\n"
        for n in NUMBERS
    ),
    "demographics": "".join(
        f"000{n},000{n},2026-08-24,Renée{n},Müller{n},20{n - 10:02d}-03-{n},true,“Elm” St … {n},"
        f"0{2100 + n},+1555000{1000 + n},900719925474{1000 + n},3.{n},1{n}00,III\n"
        for n in NUMBERS
    ),
}  # fmt: skip
HEADERS = {
    "sections": "SectionIdentifier,TermIdentifier,CourseIdentifier,Number,BeginDate,EndDate,Title,"
    "Credits,DeliveryMode,Location\n",
    "demographics": "PersonIdentifier,ExternalId,EffectiveOn,FirstName,LastName,DateOfBirth,"
    "PrivacyElected,Address1Line1,Address1PostalCode,Telephone1Number,CardId,CumulativeGpa,"
    "SatScore,Suffix\n",
}
FEEDS = {"sections": "sections", "demographics": "student_demographics"}
Damage = Callable[[str], str | bytes]


def whole(name: str) -> str:
    return HEADERS.get(name, PEOPLE) + FILES[name]


def cells(change: Callable[[str], str], *columns: int, first: int = ROWS) -> Damage:
    """Change these columns of the first rows."""

    def damage(text: str) -> str:
        header, *rows = text.splitlines()
        for at, row in enumerate(rows[:first]):
            values = row.split(",")
            for column in columns:
                values[column] = change(values[column])
            rows[at] = ",".join(values)
        return "\n".join([header, *rows]) + "\n"

    return damage


def column(at: int, values: Callable[[list[str]], list[str]]) -> Damage:
    """Change a column as a whole."""

    def damage(text: str) -> str:
        rows = [row.split(",") for row in text.splitlines()]
        for row, value in zip(rows[1:], values([row[at] for row in rows[1:]]), strict=True):
            row[at] = value
        return "\n".join(map(",".join, rows)) + "\n"

    return damage


def swap(old: str, new: str) -> Damage:
    return lambda text: text.replace(old, new)


def day(form: str, add: int = 0) -> Callable[[str], str]:
    def change(text: str) -> str:
        at = date.fromisoformat(text) + timedelta(days=add)
        return form.format(at, y=at.year, yy=f"{at:%y}", m=at.month, d=at.day, mon=f"{at:%b}")

    return change


def serial(since: date) -> Callable[[str], str]:
    return lambda text: str((date.fromisoformat(text) - since).days)


def bare(text: str) -> str:
    return text.lstrip("0")


def quoted(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: f'"{change(text)}"'


def in_quotes(text: str) -> str:
    return "".join(f'"{line}"\n' for line in text.splitlines())


IDENTIFIERS: list[tuple[str, str, Damage]] = [
    ("zeros are gone", "people", cells(bare, 0)),
    ("zeros are gone in some", "people", cells(bare, 0, first=3)),
    ("zeros are gone from a reference", "demographics", cells(bare, 0, 1)),
    ("decimals were added", "people", cells(lambda v: f"{bare(v)}.0", 0)),
    ("an apostrophe was added", "people", cells(lambda v: f"'{v}", 0)),
    ("formulas keep the zeros", "people", cells(lambda v: f'"=""{v}"""', 0)),
    ("a fixed blank was added", "people", cells(lambda v: f"{v}\xa0", 0)),
    ("fifteen digits are left", "long numbers", cells(lambda v: f"{v[:15]}0", 0)),
    ("rounded", "long numbers", cells(lambda v: "1.23457E+15", 0)),
    ("digits are separated", "long numbers", cells(quoted(lambda v: f"{int(v):,}"), 0)),
    ("codes became powers", "codes", swap("1E5,", "1.00E+05,")),
    ("powers were written out", "codes", swap("1E5,", "100000,")),
    ("codes became days", "codes", swap("MAR1,", "1-Mar,")),
    ("codes became days of January", "codes", swap("1-2,", "2-Jan,")),
    ("codes became whole dates", "codes", swap("3/4,", "3/4/2026,")),
    ("codes became times", "codes", swap("10:30,", "10:30:00,")),
    ("codes became times of the morning", "codes", swap("10:30,", "10:30:00 AM,")),
    ("a plus is gone", "codes", swap("+15,", "15,")),
    ("a last zero is gone", "codes", swap("1.50,", "1.5,")),
    ("brackets became a minus", "codes", swap("(12),", "-12,")),
    ("TRUE was translated", "codes", swap("TRUE,", "VERDADERO,")),
]
DATES: list[tuple[str, str, Damage]] = [
    ("of the United States", "sections", cells(day("{m}/{d}/{y}"), 4, 5)),
    ("with two digits of the year", "sections", cells(day("{m}/{d}/{yy}"), 4, 5)),
    ("of Britain", "sections", cells(day("{:%d/%m/%Y}"), 4, 5)),
    ("of Germany", "sections", cells(day("{:%d.%m.%Y}"), 4, 5)),
    ("with a month's name", "sections", cells(day("{d}-{mon}-{yy}"), 4, 5)),
    ("with midnight", "sections", cells(day("{m}/{d}/{y} 0:00"), 4, 5)),
    ("as numbers", "sections", cells(serial(date(1899, 12, 30)), 4, 5)),
    ("as numbers since 1904", "sections", cells(serial(date(1904, 1, 1)), 4, 5)),
    ("four years later", "demographics", cells(day("{:%Y-%m-%d}", add=1462), 5)),
    ("too wide for the column", "demographics", cells(lambda _: "########", 5)),
    ("of an empty cell", "demographics", cells(lambda _: "1899-12-30", 5, first=3)),
    ("of an empty cell in US form", "demographics", cells(lambda _: "1/0/1900", 5, first=3)),
    ("with long hyphens", "sections", cells(lambda v: v.replace("-", "–"), 4)),  # noqa: RUF001
]
VALUES: list[tuple[str, str, Damage]] = [
    ("zeros of postal codes are gone", "demographics", cells(bare, 8)),
    ("zeros of two postal codes are gone", "demographics", cells(bare, 8, first=2)),
    ("zeros of two numbers are gone", "sections", cells(bare, 3, first=2)),
    ("pluses are gone", "demographics", cells(lambda v: v.lstrip("+"), 9, first=3)),
    ("telephones are rounded", "demographics", cells(lambda _: "1.5555E+10", 9)),
    ("fifteen digits are left", "demographics", cells(lambda v: f"{v[:15]}0", 10, first=3)),
    ("rooms became days", "sections", cells(lambda v: f"{v[2:]}-Jan", 9, first=3)),
    ("rooms became dates", "sections", cells(lambda v: f"1/{v[2:]}/2026", 9, first=3)),
    ("truth was translated", "demographics", cells(lambda _: "VERDADERO", 6)),
    ("decimal commas", "demographics", cells(quoted(lambda v: v.replace(".", ",")), 11)),
    ("rounded to whole numbers", "demographics", cells(lambda v: v[0], 11)),
    ("numbers became days", "demographics", cells(lambda v: f"{v[2:]}-Mar", 11)),
    ("thousands are separated", "demographics", cells(quoted(lambda v: f"{int(v):,}"), 12)),
    ("decimals were added", "demographics", cells(lambda v: f"{v}.0", 12)),
    ("dollars", "demographics", cells(lambda v: f"${v}.00", 12)),
    ("percent", "sections", cells(lambda _: "350%", 7)),
    ("fractions", "sections", cells(lambda _: "3 1/2", 7)),
    ("an error", "people", cells(lambda _: "#N/A", 2, first=2)),
    ("a cell's formula", "sections", cells(lambda _: "=A2", 6, first=2)),
    ("a joining formula", "sections", cells(lambda _: "=A2&B2", 6, first=2)),
    ("a sum", "sections", cells(lambda _: "=1+2", 6, first=2)),
    ("another sheet's cell", "sections", cells(lambda _: "='My sheet'!$A$2", 6, first=2)),
    ("links to addresses", "people", cells(lambda v: f"mailto:{v}", 3)),
    ("formulas of links", "people", cells(lambda v: f'"=HYPERLINK(""mailto:{v}"")"', 3)),
    ("typographic apostrophes", "people", cells(lambda v: v.replace("'", "’"), 2)),  # noqa: RUF001
    ("cut off at 255", "sections", cells(lambda _: "x" * 255, 6)),
    ("line breaks", "sections", cells(lambda v: f'"{v}\nmore"', 6)),
]
COLUMNS: list[tuple[str, str, Damage]] = [
    ("names sorted alone", "people", column(2, lambda values: values[::-1])),
    ("addresses shifted", "people", column(3, lambda values: [*values[1:], values[0]])),
    ("an address copied down", "people", column(3, lambda values: [values[0]] * ROWS)),
    ("terms filled as a series", "sections", column(1, lambda v: [*"TERMS", *v[5:]])),
    ("cells merged", "sections", column(1, lambda values: [values[0]] + [""] * (ROWS - 1))),
    ("headers the wrong way round", "people", swap("FirstName,LastName", "LastName,FirstName")),
    ("a header without a name", "people", swap("Email", "Column4")),
    ("commas behind each row", "people", swap("\n", ",,,\n")),
    ("rows of commas at the end", "people", lambda text: text + ",,,\n" * 5),
    ("a title above", "people", lambda text: f"Roster of Oak College,,,\n,,,\n{text}"),
    ("a total below", "people", lambda text: f"{text}Total,{ROWS},,\n"),
]  # fmt: skip
TEXTS: list[tuple[str, str, Damage]] = [
    ("semicolons", "people", swap(",", ";")),
    ("semicolons announced", "people", lambda text: "sep=;\n" + text.replace(",", ";")),
    ("tabs", "people", swap(",", "\t")),
    ("Unicode text", "people", lambda text: text.replace(",", "\t").encode("utf-16")),
    ("carriage returns", "people", swap("\n", "\r")),
    ("Windows-1252", "demographics", lambda text: text.encode("cp1252")),
    ("Mac Roman", "demographics", lambda text: text.encode("mac-roman")),
    ("read as Windows-1252", "demographics", lambda t: t.encode().decode("cp1252", "replace")),
    ("question marks", "demographics", lambda text: text.encode("ascii", "replace")),
    ("accents are gone in some", "demographics", cells(lambda v: v.replace("é", "e"), 3, first=3)),
    ("each line in quotes", "people", in_quotes),
    ("each line in quotes, cells too", "people", lambda t: in_quotes(t.replace(",", '"",""'))),
    ("a web page", "people", lambda text: f"<html><table><tr><td>{text}</td></tr></table></html>"),
]  # fmt: skip


class Sheet:
    """Sends clean and damaged files of one institution."""

    def __init__(self, institution: Institution) -> None:
        self.institution = institution
        institution.load_campus()
        for name in FILES:
            self._restore(name)

    def _restore(self, name: str) -> None:
        job = self.institution.send(FEEDS.get(name, "accounts"), whole(name))
        if job.state == "held":
            job = self.institution.release(job)
        assert (job.state, job.rows_rejected) == ("complete", 0), issues(job)

    def send(self, name: str, damage: Damage) -> ImportJob:
        """Send the damaged file, and put the store back in order."""
        damaged = damage(whole(name))
        assert damaged not in (whole(name), whole(name).encode())
        job = self.institution.send(FEEDS.get(name, "accounts"), damaged)
        if job.state == "held":
            actions.discard(job, self.institution.person())
            return job
        if counts(job).keys() & {"created", "updated", "removed"}:
            self._restore(name)
        return job


@pytest.fixture
def sheet(institution: Institution) -> Iterator[Sheet]:
    yield Sheet(institution)


@pytest.mark.parametrize(
    "damages", [IDENTIFIERS, DATES, VALUES, COLUMNS, TEXTS],
    ids=["identifiers", "dates", "values", "columns", "texts"],
)  # fmt: skip
def test_nothing_that_a_spreadsheet_does_is_taken_in_silence(
    sheet: Sheet, damages: list[tuple[str, str, Damage]], subtests: pytest.Subtests
) -> None:
    for words, name, damage in damages:
        with subtests.test(words):
            job = sheet.send(name, damage)
            kept = counts(job) == {"read": ROWS, "unchanged": ROWS}
            assert kept or issues(job) or job.hold_reasons, counts(job)
