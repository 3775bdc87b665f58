"""Which column of a file is which field: the header against the feed. Pure.

A header matches a field's name first, then its aliases, both without case, surrounding blanks and
characters that nobody sees (Core Data dictionary, research notes 1.5).
What is missing is named together with what is near.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from imports.check.characters import comparable, visible
from imports.check.computed import ComputedField
from imports.issues import SHOWN_CHARACTERS, Code, FileRefused, Issue, Severity, counted
from portal.records.definitions import Feed, Field, RecordType

ATTACHMENT_COLUMNS = ("_line", "_column", "_code", "_error")

# Part of the seed of records' hashes: rows that were stored are read again where it changes.
# 2: without what nobody sees and what spreadsheets put around a value; NA may be a name.
WAY_OF_READING = 2

_NEAR = 0.6  # difflib's ratio
_COMPARED = 100  # characters of a header, and headers: both are the sender's and may be huge


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """What each column of one file stands for.

    columns: position in the file and field, in the file's order. computed: the fields that are
    more than a column. reasons: why a person must look at the file before it is applied, in
    sentences. operation_column: position of the feed's row operation column; operation: its
    computed field where steps produce it. as_written: the names as the file has them, where the
    header here had to be numbered. ignored: headers of columns that no field takes. neutralised:
    the file is one of our error attachments. fingerprint: 64 bits that change with the header, the
    definitions and the mapping; it seeds the hashes of raw records.
    """

    header: tuple[str, ...]
    columns: tuple[tuple[int, Field], ...]
    operation_column: int | None
    ignored: tuple[str, ...]
    warnings: tuple[Issue, ...]
    neutralised: bool
    fingerprint: int
    computed: tuple[ComputedField, ...] = ()
    reasons: tuple[str, ...] = ()
    operation: ComputedField | None = None
    as_written: tuple[str, ...] = ()

    @property
    def all_computed(self) -> tuple[ComputedField, ...]:
        """The computed fields, with the row operation where steps produce it."""
        return self.computed if self.operation is None else (*self.computed, self.operation)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields that have a value in the file."""
        return (*(field for _, field in self.columns), *(each.field for each in self.computed))

    def positions_of(self, names: Collection[str]) -> tuple[int, ...]:
        """The positions in the file of the columns from which these fields are taken."""
        plain = [at for at, field in self.columns if field.name in names]
        parts = [each.positions for each in self.computed if each.field.name in names]
        return tuple(sorted({*plain, *chain.from_iterable(parts)}))

    @property
    def spelled(self) -> dict[str, str]:
        """Field name to its columns' names as the file spells them."""
        plain = {field.name: self.header[position] for position, field in self.columns}
        return {**plain, **{each.field.name: each.header for each in self.computed}}


def folded_names(header: Sequence[str]) -> list[str]:
    """The names in lower case and without surrounding blanks, without the nameless at the end.

    Raises FileRefused where another column is nameless, or a name occurs twice.
    """
    width = _named_width(header)
    folded = [fold(name) for name in header[:width]]
    _refuse_unreadable(header[:width], folded)
    return folded


def numbered(header: Sequence[str]) -> list[str]:
    """The names, each once: a repeated name gets a number, a nameless column its position.

    The second "Size" is "Size (2)", a nameless third column "Column 3"; case does not count.
    Nameless columns at the end stay nameless. A name that the file itself has is not given.
    """
    width = _named_width(header)
    own = {fold(name) for name in header}
    seen: set[str] = set()
    names = []
    for position, cell in enumerate(header[:width], start=1):
        name = comparable(cell) and cell.strip()
        if not name or fold(name) in seen:
            name = _free_name(name, position, own | seen)
        seen.add(fold(name))
        names.append(name)
    return [*names, *header[width:]]


def _free_name(name: str, position: int, taken: Collection[str]) -> str:
    first = f"Column {position}" if not name else f"{name} (2)"
    numbered_names = (f"{name or first} ({number})" for number in count(2))
    candidates = chain([first], numbered_names)
    return next(candidate for candidate in candidates if fold(candidate) not in taken)


def is_attachment(folded: Iterable[str]) -> bool:
    """Return whether these are the columns of one of our error attachments."""
    return set(ATTACHMENT_COLUMNS) <= set(folded)


def fold(name: str) -> str:
    """Return a column's name as it is compared: as keys are, in lower case."""
    return comparable(name).lower()


def _named_width(header: Sequence[str]) -> int:
    """Count the columns without the nameless ones at the end, which spreadsheets leave."""
    width = len(header)
    while width and not comparable(header[width - 1]):
        width -= 1
    return width


def fields_of(feed: Feed, record_type: RecordType) -> list[Field]:
    """The fields that the feed has, in its order."""
    if not feed.columns:
        return list(record_type.fields)
    by_name = {field.name: field for field in record_type.fields}
    return [by_name[name] for name in feed.columns if name in by_name]


def positions(folded: Sequence[str], fields: Iterable[Field]) -> dict[str, int]:
    """Map field names to positions: names first, so that no alias takes another field's name."""
    at = {name: i for i, name in enumerate(folded)}
    fields = list(fields)
    taken = {field.name: at[fold(field.name)] for field in fields if fold(field.name) in at}
    free = {name: i for name, i in at.items() if i not in taken.values()}
    for field in fields:
        spelled = [free[fold(alias)] for alias in field.aliases if fold(alias) in free]
        if spelled and field.name not in taken:
            taken[field.name] = spelled[0]
    return taken


def kept_columns(
    header: Sequence[str], free: Sequence[int], feed: Feed, taken: Iterable[str]
) -> list[tuple[int, Field]]:
    """The free columns that the feed keeps as text under their own names. taken: field names."""
    if not feed.keep_unknown:
        return []
    names = set(taken)
    return [(i, Field(name=header[i].strip())) for i in free if header[i].strip() not in names]


def operation_position(header: Sequence[str], feed: Feed) -> int | None:
    """The position of the feed's row operation column; None where there is none."""
    if feed.row_operation is None:
        return None
    name, folded = fold(feed.row_operation.column), [fold(cell) for cell in header]
    return folded.index(name) if name in folded else None


def _refuse_unreadable(header: Sequence[str], folded: Sequence[str]) -> None:
    issues = [
        Issue(
            Code.UNREADABLE_HEADER,
            f"Column {i} has no name in the header. Name it, or remove the column.",
        )
        for i, name in enumerate(folded, start=1)
        if not name
    ]
    if not folded:
        issues.append(Issue(Code.UNREADABLE_HEADER, "The header has no column names."))
    first = dict(zip(reversed(folded), reversed(header), strict=True))
    for name, times in Counter(filter(None, folded)).items():
        if times > 1:
            issues.append(_repeated(first[name], times))
    if issues:
        raise FileRefused(*issues)


def _repeated(name: str, times: int) -> Issue:
    return Issue(
        Code.DUPLICATE_COLUMN,
        f'The column "{short(name)}" appears {times} times (case is ignored). Keep one of them.',
        column=name,
        value=short(name),
    )


def unknown_columns(
    header: Sequence[str], free: Sequence[int], partners: Mapping[str, str]
) -> Iterator[Issue]:
    """Warn about each free column. partners: an unused name to the free column that may mean it."""
    meant = {column: name for name, column in partners.items()}
    for i in free:
        name = header[i].strip()
        question = f' Did you mean "{short(meant[name])}"?' if name in meant else ""
        yield Issue(
            Code.UNKNOWN_COLUMN,
            f'The column "{short(name)}" is unknown and was ignored.{question}',
            column=header[i],
            value=short(name),
            severity=Severity.WARNING,
        )


def unnamed(number: int) -> Iterator[Issue]:
    """Warn about columns without a name at the end, if there are any."""
    if number:
        yield Issue(
            Code.UNKNOWN_COLUMN,
            f"Ignored at the end because they have no name: {counted(number, 'column')}.",
            severity=Severity.WARNING,
        )


def near_names(name: str, candidates: Sequence[str]) -> list[str]:
    """Up to two candidates that are spelled much like the name, the nearest first."""
    by_fold = {fold(c)[:_COMPARED]: c for c in candidates[: 5 * _COMPARED]}
    folds = difflib.get_close_matches(fold(name)[:_COMPARED], list(by_fold), 2, _NEAR)
    return [by_fold[name] for name in folds]


def short(name: str) -> str:
    """As much of a column's name as an issue shows."""
    return visible(name.strip()[:SHOWN_CHARACTERS])
