"""Which field each column of a file most likely is: by name, by values, by earlier mappings.

Every suggestion has a reason and a confidence. A column gets at most one field, and a field at
most one column; the assignment is the one that is best as a whole. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    learned: Mapping[str, Mapping[str, int]],
) -> list[Suggestion]:
    """One suggestion for each column, in the file's order.

    samples: rows of cells, the first 160 are looked at. learned: normal form of a header to the
    fields it was mapped to before and how often (this tenant and others of the type).
    """
    targets = targets_of(feed, record_type)
    names = FieldNames(record_type, targets)
    columns = shapes(samples, len(header))
    ideas: list[list[Idea]] = []
    for name, shape in zip(header, columns, strict=True):
        column = _Column(shape, learned.get(normal_form(name), {}), record_type.key)
        ideas.append(list(map(column.idea, names.ideas(name), targets)))
    chosen = dict(assign(_weights(ideas, len(targets))))
    return [
        _suggestion(i, shape, targets, ideas[i], chosen.get(i)) for i, shape in enumerate(columns)
    ]


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
    ideas: Sequence[Idea],
    chosen: int | None,
) -> Suggestion:
    seen = tuple(value[:_SHOWN] for value in dict.fromkeys(shape.values))[:3]
    if chosen is not None:
        idea = ideas[chosen]
        return Suggestion(column, targets[chosen].name, round(idea.sure, 2), idea.reason, seen)
    best = max(range(len(ideas)), key=lambda i: ideas[i].sure, default=None)
    reason = NO_IDEA.reason
    if best is not None and ideas[best].sure >= _SURE_ENOUGH:
        reason = f'It could be "{targets[best].name}", but another column is a closer match.'
    return Suggestion(column, None, 0.0, reason, seen)


class _Column:
    """One column: how its values and earlier mappings change the idea that its name gives."""

    def __init__(self, shape: ColumnShape, before: Mapping[str, int], key: tuple[str, ...]) -> None:
        self._fits = _Fits(shape)
        self._before = before
        self._key = key
        self._times = max(1, sum(before.values()))

    def idea(self, named: Idea, field: Field) -> Idea:
        """How sure it is that this column is the field."""
        valued = self._with_values(named, field)
        times = self._before.get(field.name, 0)
        sure = 0.6 + 0.38 * times / self._times
        if times and sure > valued.sure:
            before = counted(times, "time")
            return Idea(sure, f"A column of this name was mapped this way {before} before.")
        return valued

    def _with_values(self, named: Idea, field: Field) -> Idea:
        if not self._fits.shape.values or named.sure == 1.0:
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
            return Idea(min(0.98, named.sure + more), named.reason)
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

    def another_kind(self) -> FieldType | None:
        """The type that the values all look like, where that is no ordinary text."""
        kinds = (FieldType.EMAIL, FieldType.DATE)
        return next((kind for kind in kinds if self.share(kind) >= 0.9), None)


def _weighed(named: Idea, share: float, what: str, alone: float) -> Idea:
    """The idea that the name gives, corrected by the values. alone: how sure values alone are."""
    if share >= 0.9:
        sure = named.sure + (1 - named.sure) * 0.2 if named.sure > 0.3 else 0.0
        if alone > sure:
            return Idea(alone, f"Its values look like {what}.")
        return Idea(min(0.99, sure), f"{named.reason} Its values look like {what}.")
    if share < 0.3 and named.sure:
        part = 0.9 if named.sure >= 0.95 else 0.6
        return Idea(named.sure * part, f"{named.reason} But its values do not look like {what}.")
    return named
