"""Which value of an enumeration a file's value means: `M` is Male, `enr` is Enrolled. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from imports.issues import SHOWN_CHARACTERS
from imports.mapping.naming import plain, vocabulary
from portal.records.definitions import Field

_MOST = 1_000  # distinct values that are compared: no enumeration has more
_ALIKE = 0.75  # difflib's ratio
_TAKEN = 0.95  # from here on the field knows the spelling
_LIKELY = 0.7
_SHORT = 2  # a code of so few letters may be short for several words
_DOUBTFUL = 0.5  # how sure an ambiguous code is at most
_SEVERAL = "So short a code may mean something else."


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSuggestion:
    """What one value of the file means. spelling: the file's. count: rows that have it.

    value: the canonical value, None where there is no idea. confidence: 0 to 1. reason: a sentence.
    ambiguous: it may well mean something else, so that only a person can say.
    """

    spelling: str
    count: int
    value: str | None
    confidence: float
    reason: str
    ambiguous: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether the field itself takes the spelling, so that nothing is guessed."""
        return self.confidence >= _TAKEN

    @property
    def is_likely(self) -> bool:
        """Whether a page may set the value in advance, marked as a guess."""
        return self.value is not None and self.confidence >= _LIKELY and not self.ambiguous


def value_map(field: Field, distinct: Mapping[str, int]) -> list[ValueSuggestion]:
    """For each value of the file (blank ones aside) the field's value that it most likely means.

    Values beyond the thousandth get no suggestion. The order is that of `distinct`.
    """
    values = _Values(field)
    filled = [(spelling, count) for spelling, count in distinct.items() if spelling.strip()]
    return [
        _suggestion(values, spelling, count, values.meant(spelling) if at < _MOST else _NO_IDEA)
        for at, (spelling, count) in enumerate(filled)
    ]


def _suggestion(values: _Values, spelling: str, count: int, meant: _Meant) -> ValueSuggestion:
    value, sure, reason = meant
    ambiguous = value is not None and sure < _TAKEN and values.may_be_another(spelling, value)
    return ValueSuggestion(
        spelling=spelling,
        count=count,
        value=value,
        confidence=min(sure, _DOUBTFUL) if ambiguous else sure,
        reason=f"{reason} {_SEVERAL}" if ambiguous else reason,
        ambiguous=ambiguous,
    )


def share_known(field: Field, distinct: frozenset[str]) -> float:
    """The share of some values that surely belong to an enumeration."""
    values = _Values(field)
    hits = sum(values.meant(value)[1] >= 0.85 for value in islice(distinct, _MOST))
    return hits / len(distinct) if distinct else 0.0


_Meant = tuple[str | None, float, str]
_NO_IDEA: _Meant = (None, 0.0, "No similar value.")


class _Values:
    """The spellings of one field's values, the surest first."""

    def __init__(self, field: Field) -> None:
        self._values = field.values
        self._exact = {value.strip().lower(): value for value in field.values}
        self._alias = {k.strip().lower(): v for k, v in field.value_aliases.items()}
        self._plain = {plain(value): value for value in field.values}
        self._other: dict[str, set[str]] = {}
        for value in field.values:
            for spelling in vocabulary().values.get(value, ()):
                self._other.setdefault(plain(spelling), set()).add(value)

    def meant(self, spelling: str) -> _Meant:
        """The value it means, how sure that is, and why."""
        folded, normal = spelling.strip().lower()[:SHOWN_CHARACTERS], plain(spelling)
        return next(self._ideas(folded, normal), _NO_IDEA)

    def may_be_another(self, spelling: str, meant: str) -> bool:
        """Whether the spelling is one letter, or a short code with which another value begins."""
        normal = plain(spelling)
        if len(normal) > _SHORT:
            return False
        others = (
            form
            for value in self._values
            if value != meant
            for form in (value, *vocabulary().values.get(value, ()))
        )
        return len(normal) <= 1 or any(plain(form).startswith(normal) for form in others)

    def _ideas(self, folded: str, normal: str) -> Iterator[_Meant]:
        if folded in self._exact:
            yield self._exact[folded], 1.0, "The same value."
        if folded in self._alias:
            yield self._alias[folded], 0.98, "Another spelling that the field accepts."
        if normal in self._plain:
            yield self._plain[normal], 0.95, "The same except for spaces and punctuation."
        others = self._other.get(normal, set())
        if len(others) == 1:
            yield next(iter(others)), 0.9 if len(normal) > 1 else 0.85, "Often written like this."
        begins = [v for v in self._values if normal and plain(v).startswith(normal)]
        if len(begins) == 1:
            yield begins[0], 0.8 if len(normal) > 2 else 0.7, "The only value that begins this way."
        near = difflib.get_close_matches(normal, self._plain, 1, _ALIKE)
        if near:
            yield self._plain[near[0]], 0.7, "Similar spelling."
