"""Which column of a file is which field: the header against the feed. Pure.

A header matches a field's name first, then its aliases, both without case and surrounding blanks
(Core Data dictionary, research notes 1.5). What is missing is named together with what is near.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import xxhash

from imports.check.computed import Made
from imports.issues import Code, FileRefused, Issue, Severity, counted
from portal.records.definitions import Feed, Field, RecordType

ATTACHMENT_COLUMNS = ("_line", "_column", "_code", "_error")

_NEAR = 0.6  # difflib's ratio
_COMPARED = 100  # characters of a header, and headers: both are the sender's and may be huge
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """What each column of one file stands for.

    columns: position in the file and field, in the file's order. made: the fields that are more
    than a column. reasons: why a person must look at the file before it is applied, in sentences.
    operation_column: position of the feed's row operation column; operation: where steps make it.
    as_written: the names as the file has them, where the header here had to be numbered.
    ignored: headers of columns that no field takes. neutralised: the file is one of our error
    attachments. fingerprint: 64 bits that change with the header, the definitions and the
    mapping; it seeds the hashes of raw records.
    """

    header: tuple[str, ...]
    columns: tuple[tuple[int, Field], ...]
    operation_column: int | None
    ignored: tuple[str, ...]
    warnings: tuple[Issue, ...]
    neutralised: bool
    fingerprint: int
    made: tuple[Made, ...] = ()
    reasons: tuple[str, ...] = ()
    operation: Made | None = None
    as_written: tuple[str, ...] = ()

    @property
    def compiled(self) -> tuple[Made, ...]:
        """All that is made by stages."""
        return self.made if self.operation is None else (*self.made, self.operation)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields that have a value in the file."""
        return (*(field for _, field in self.columns), *(one.field for one in self.made))

    @property
    def spelled(self) -> dict[str, str]:
        """Field name to its columns' names as the file spells them."""
        plain = {field.name: self.header[position] for position, field in self.columns}
        return {**plain, **{one.field.name: one.header for one in self.made}}


def match(header: Sequence[str], feed: Feed, record_type: RecordType) -> Mapping:
    """The mapping of a file with that header. Raises FileRefused with every fault of the header."""
    folded = folded_names(header)
    neutralised = is_attachment(folded)
    fields = fields_of(feed, record_type)
    taken = positions(folded, fields)
    operation = operation_position(folded, feed)
    used = {*taken.values(), *(() if operation is None else (operation,))}
    ours = set(ATTACHMENT_COLUMNS) if neutralised else set()
    free = [i for i, name in enumerate(folded) if i not in used and name not in ours]
    kept = kept_columns(header, free, feed, taken)
    free = [i for i in free if i not in dict(kept)]
    _refuse_missing(header, free, feed, [f for f in fields if f.name not in taken], operation)
    _refuse_order(header, feed, taken, operation)
    unused = [field.name for field in fields if field.name not in taken]
    known = ((taken[f.name], f) for f in fields if f.name in taken)
    columns = tuple(sorted((*known, *kept), key=lambda column: column[0]))
    return Mapping(
        header=tuple(header),
        columns=columns,
        operation_column=operation,
        ignored=tuple(header[i] for i in free),
        warnings=(*unknown_columns(header, free, unused), *unnamed(len(header) - len(folded))),
        neutralised=neutralised,
        fingerprint=_fingerprint(header, feed, record_type, columns, operation),
    )


def folded_names(header: Sequence[str]) -> list[str]:
    """The names without case and blanks around, the nameless at the end left out.

    Raises FileRefused where one within is nameless, or is there twice.
    """
    width = _named_width(header)
    folded = [fold(name) for name in header[:width]]
    _refuse_unreadable(header[:width], folded)
    return folded


def numbered(header: Sequence[str]) -> list[str]:
    """The names, each once: what is there again gets a number, what is nameless its place.

    The second "Size" is "Size (2)", a nameless third column "Column 3"; case does not count. The
    nameless at the end stay so. A name that the file has itself is not taken.
    """
    width = _named_width(header)
    own = {fold(name) for name in header}
    seen: set[str] = set()
    names = []
    for place, cell in enumerate(header[:width], start=1):
        name = cell.strip()
        if not name or fold(name) in seen:
            name = _free_name(name, place, own | seen)
        seen.add(fold(name))
        names.append(name)
    return [*names, *header[width:]]


def _free_name(name: str, place: int, taken: Collection[str]) -> str:
    first = f"Column {place}" if not name else f"{name} (2)"
    tried = (f"{name or first} ({number})" for number in count(2))
    return next(one for one in chain([first], tried) if fold(one) not in taken)


def is_attachment(folded: Iterable[str]) -> bool:
    """Whether these are the columns of an error attachment of ours."""
    return set(ATTACHMENT_COLUMNS) <= set(folded)


def fold(name: str) -> str:
    """A column's name as it is compared."""
    return name.strip().lower()


def _named_width(header: Sequence[str]) -> int:
    """The number of columns without the nameless ones at the end, which spreadsheets leave."""
    width = len(header)
    while width and not header[width - 1].strip():
        width -= 1
    return width


def fields_of(feed: Feed, record_type: RecordType) -> list[Field]:
    """The fields that the feed knows, in its order."""
    if not feed.columns:
        return list(record_type.fields)
    by_name = {field.name: field for field in record_type.fields}
    return [by_name[name] for name in feed.columns if name in by_name]


def positions(folded: Sequence[str], fields: Iterable[Field]) -> dict[str, int]:
    """Field name to position: all names first, so that no alias takes what is another's name."""
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
    """The free columns that the feed keeps as texts under their own names. taken: fields' names."""
    if not feed.keep_unknown:
        return []
    names = set(taken)
    return [(i, Field(name=header[i].strip())) for i in free if header[i].strip() not in names]


def operation_position(header: Sequence[str], feed: Feed) -> int | None:
    """Where the feed's row operation column is; None where there is none."""
    if feed.row_operation is None:
        return None
    name, folded = fold(feed.row_operation.column), [fold(one) for one in header]
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
        f'The column "{_short(name)}" appears {times} times (case is ignored). Keep one of them.',
        column=name,
        found=_short(name),
    )


def _refuse_missing(
    header: Sequence[str],
    free: Sequence[int],
    feed: Feed,
    absent: Iterable[Field],
    operation: int | None,
) -> None:
    needed = [
        field.name
        for field in absent
        if field.required or field.header_required or feed.header_strict
    ]
    if feed.row_operation is not None and operation is None:
        needed.append(feed.row_operation.column)
    candidates = [header[i].strip() for i in free]
    issues = [missing_column(name, candidates) for name in needed]
    if issues:
        raise FileRefused(*issues)


def missing_column(name: str, candidates: Sequence[str]) -> Issue:
    """A column that the file must have, and which of the candidates may be meant."""
    near = near_names(name, candidates)
    if near:
        named = " and ".join(f'"{_short(candidate)}"' for candidate in near)
        advice = f"The file has {named}: rename {'it' if len(near) == 1 else 'the right one'}."
    else:
        advice = "Add it with exactly this spelling."
    return Issue(
        Code.MISSING_COLUMN,
        f'The column "{name}" is missing. {advice}',
        column=name,
        found=", ".join(near)[:_SHOWN],
    )


def _refuse_order(
    header: Sequence[str], feed: Feed, taken: dict[str, int], operation: int | None
) -> None:
    if not feed.header_strict:
        return
    at = dict(taken)
    if feed.row_operation is not None and operation is not None:
        at[feed.row_operation.column] = operation
    expected = [name for name in feed.columns if name in at]
    found = sorted(expected, key=at.__getitem__)
    if found != expected:
        spelled = ", ".join(header[at[name]].strip() for name in found)
        raise FileRefused(
            Issue(
                Code.WRONG_COLUMN_ORDER,
                f"The columns are in the wrong order: found {spelled};"
                f" expected {', '.join(expected)}. Put them in this order.",
                found=spelled[:_SHOWN],
            )
        )


def unknown_columns(
    header: Sequence[str], free: Sequence[int], unused: Sequence[str]
) -> Iterator[Issue]:
    """A warning for each free column, and which of the unused names may be meant."""
    for number, i in enumerate(free):
        name = header[i].strip()
        near = near_names(name, unused) if number < _COMPARED else []
        meant = f' Did you mean "{near[0]}"?' if near else ""
        yield Issue(
            Code.UNKNOWN_COLUMN,
            f'The column "{_short(name)}" is unknown and was ignored.{meant}',
            column=header[i],
            found=_short(name),
            severity=Severity.WARNING,
        )


def unnamed(number: int) -> Iterator[Issue]:
    """A warning for columns without a name at the end, if there are any."""
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


def _short(name: str) -> str:
    return name.strip()[:_SHOWN]


def _fingerprint(
    header: Sequence[str],
    feed: Feed,
    record_type: RecordType,
    columns: Iterable[tuple[int, Field]],
    operation: int | None,
) -> int:
    """The definitions go in whole, so that a change that forgot its version counts as well."""
    taken = [(i, field.name) for i, field in columns]
    facts = repr((list(header), feed, record_type, taken, operation))
    return xxhash.xxh3_64_intdigest(facts.encode("utf-8", "surrogatepass"))
