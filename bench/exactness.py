"""Whether the faults told in an error attachment are exactly those that were put into the file."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

Told = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Exactness:
    """Faults by row: put in, told with right line, columns and codes, not told, told too much."""

    truth: int
    right: int
    missing: tuple[Told, ...]
    extra: tuple[Told, ...]

    @property
    def is_exact(self) -> bool:
        return self.truth > 0 and not self.missing and not self.extra


def compare(truth: Path, attachment: Path) -> Exactness:
    """Compare both as sets of (line, columns, codes)."""
    wanted = {(int(line), column, code) for line, column, code in json.loads(truth.read_text())}
    found = set(_told(attachment))
    return Exactness(
        truth=len(wanted),
        right=len(wanted & found),
        missing=tuple(sorted(wanted - found)),
        extra=tuple(sorted(found - wanted)),
    )


def _told(attachment: Path) -> list[Told]:
    with attachment.open(encoding="utf-8-sig", newline="") as file:
        return [(int(row["_line"]), row["_column"], row["_code"]) for row in csv.DictReader(file)]
