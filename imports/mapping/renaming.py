"""Which columns of a file may be meant where others are missing: each for one name only. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from imports.check.columns import fold, short
from imports.issues import Code, FileRefused, Issue
from imports.mapping.assignment import Weights, assign
from imports.mapping.field_names import FieldNames, Idea
from imports.mapping.naming import plain
from portal.records.definitions import Field, RecordType

_COMPARED = 200  # columns of a file: they are the sender's and may be very many
_LONGEST = 100  # characters of a name that are compared
_SPELLED = 0.75  # difflib's ratio
_LIKE = 0.62  # how sure an idea must be to be an advice
_ANOTHER = 0.85  # from here on a name clearly means some field
_NAMED = 5
_SHOWN = 60  # characters of a name that is only mentioned


class ColumnsMissing(FileRefused):
    """The file lacks columns. header: as the file has it."""

    def __init__(self, header: Sequence[str], *issues: Issue) -> None:
        super().__init__(*issues)
        self.header = tuple(header)

    def with_issues(self, *issues: Issue) -> Self:
        """The same refusal in other words."""
        return type(self)(self.header, *issues)


@dataclass(frozen=True, slots=True)
class Renames:
    """Which column of the file may be meant by each missing name.

    partners: missing name to the file's. left: the file's names that nothing takes.
    """

    partners: Mapping[str, str]
    left: tuple[str, ...]

    def issues(self, facts: Mapping[str, str], ending: str) -> Iterator[Issue]:
        """One issue for each missing name; the first without a partner names the columns left.

        facts: missing name to the sentence that says so. ending: of each advice, as a full stop.
        """
        left = self._left_words()
        for name, fact in facts.items():
            partner = self.partners.get(name)
            if partner is not None:
                advice = f'The file has "{short(partner)}": rename it{ending}'
            else:
                advice, left = f"Add it with exactly this spelling{ending}{left}", ""
            value = short(partner or "")
            yield Issue(Code.MISSING_COLUMN, f"{fact} {advice}", column=name, value=value)

    def _left_words(self) -> str:
        if not self.left:
            return ""
        named = ", ".join(f'"{name.strip()[:_SHOWN]}"' for name in self.left[:_NAMED])
        more = f" and {len(self.left) - _NAMED} more" if len(self.left) > _NAMED else ""
        return f" Of the file's columns nothing takes {named}{more}."


def renames(
    missing: Mapping[str, Sequence[str]],
    candidates: Sequence[str],
    record_type: RecordType,
    fields: Sequence[Field],
) -> Renames:
    """The best assignment of the file's free columns to the missing names as a whole.

    missing: the name of each missing column to the fields that it feeds. candidates: the file's
    free columns. fields: all that the feed has: a column that means another is not suggested.
    """
    compared = candidates[:_COMPARED]
    names = FieldNames(record_type, fields)
    ideas = [names.ideas(name) for name in compared]
    at = {field.name: place for place, field in enumerate(fields)}
    weights: Weights = np.zeros((len(missing), len(compared)), np.float64)
    for row, (name, fed) in enumerate(missing.items()):
        places = [at[field] for field in fed if field in at]
        for column, candidate in enumerate(compared):
            weights[row, column] = _likeness(name, candidate, places, ideas[column])
    absent = list(missing)
    partners = {absent[row]: compared[column] for row, column in assign(weights)}
    used = set(partners.values())
    return Renames(partners, tuple(name for name in candidates if name not in used))


def _likeness(name: str, candidate: str, places: Sequence[int], ideas: Sequence[Idea]) -> float:
    meant = max((ideas[place].sure for place in places), default=0.0)
    others = (idea.sure for place, idea in enumerate(ideas) if place not in places)
    if max(others, default=0.0) >= max(_ANOTHER, meant):
        return 0.0
    spelled = _ratio(name, candidate)
    best = max(meant if meant >= _LIKE else 0.0, spelled if spelled >= _SPELLED else 0.0)
    return float(best**3)


def _ratio(name: str, candidate: str) -> float:
    name, candidate = fold(name)[:_LONGEST], fold(candidate)[:_LONGEST]
    if plain(name) and plain(name) == plain(candidate):
        return 1.0
    matcher = difflib.SequenceMatcher(None, name, candidate)
    return matcher.ratio() if matcher.quick_ratio() >= _SPELLED else 0.0
