"""What was found out about the records of a buffer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imports.issues import Code
from imports.scan import cells
from imports.scan.chunks import ScanLimits
from imports.scan.record_bounds import Ints

GOOD: Final = 0
BLANK: Final = 1  # a line, which is no record
BLANK_ROW: Final = 2  # a record without a value
REPEATED: Final = 3  # the header once more
ORDER: Final = (
    Code.TOO_FEW_CELLS,
    Code.TOO_MANY_CELLS,
    Code.CELL_TOO_LARGE,
    Code.OPEN_QUOTE,
    Code.BAD_QUOTE,
    Code.BAD_ENCODING,
    Code.NUL_BYTE,
    Code.ROW_TOO_LARGE,
)  # a later code explains a record better than an earlier one
FIRST_CODE: Final = 4
NUMBER: Final = {code: number for number, code in enumerate(ORDER, start=FIRST_CODE)}


@dataclass(frozen=True, slots=True)
class Examined:
    """The records of a buffer with a verdict for each: GOOD, BLANK, BLANK_ROW, REPEATED or the
    number of a code. requoted: the indices of those whose quotes were mended."""

    data: bytes
    start: Ints
    end: Ints
    first: Ints
    cells: Ints
    codes: NDArray[np.uint8]
    delimiter: str
    columns: int
    limits: ScanLimits
    quote: str
    requoted: list[int] = field(default_factory=list)


def raw_of(examined: Examined, index: int) -> bytes:
    """Return a record without its line end."""
    return examined.data[examined.start[index] : examined.end[index]]


def largest_cell(raw: bytes, delimiter: str, quote: str) -> tuple[int, int]:
    """Number (from 1) and bytes of a record's largest cell."""
    sizes = [
        len(cell.encode("utf-8", "surrogateescape"))
        for cell in cells.split(raw.decode("utf-8", "surrogateescape"), delimiter, quote)
    ]
    largest = max(sizes)
    return sizes.index(largest) + 1, largest
