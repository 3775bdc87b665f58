"""Whether the faults in an error attachment are exactly those that were put into the file."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

RowFault = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Exactness:
    """Faults by row: put in, reported exactly, missing, reported without being there."""

    truth: int
    right: int
    missing: tuple[RowFault, ...]
    extra: tuple[RowFault, ...]

    @property
    def is_exact(self) -> bool:
        return self.truth > 0 and not self.missing and not self.extra


def compare(truth: Path, attachment: Path) -> Exactness:
    """Compare both as sets of (line, columns, codes)."""
    expected = {(int(line), column, code) for line, column, code in json.loads(truth.read_text())}
    reported = set(_reported(attachment))
    return Exactness(
        truth=len(expected),
        right=len(expected & reported),
        missing=tuple(sorted(expected - reported)),
        extra=tuple(sorted(reported - expected)),
    )


def _reported(attachment: Path) -> list[RowFault]:
    with attachment.open(encoding="utf-8-sig", newline="") as file:
        return [(int(row["_line"]), row["_column"], row["_code"]) for row in csv.DictReader(file)]
