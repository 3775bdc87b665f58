"""Lines that stand in quotes as a whole, as if each were one value: `"1,""Lee, Ann"",x"`. Pure.

A spreadsheet writes them that took each line of a file for one cell.
"""

from __future__ import annotations

from collections.abc import Sequence

_BESIDE = ",;\t| "  # the delimiters of empty columns


def stands_in_quotes(line: str, quote: str) -> bool:
    """Whether the whole line is one value in quotes."""
    line = line.rstrip(_BESIDE)
    enclosed = len(line) > 1 and line[0] == line[-1] == quote
    return enclosed and quote not in line[1:-1].replace(quote * 2, "")


def unwrapped(line: str, quote: str) -> str:
    """The line without the quotes around it; as it is where there are none."""
    inside = line.rstrip(_BESIDE)
    if len(inside) < 2 or not inside[0] == inside[-1] == quote:
        return line
    return inside[1:-1].replace(quote * 2, quote)


def are_wrapped(lines: Sequence[str], quote: str) -> bool:
    """Whether all the lines that are not blank stand in quotes."""
    filled = [line for line in lines if line.strip()]
    return bool(quote and filled) and all(stands_in_quotes(line, quote) for line in filled)


def are_surely_wrapped(lines: Sequence[str], quote: str, delimiters: Sequence[str]) -> bool:
    """Whether they stand in quotes and are rows without them: of several values, and as many each.

    A column of names such as `"Lee, Ann"` under a header of one name is none.
    """
    if not are_wrapped(lines, quote):
        return False
    inside = [_outside(unwrapped(line, quote), quote) for line in lines if line.strip()]
    counts = ({line.count(delimiter) for line in inside} for delimiter in delimiters)
    return len(inside) > 1 and any(len(each) == 1 and min(each) > 1 for each in counts)


def _outside(line: str, quote: str) -> str:
    return "".join(line.split(quote)[::2])
