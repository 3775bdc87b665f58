"""Whether a column writes the day first, and its numbers with a decimal comma. Pure.

31/01/2027 can only be the last of January, so 02/01/2027 in the same column is the second of it:
one proof decides a whole column. A column without one follows the file's others, then what the last
file proved, then the dictionary: month first, decimal point. Proofs that contradict each other make
what can be read in two ways unreadable, unless a hundred outweigh each of the other kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import xxhash

from imports.check.columns import ColumnMapping
from imports.check.locale_proofs import Cells, Evidence, Ints, Proofs
from imports.issues import Code, Issue, Severity, counted
from portal.records.definitions import Field, FieldType

_DATES = frozenset({FieldType.DATE, FieldType.DATETIME})
_SLASH, _COMMA = ord("/"), ord(",")
_MONTHS = 12
_PAIR = re.compile(rb"(?<![0-9])([0-9]{1,2})/([0-9]{1,2})(?![0-9])")
# A pair that may go on in the block before or after.
_CUT_BEFORE, _CUT_AFTER = re.compile(rb"[0-9]{0,2}/[0-9]?"), re.compile(rb"[0-9]/[0-9]{0,2}$")
_LONGEST = 8  # bytes


def questions(mapping: ColumnMapping) -> dict[int, Field]:
    """The columns whose cells may be written in two ways, where no template says in which."""
    asked = {position: each for position, each in mapping.columns if _may_differ(each)}
    for computed in mapping.computed:
        if _may_differ(computed.field) and not computed.own_format:
            asked.update(dict.fromkeys(computed.positions, computed.field))
    return asked


def _may_differ(field: Field) -> bool:
    return field.type in _DATES or field.type is FieldType.NUMBER


def may_need_a_look(blocks: Iterable[bytes], asked: Iterable[Field], encoding: str) -> bool:
    """Whether some bytes of the file can be such a date or number at all.

    Cheap: most files have ISO dates, and are not looked at twice.
    """
    if encoding.startswith("utf-16"):
        return True
    types = {each.type for each in asked}
    signs = ([_SLASH] if types & _DATES else []) + ([_COMMA] if FieldType.NUMBER in types else [])
    return any(_may_be_written_otherwise(block, sign) for block in blocks for sign in signs)


def _may_be_written_otherwise(block: bytes, sign: int) -> bool:
    """Whether the sign stands between two digits, and for a slash so that a date may be there:
    31/31/2026 is none in any order. At a block's border it may.
    """
    array = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(array == sign)
    if not at.size:
        return False
    if at[0] == 0 or at[-1] == array.size - 1:
        return True
    before, after = array[at - 1] - np.uint8(48), array[at + 1] - np.uint8(48)
    at = at[(before < 10) & (after < 10)]
    return bool(at.size) and (sign != _SLASH or _may_be_a_date(block, at))


def _may_be_a_date(block: bytes, slashes: Ints) -> bool:
    """Whether a slash between digits may stand in a date. slashes: their places."""
    if _CUT_BEFORE.match(block) or _CUT_AFTER.search(block[-_LONGEST:]):
        return True
    windows = (block[max(0, place - 3) : place + 4] for place in slashes.tolist())
    pairs = (_PAIR.search(window) for window in windows)
    return any(pair and min(int(pair[1]), int(pair[2])) <= _MONTHS for pair in pairs)


def look(
    chunks: Iterable[tuple[bytes, Ints]],
    mapping: ColumnMapping,
    asked: Mapping[int, Field],
    delimiter: str,
    quote: str = '"',
) -> Evidence:
    """Read those columns of the whole file. chunks: as the validator gets them, with the lines."""
    schema = {f"r{at}": pl.String() for at in range(len(mapping.header))}
    proofs = {
        at: Proofs(mapping.header[at], each.type in _DATES) for at, each in sorted(asked.items())
    }
    for data, lines in chunks:
        if not data:
            continue
        frame = pl.read_csv(
            data,
            has_header=False,
            schema=schema,
            columns=sorted(asked),
            separator=delimiter,
            quote_char=quote or None,
            eol_char="\n",
            raise_if_empty=False,
        )
        for at, each in proofs.items():
            each.add(frame[f"r{at}"].str.strip_chars(), lines)
    return Evidence(proofs)


def decided(
    mapping: ColumnMapping, evidence: Evidence, before: Mapping[str, bool] | None = None
) -> ColumnMapping:
    """The mapping that reads each column as it is written, with what must be told about it.

    before: what the last file of the kind proved, by column. What is decided counts in the
    fingerprint: the same bytes then mean something else.
    """
    ways = {at: _way(proofs, evidence, before or {}) for at, proofs in evidence.proofs.items()}
    changed = [(at, way.other) for at, way in sorted(ways.items()) if way.other is not False]
    warnings = [way.warning for way in ways.values() if way.warning is not None]
    if not changed:
        return replace(mapping, warnings=(*mapping.warnings, *warnings))
    return replace(
        mapping,
        columns=tuple((at, _written(each, ways.get(at))) for at, each in mapping.columns),
        computed=tuple(
            replace(each, field=_written(each.field, _of_first(each.positions, ways)))
            for each in mapping.computed
        ),
        warnings=(*mapping.warnings, *warnings),
        fingerprint=mapping.fingerprint ^ xxhash.xxh3_64_intdigest(repr(changed).encode()),
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """other: otherwise than the dictionary; None where the column contradicts itself."""

    other: bool | None
    warning: Issue | None = None


def _of_first(positions: Iterable[int], ways: Mapping[int, _Way]) -> _Way | None:
    return next((ways[at] for at in positions if at in ways), None)


def _written(field: Field, way: _Way | None) -> Field:
    if way is None or way.other is False:
        return field
    if field.type in _DATES:
        return replace(field, day_first=way.other)
    return replace(field, decimal_comma=way.other) if field.type is FieldType.NUMBER else field


def _way(proofs: Proofs, evidence: Evidence, before: Mapping[str, bool]) -> _Way:
    words = _WORDS[proofs.dates]
    if proofs.contradict:
        why = (
            f"{proofs.other.shown} {words.other_proof}, {proofs.usual.shown} {words.usual_proof}."
            " What can be read in two ways is rejected. Write the whole column in one way."
        )
        return _Way(None, _warning(proofs, f'"{proofs.column}" contradicts itself: {why}'))
    if proofs.proven is not None:
        if not (proofs.proven and proofs.either.count):
            return _Way(proofs.proven)
        why = f"{proofs.other.shown} can be nothing else"
        return _Way(True, _warning(proofs, _read(proofs, words.other, why)))
    if not proofs.either.count:
        return _Way(False)
    like = _proven_by_others(proofs, evidence)
    last = _last(proofs, evidence, before)
    if like is not None:
        why = f'"{like.column}" of this file is written so: {_proof(like).shown}'
    elif last is not None:
        why = "the last file was written so"
    else:
        why = "nothing in the column proves another way, and that is the dictionary's"
    other = like.proven if like is not None else last
    if not other and (like is not None or last is not None):
        return _Way(False)
    way = words.other if other else words.usual
    return _Way(bool(other), _warning(proofs, f"{_read(proofs, way, why)} {words.advice}"))


def _proven_by_others(proofs: Proofs, evidence: Evidence) -> Proofs | None:
    """Another column of the kind with a proof, where all that have one say the same."""
    others = [e for e in evidence.proofs.values() if e.dates is proofs.dates]
    if any(each.contradict for each in others):
        return None
    proven = [each for each in others if each.proven is not None]
    return proven[0] if len({each.proven for each in proven}) == 1 else None


def _last(proofs: Proofs, evidence: Evidence, before: Mapping[str, bool]) -> bool | None:
    """What the last file proved of the column, or of the others of its kind."""
    if proofs.column in before:
        return before[proofs.column]
    alike = [each.column for each in evidence.proofs.values() if each.dates is proofs.dates]
    ways = {before[column] for column in alike if column in before}
    return ways.pop() if len(ways) == 1 else None


def _proof(proofs: Proofs) -> Cells:
    return proofs.other if proofs.proven else proofs.usual


def _read(proofs: Proofs, way: str, why: str) -> str:
    return (
        f'"{proofs.column}" can be read in two ways in {counted(proofs.either.count, "row")}, such'
        f" as {proofs.either.shown}. It was read {way}: {why}."
    )


def _warning(proofs: Proofs, message: str) -> Issue:
    shown = proofs.either if proofs.either.count else proofs.other
    return Issue(
        Code.DATE_ORDER if proofs.dates else Code.DECIMAL_SIGN,
        message,
        line=shown.line or None,
        column=proofs.column,
        value=shown.text,
        severity=Severity.WARNING,
    )


@dataclass(frozen=True, slots=True)
class _Words:
    usual: str
    other: str
    usual_proof: str
    other_proof: str
    advice: str


_WORDS = {
    True: _Words(
        "with the month first",
        "with the day first",
        "the month",
        "puts the day first",
        "If that is wrong, write dates as 2027-01-31, or choose the date format in a template.",
    ),
    False: _Words(
        "with commas between thousands",
        "with a decimal comma",
        "a decimal point",
        "has a decimal comma",
        "If that is wrong, write numbers as 1250.5, or choose the number format in a template.",
    ),
}
