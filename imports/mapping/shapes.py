"""What the values of a column look like: dates, e-mail addresses, numbers, identifiers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from portal.records.definitions import FieldType

_LOOKED_AT = 40  # values of a column
_LONGEST = 320  # characters of a value that are looked at

_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
_TIME = (
    r"(?:[T ,]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
    r"(?: ?[AaPp][Mm])?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?)?"
)
_NUMBER = r"[+-]?(?:\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,]\d+)?"

PATTERNS = {
    FieldType.EMAIL: re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]{2,}"),
    FieldType.DATE: re.compile(rf"(?:{_DATE}){_TIME}"),
    FieldType.INTEGER: re.compile(r"[+-]?\d+"),
    FieldType.NUMBER: re.compile(_NUMBER),
    FieldType.CREDIT: re.compile(r"\d{1,3}(?:[.,]\d+)?(?: ?(?:-|to|/) ?\d{1,3}(?:[.,]\d+)?)?"),
    FieldType.BOOLEAN: re.compile(
        r"(?i)true|false|t|f|1|0|y|n|yes|no|j|ja|nein|s|si|sí|oui|non|verdadero|falso|x"
    ),
    FieldType.CIP: re.compile(r"\d{2}(?:\.\d{2}(?:\d{2})?)?"),
    FieldType.ZIP: re.compile(r"\d{5}(?:-?\d{4})?"),
    FieldType.GUID: re.compile(r"(?i)\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?"),
}
PATTERNS[FieldType.DATETIME] = PATTERNS[FieldType.DATE]

WORDS = {
    FieldType.EMAIL: "e-mail addresses",
    FieldType.DATE: "dates",
    FieldType.DATETIME: "dates",
    FieldType.INTEGER: "whole numbers",
    FieldType.NUMBER: "numbers",
    FieldType.CREDIT: "credits",
    FieldType.BOOLEAN: "yes or no",
    FieldType.CIP: "CIP codes",
    FieldType.ZIP: "postal codes",
    FieldType.GUID: "GUIDs",
}


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """The filled values of one column of a sample, at most 40, unchanged."""

    values: tuple[str, ...]

    def share(self, kind: FieldType) -> float:
        """The part of the values that look like that type; 0 without values or a pattern."""
        pattern = PATTERNS.get(kind)
        if pattern is None or not self.values:
            return 0.0
        return sum(pattern.fullmatch(value) is not None for value in self.values) / len(self.values)

    @property
    def distinct(self) -> frozenset[str]:
        """The values without their repetitions."""
        return frozenset(self.values)

    @property
    def identifies(self) -> bool:
        """Whether the values could be identifiers: short, each once and with a digit."""
        return (
            len(self.values) > 1
            and len(self.distinct) == len(self.values)
            and all(len(v) <= 50 and " " not in v and any(map(str.isdigit, v)) for v in self.values)
        )

    @property
    def leading_zeros(self) -> bool:
        """Whether some value is a number that begins with a zero."""
        return any(len(v) > 1 and v[0] == "0" and v.isdigit() for v in self.values)


def shapes(samples: Sequence[Sequence[str]], width: int) -> list[ColumnShape]:
    """The shape of each of `width` columns of some rows; short rows are blank at their end."""
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in samples[: 4 * _LOOKED_AT]:
        for column, cell in zip(columns, row, strict=False):
            value = cell[:_LONGEST].strip()
            if value and len(column) < _LOOKED_AT:
                column.append(value)
    return [ColumnShape(tuple(column)) for column in columns]
