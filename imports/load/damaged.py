"""Changes of texts that spreadsheets make unasked: they are imported, and told field by field.

A value alone does not show that it was "02111" before; the stored one beside it does. Compared in
sets by SQL over the changed records, of which the first MOST are looked at: where more change, a
limit asks (`imports/load/doubts.py`).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from django.db import connection, transaction
from psycopg import sql

from imports.check import spreadsheets
from imports.issues import Code, Severity, counted
from imports.load.changes import before_and_after, changed
from imports.load.measure import PlannedFile
from imports.load.plan import choose_join
from imports.report.summary import EXAMPLES, IssueTally, Summary
from portal.records.definitions import FieldType, RecordType

MOST = 100_000

# Letters with accents and the letters without, as far as one is written for one.
_ACCENTED = "".join(
    letter for code in range(0xC0, 0x250)
    if (letter := chr(code)) and unicodedata.normalize("NFD", letter)[0].isascii()
)  # fmt: skip
_PLAIN = "".join(unicodedata.normalize("NFD", letter)[0] for letter in _ACCENTED)
_OTHER_LETTER: LiteralString = "'[^\\u0001-\\u007f]'"
# What became of a text, in words, and the condition over its old and its new value.
_KINDS: Mapping[str, LiteralString] = {
    "leading zeros or a plus are gone": (
        "old ~ '^[+0]' AND length(new) < length(old) AND ltrim(new, '+0') = ltrim(old, '+0')"
    ),
    "decimals came or went": (
        "old ~ '^[0-9]+[.][0-9]*0$' AND new = rtrim(rtrim(old, '0'), '.')"
        " OR new ~ '^[0-9]+[.]0+$' AND old = split_part(new, '.', 1)"
    ),
    "dates were made of them, or written in another way": (
        "new ~* {date} AND old !~* {date} OR new ~ '^[0-9]{{1,2}}[/.][0-9]{{1,2}}[/.][0-9]{{2,4}}'"
        " AND old ~ '^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{1,2}}[-/.][0-9]{{1,2}})$'"
    ),
    "seconds were added to times": (
        "old ~ '^[0-9]{{1,2}}:[0-9]{{2}}$' AND starts_with(ltrim(new, '0'), ltrim(old, '0') || ':')"
    ),
    "digits after the fifteenth became zeros": (
        "old ~ '^[0-9]{{16,}}$' AND new ~ '^[0-9]{{15}}0+$' AND left(old, 15) = left(new, 15)"
    ),
    "letters became question marks, or are gone": (
        "old ~ {other} AND new IN (regexp_replace(old, {other}, '?', 'g'),"
        " regexp_replace(old, {other}, '', 'g'), regexp_replace(old, {other}, chr(65533), 'g'))"
    ),
    "letters lost their accents": "new = translate(old, {accented}, {plain})",
    "straight quotes, hyphens or dots became typographic ones": (
        "old = replace(replace(translate(new, {typographic}, {straight}), chr(8212), '--'),"
        " chr(8230), '...')"
    ),
    "their end was cut off": (
        "length(new) IN (255, 32767, 50000) AND length(old) > length(new) AND starts_with(old, new)"
    ),
    "true and false were translated": "old ~* '^(true|false)$' AND new ~* {truth}",
}
_LITERALS: Mapping[str, str] = {
    "date": spreadsheets.DATE_OF_CODE,
    "accented": _ACCENTED,
    "plain": _PLAIN,
    "typographic": "\u2018\u2019\u201c\u201d\u2013",
    "straight": "''\"\"-",
    "truth": spreadsheets.TRUTH,
}
_STATEMENT: LiteralString = (
    "SELECT name, kind, count(*), (array_agg(line ORDER BY line))[:{most}],"
    " (array_agg(left(old, 90) || ' → ' || left(new, 90) ORDER BY line))[:{most}] FROM ("
    "SELECT v.name, line, old, new, CASE {kinds} END AS kind FROM ("
    "SELECT m.line, r.data AS before, s.data AS after {changed} AND r.active LIMIT {limit}) c"
    " CROSS JOIN LATERAL (VALUES {fields}) v(name, old, new)"
    " WHERE old <> new AND old <> '' AND new <> '') changed"
    " WHERE kind IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 3 DESC"
)


@dataclass(frozen=True, slots=True)
class _Change:
    """What became of values of one field. values: the first ones, before and after."""

    kind: str
    count: int
    lines: list[int]
    values: list[str]

    def examples(self) -> list[tuple[int | None, str]]:
        return list(zip(self.lines, self.values, strict=True))


def of_plan(file: PlannedFile, summary: Summary, headers: Mapping[str, str]) -> int:
    """Add a warning for each field that has such changes; return the number of values.

    headers: field name to the header as the file spells it.
    """
    names = _texts(file.record_type)
    if not (file.plan.updated and names):
        return 0
    statement = file.staging.statement(
        _STATEMENT,
        kinds=_kinds(),
        changed=changed(file.staging),
        fields=before_and_after(names),
        most=sql.Literal(EXAMPLES),
        limit=sql.Literal(MOST),
    )
    by_field: dict[str, list[_Change]] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(file.plan.updated)
        cursor.execute(statement)
        for name, *change in cursor.fetchall():
            by_field.setdefault(name, []).append(_Change(*change))
    for name, changes in by_field.items():
        summary.add_tally(_warning(headers.get(name, name), changes))
    return sum(change.count for changes in by_field.values() for change in changes)


def _kinds() -> sql.Composed:
    """The cases of `_KINDS`."""
    literals = {name: sql.Literal(text) for name, text in _LITERALS.items()}
    return sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN {}").format(
            sql.SQL(condition).format(other=sql.SQL(_OTHER_LETTER), **literals), sql.Literal(kind)
        )
        for kind, condition in _KINDS.items()
    )


def _warning(header: str, changes: Sequence[_Change]) -> IssueTally:
    """The one issue about a field. The first example of each kind comes first."""
    count = sum(change.count for change in changes)
    kinds = "; ".join(change.kind for change in changes)
    message = (
        f'"{header}" changes in {counted(count, "record")} as spreadsheets change values: {kinds}. '
        "The values were taken as they stand. If they are not meant, format the column as text, "
        "fill it in from where it comes, and send the rows again."
    )
    examples = [
        example
        for each in itertools.zip_longest(*(change.examples() for change in changes))
        for example in each
        if example is not None
    ]
    return IssueTally(
        Severity.WARNING, Code.LOOKS_DAMAGED, header, message, count, examples[:EXAMPLES]
    )


def _texts(record_type: RecordType) -> list[str]:
    return [
        field.name
        for field in record_type.fields
        if field.type is FieldType.TEXT
        and not (field.many or field.references or field.name in record_type.key)
    ]
