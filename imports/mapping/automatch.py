"""Which field each column of a file most likely is: by name, by values, by earlier mappings.

Every suggestion has a reason and a confidence. A column gets at most one field, and a field at
most one column; the assignment is the one that is best as a whole. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from imports.issues import counted
from imports.mapping.assignment import Weights, assign
from imports.mapping.field_names import NO_IDEA, FieldNames, Idea
from imports.mapping.naming import plain
from imports.mapping.shapes import WORDS, ColumnShape, shapes
from imports.mapping.values import ValueSuggestion, share_known, value_map
from portal.records.definitions import Feed, Field, FieldType, RecordType

__all__ = [
    "Suggestion",
    "ValueSuggestion",
    "normal_form",
    "suggest",
    "targets_of",
    "unmapped_required",
    "value_map",
]

_SURE_ENOUGH = 0.5
_SHOWN = 60  # characters of a sample
_FEW = 25  # an enumeration has no more distinct values

_WITH_DIGITS = {
    FieldType.DATE,
    FieldType.DATETIME,
    FieldType.INTEGER,
    FieldType.NUMBER,
    FieldType.CREDIT,
}
_BY_NAME = 0.85  # from here on a name is so near that fitting values prove it
_UNPROVEN = 0.88  # what a likeness alone is worth on a page, where 90 is called sure
_CONTESTED = 0.1  # the distance to another idea that makes a suggestion doubtful
_DENIED = 0.3  # what an earlier mapping is worth that the values speak against
_HINT = 0.55  # what others' mappings are worth

# Normal form of a header to the fields that it was mapped to before, and how often.
Earlier: TypeAlias = Mapping[str, Mapping[str, int]]
_NOTHING_SHARED: Earlier = MappingProxyType({})

_ALONE = {FieldType.EMAIL: 0.6, FieldType.GUID: 0.5, FieldType.DATE: 0.5, FieldType.DATETIME: 0.5}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one column most likely is.

    column: position in the file from 0. field: name, None where there is no idea; the feed's row
    operation column has a name here as well. confidence: 0 to 1. reason: a sentence. samples: the
    first three different values.
    """

    column: int
    field: str | None
    confidence: float
    reason: str
    samples: tuple[str, ...]


def normal_form(header: str) -> str:
    """The form under which a header is remembered: `Student_ID` and `student id` are the same."""
    return plain(header)


def suggest(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    feed: Feed,
    record_type: RecordType,
    learned: Earlier,
    shared: Earlier = _NOTHING_SHARED,
) -> list[Suggestion]:
    """One suggestion for each column, in the file's order.

    samples: rows of cells, the first 160 are looked at. learned: what the tenant mapped before.
    shared: what others mapped, a hint only where neither name nor values say anything.
    """
    targets = targets_of(feed, record_type)
    names = FieldNames(record_type, targets)
    columns = shapes(samples, len(header))
    ideas: list[list[Idea]] = []
    for name, shape in zip(header, columns, strict=True):
        form = normal_form(name)
        column = _Column(shape, learned.get(form, {}), shared.get(form, {}), record_type.key)
        ideas.append(column.ideas(names.ideas(name), targets))
    chosen = dict(assign(_weights(ideas, len(targets))))
    return [_suggestion(i, shape, targets, ideas, chosen.get(i)) for i, shape in enumerate(columns)]


def unmapped_required(
    suggestions: Sequence[Suggestion], feed: Feed, record_type: RecordType
) -> list[Field]:
    """The fields whose column must be there and that no column was suggested for."""
    suggested = {suggestion.field for suggestion in suggestions}
    return [
        field
        for field in targets_of(feed, record_type)
        if field.name not in suggested and _needed(field, feed)
    ]


def targets_of(feed: Feed, record_type: RecordType) -> list[Field]:
    """The fields that a column may be: those of the feed, and its row operation."""
    fields = {field.name: field for field in record_type.fields}
    rule = feed.row_operation
    if rule is not None:
        fields[rule.column] = Field(
            name=rule.column,
            type=FieldType.ENUM,
            values=tuple(rule.values),
            required=rule.blank is None,
        )
    names = feed.columns or tuple(fields)
    return [fields[name] for name in names if name in fields]


def _needed(field: Field, feed: Feed) -> bool:
    return field.required or field.header_required or feed.header_strict


def _weights(ideas: Sequence[Sequence[Idea]], width: int) -> Weights:
    """The weight of each idea: a sure idea weighs more than two vague ones.

    Of two equal choices the one that keeps the order of the fields wins.
    """
    sure: Weights = np.array([[idea.sure for idea in row] for row in ideas], np.float64)
    sure = sure.reshape(len(ideas), width)
    rows, columns = np.indices(sure.shape)
    distance = np.abs(rows - columns) * (1e-6 / max(1, *sure.shape))
    return np.where(sure >= _SURE_ENOUGH, sure**3 - distance, 0.0)


def _suggestion(
    column: int,
    shape: ColumnShape,
    targets: Sequence[Field],
    ideas: Sequence[Sequence[Idea]],
    chosen: int | None,
) -> Suggestion:
    seen = tuple(value[:_SHOWN] for value in dict.fromkeys(shape.values))[:3]
    row = ideas[column]
    if chosen is not None:
        idea, sure = row[chosen], _earned(column, ideas, chosen)
        return Suggestion(column, targets[chosen].name, round(sure, 2), idea.reason, seen)
    best = max(range(len(row)), key=lambda i: row[i].sure, default=None)
    reason = NO_IDEA.reason
    if best is not None and row[best].sure >= _SURE_ENOUGH:
        reason = f'It could be "{targets[best].name}", but another column is a closer match.'
    return Suggestion(column, None, 0.0, reason, seen)


def _earned(column: int, ideas: Sequence[Sequence[Idea]], chosen: int) -> float:
    """How sure a page may call the idea: a likeness, or one of two that are near, is never sure."""
    idea = ideas[column][chosen]
    others = (other.sure for at, other in enumerate(ideas[column]) if at != chosen)
    rivals = (row[chosen].sure for at, row in enumerate(ideas) if at != column)
    contested = max((*others, *rivals), default=0.0) > idea.sure - _CONTESTED
    return idea.sure if idea.proven and not contested else min(idea.sure, _UNPROVEN)


class _Column:
    """One column: how its values and earlier mappings change the idea that its name gives."""

    def __init__(
        self,
        shape: ColumnShape,
        before: Mapping[str, int],
        elsewhere: Mapping[str, int],
        key: tuple[str, ...],
    ) -> None:
        self._fits = _Fits(shape)
        self._before = before
        self._elsewhere = elsewhere
        self._key = key

    def ideas(self, named: Sequence[Idea], fields: Sequence[Field]) -> list[Idea]:
        """For each field how sure it is that this column is the field."""
        ideas = list(map(self._idea, named, fields))
        if self._elsewhere and max((idea.sure for idea in ideas), default=0.0) < _HINT:
            return list(map(self._hinted, ideas, fields))
        return ideas

    def _idea(self, named: Idea, field: Field) -> Idea:
        valued = self._with_values(named, field)
        times = self._before.get(field.name, 0)
        if not times:
            return valued
        share = times / sum(self._before.values())
        sure = 0.55 + 0.4 * share * times / (times + 1)
        if self._fits.deny(field, is_key=field.name in self._key):
            sure = _DENIED
        if sure <= valued.sure:
            return valued
        before = counted(times, "time")
        reason = f"A column of this name was mapped this way {before} before."
        return Idea(sure, reason, proven=sure > _UNPROVEN)

    def _hinted(self, idea: Idea, field: Field) -> Idea:
        denied = self._fits.deny(field, is_key=field.name in self._key)
        if denied or not self._elsewhere.get(field.name):
            return idea
        return Idea(_HINT, "Another institution mapped a column of this name this way.")

    def _with_values(self, named: Idea, field: Field) -> Idea:
        if not self._fits.shape.values:
            return named
        if field.type is FieldType.ENUM:
            return _weighed(named, self._fits.enumeration(field), f"values of {field.name}", 0.5)
        if field.type in WORDS and (named.sure or field.type in _ALONE):
            alone = _ALONE.get(field.type, 0.0)
            return _weighed(named, self._fits.share(field.type), WORDS[field.type], alone)
        return self._with_text(named, field) if named.sure else named

    def _with_text(self, named: Idea, field: Field) -> Idea:
        shape, other = self._fits.shape, self._fits.another_kind()
        if field.name in self._key:
            more = 0.02 * shape.identifies + 0.02 * shape.leading_zeros
            sure = max(named.sure, min(0.98, named.sure + more))
            return Idea(sure, named.reason, named.proven)
        if other and named.sure < 0.95:
            return Idea(named.sure * 0.75, f"{named.reason} But its values are {WORDS[other]}.")
        return named


class _Fits:
    """How far one column's values fit a type; each share is computed once."""

    def __init__(self, shape: ColumnShape) -> None:
        self.shape = shape
        self._shares: dict[FieldType, float] = {}
        self._enumerations: dict[str, float] = {}

    def share(self, kind: FieldType) -> float:
        if kind not in self._shares:
            self._shares[kind] = self.shape.share(kind)
        return self._shares[kind]

    def enumeration(self, field: Field) -> float:
        if field.name not in self._enumerations:
            distinct = self.shape.distinct
            self._enumerations[field.name] = (
                share_known(field, distinct) if len(distinct) <= _FEW else 0.0
            )
        return self._enumerations[field.name]

    def deny(self, field: Field, *, is_key: bool) -> bool:
        """Whether the values cannot be the field's: names are no e-mail addresses.

        Codes may be anything that a value map translates, and keys may be e-mail addresses.
        """
        if not self.shape.values:
            return False
        if field.type in (FieldType.EMAIL, FieldType.GUID, FieldType.CIP, FieldType.ZIP):
            return self.share(field.type) < 0.3
        if field.type in _WITH_DIGITS:
            return not any(map(_has_digit, self.shape.values))
        if field.type is FieldType.ENUM and len(self.shape.distinct) > _FEW:
            return True
        other = self.another_kind()
        return other is not None and not (is_key and other is FieldType.EMAIL)

    def another_kind(self) -> FieldType | None:
        """The type that the values all look like, where that is no ordinary text."""
        kinds = (FieldType.EMAIL, FieldType.DATE)
        return next((kind for kind in kinds if self.share(kind) >= 0.9), None)


def _has_digit(value: str) -> bool:
    return any(map(str.isdigit, value))


def _weighed(named: Idea, share: float, what: str, alone: float) -> Idea:
    """The idea that the name gives, corrected by the values. alone: how sure values alone are."""
    if share >= 0.9:
        sure = named.sure + (1 - named.sure) * 0.2 if named.sure > 0.3 else 0.0
        if alone > sure:
            return Idea(alone, f"Its values look like {what}.")
        if named.sure == 1.0:
            return named
        reason = f"{named.reason} Its values look like {what}."
        return Idea(min(0.99, sure), reason, proven=named.sure >= _BY_NAME)
    if share < 0.3 and named.sure:
        part = 0.88 if named.sure >= 0.95 else 0.6
        return Idea(named.sure * part, f"{named.reason} But its values do not look like {what}.")
    return named
