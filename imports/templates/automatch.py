"""Which column of a file most likely is which field: by name, by values, by what was done before.

Every suggestion says why and how sure. One column gets one field at most, and one field one
column; the choice is the one that is best as a whole. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from imports.templates.assignment import assign
from imports.templates.naming import Name, likeness, meaning, parse, plain, vocabulary
from imports.templates.shapes import WORDS, Shape, shapes
from imports.templates.values import ValueSuggestion, share_known, value_map
from portal.records.definitions import Feed, Field, FieldType, RecordType

__all__ = [
    "Suggestion",
    "ValueSuggestion",
    "normal_form",
    "suggest",
    "unmapped_required",
    "value_map",
]

_SURE_ENOUGH = 0.5
_BY_WORDS = 0.88  # the best that a likeness of words can give
_BY_LETTERS = 0.8
_ALIKE = 0.8  # difflib's ratio
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


@dataclass(frozen=True, slots=True)
class _Target:
    """A field with its names. spelled: normal forms and how sure each makes us, with the reason."""

    field: Field
    name: Name
    spelled: Mapping[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Idea:
    sure: float
    reason: str


_NONE = _Idea(0.0, "No field is like it.")


def normal_form(header: str) -> str:
    """The form under which a header is remembered: `Student_ID` and `student id` are one."""
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
    targets = _targets(feed, record_type)
    columns = shapes(samples, len(header))
    matcher = _Matcher(record_type, targets, learned)
    ideas = [matcher.ideas(name, shape) for name, shape in zip(header, columns, strict=True)]
    weights = np.array([[idea.sure for idea in row] for row in ideas]).reshape(len(header), len(targets))
    weights = np.where(weights >= _SURE_ENOUGH, weights**3 - _distance(weights.shape), 0.0)
    chosen = dict(assign(weights))
    return [
        _suggestion(i, shape, targets, ideas[i], chosen.get(i)) for i, shape in enumerate(columns)
    ]


def unmapped_required(
    suggestions: Sequence[Suggestion], feed: Feed, record_type: RecordType
) -> list[Field]:
    """The fields whose column must be there and that no column was suggested for."""
    found = {suggestion.field for suggestion in suggestions}
    return [
        field
        for field in targets_of(feed, record_type)
        if field.name not in found and _needed(field, feed)
    ]


def targets_of(feed: Feed, record_type: RecordType) -> list[Field]:
    """What a column may be: the fields the feed knows, and its row operation as one of them."""
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


def _distance(shape: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Of two alike choices the one that keeps the order of fields: next to nothing."""
    columns, fields = np.ogrid[: shape[0], : shape[1]]
    return np.abs(columns - fields) * (1e-6 / max(1, *shape))


def _suggestion(
    column: int,
    shape: Shape,
    targets: Sequence[_Target],
    ideas: Sequence[_Idea],
    chosen: int | None,
) -> Suggestion:
    seen = tuple(value[:_SHOWN] for value in dict.fromkeys(shape.values))[:3]
    if chosen is not None:
        idea = ideas[chosen]
        return Suggestion(
            column, targets[chosen].field.name, round(idea.sure, 2), idea.reason, seen
        )
    best = max(range(len(ideas)), key=lambda i: ideas[i].sure, default=None)
    reason = _NONE.reason
    if best is not None and ideas[best].sure >= _SURE_ENOUGH:
        reason = f'It could be "{targets[best].field.name}", but another column is more like it.'
    return Suggestion(column, None, 0.0, reason, seen)


def _targets(feed: Feed, record_type: RecordType) -> list[_Target]:
    return [
        _Target(field, parse(field.name), _spelled(record_type, field))
        for field in targets_of(feed, record_type)
    ]


def _spelled(record_type: RecordType, field: Field) -> dict[str, tuple[float, str]]:
    """The surest reason last, so that it stays."""
    others = vocabulary().spellings(record_type.name, field.name)
    return {
        **{plain(other): (0.92, "Other systems call the field so.") for other in others},
        plain(field.label): (0.95, "The field's label."),
        **{plain(alias): (0.97, "Another name of the field.") for alias in field.aliases},
        plain(field.name): (0.98, "The same name but for case, blanks and punctuation."),
    }


class _Matcher:
    """All fields of one feed against one column after the other."""

    def __init__(
        self,
        record_type: RecordType,
        targets: Sequence[_Target],
        learned: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._type = record_type
        self._targets = targets
        self._learned = learned
        known = vocabulary()
        self._faint = known.faint | known.context.get(record_type.name, frozenset())
        self._bigrams = [_bigrams(target.name.plain) for target in targets]
        self._meanings = [
            (sure, left_out, _meanings(targets, record_type, left_out))
            for sure, left_out in ((0.9, known.faint), (_BY_WORDS, self._faint))
        ]

    def ideas(self, header: str, shape: Shape) -> list[_Idea]:
        """How sure it is for each field that this column is it."""
        name = parse(header)
        before = self._learned.get(name.plain, {})
        fits = _Fits(shape)
        meant = {
            field: sure
            for sure, left_out, meanings in reversed(self._meanings)
            for field in meanings.get(meaning(name, left_out), ())
        }
        bigrams = _bigrams(name.plain)
        return [
            self._idea(
                header,
                name,
                target,
                len(bigrams & own) * 3 > len(own),
                meant.get(target.field.name, 0.0),
                before,
                fits,
            )
            for target, own in zip(self._targets, self._bigrams, strict=True)
        ]

    def _idea(
        self,
        header: str,
        name: Name,
        target: _Target,
        letters: bool,
        meant: float,
        before: Mapping[str, int],
        fits: _Fits,
    ) -> _Idea:
        if header.strip().lower() == target.field.name.lower():
            return _Idea(1.0, "The same name.")
        named = self._by_name(name, target, letters, meant)
        valued = self._with_values(named, target.field, fits)
        times = before.get(target.field.name, 0)
        share = times / max(1, sum(before.values()))
        if times and 0.6 + 0.38 * share > valued.sure:
            return _Idea(0.6 + 0.38 * share, f"A column of this name was mapped so {times} times.")
        return valued

    def _by_name(self, name: Name, target: _Target, letters: bool, meant: float) -> _Idea:
        if name.plain in target.spelled:
            return _Idea(*target.spelled[name.plain])
        if meant:
            return _Idea(meant, "Its words mean the same.")
        words = _BY_WORDS * likeness(name, target.name, self._faint)
        words *= _numbered(name.numbers, target.name.numbers)
        best = _Idea(words, "Its words are like it.")
        if letters and name.numbers == target.name.numbers:
            ratio = difflib.SequenceMatcher(None, name.plain, target.name.plain).ratio()
            if ratio >= _ALIKE and ratio * _BY_LETTERS > best.sure:
                return _Idea(ratio * _BY_LETTERS, "It is spelled much alike.")
        return best

    def _with_values(self, named: _Idea, field: Field, fits: _Fits) -> _Idea:
        if not fits.shape.values:
            return named
        if field.type is FieldType.ENUM:
            return _weighed(named, fits.enumeration(field), f"values of {field.name}", 0.5)
        if field.type in WORDS:
            alone = _ALONE.get(field.type, 0.0)
            return _weighed(named, fits.share(field.type), WORDS[field.type], alone)
        if field.name in self._type.key and named.sure:
            more = 0.02 * fits.shape.identifies + 0.02 * fits.shape.leading_zeros
            return _Idea(min(0.98, named.sure + more), named.reason)
        other = fits.another_kind()
        if other and named.sure < 0.95:
            return _Idea(named.sure * 0.75, f"{named.reason} But its values are {WORDS[other]}.")
        return named


class _Fits:
    """How far one column's values fit a type; each is worked out once."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._shares: dict[FieldType, float] = {}
        self._known: dict[str, float] = {}

    def share(self, kind: FieldType) -> float:
        if kind not in self._shares:
            self._shares[kind] = self.shape.share(kind)
        return self._shares[kind]

    def enumeration(self, field: Field) -> float:
        if field.name not in self._known:
            distinct = self.shape.distinct
            self._known[field.name] = share_known(field, distinct) if len(distinct) <= _FEW else 0.0
        return self._known[field.name]

    def another_kind(self) -> FieldType | None:
        """What the values all look like, where that is no ordinary text."""
        kinds = (FieldType.EMAIL, FieldType.DATE)
        return next((kind for kind in kinds if self.share(kind) >= 0.9), None)


def _weighed(named: _Idea, share: float, what: str, alone: float) -> _Idea:
    """What the name says, after a look at the values. alone: how sure values alone make us."""
    if share >= 0.9:
        sure = named.sure + (1 - named.sure) * 0.2 if named.sure > 0.3 else 0.0
        if alone > sure:
            return _Idea(alone, f"Its values look like {what}.")
        return _Idea(min(0.99, sure), f"{named.reason} Its values look like {what}.")
    if share < 0.3 and named.sure:
        part = 0.9 if named.sure >= 0.95 else 0.6
        return _Idea(named.sure * part, f"{named.reason} But its values do not look like {what}.")
    return named


def _numbered(found: tuple[str, ...], expected: tuple[str, ...]) -> float:
    """Numbers in a name must agree; the first of several may go without: Email is EmailAddress1."""
    found = tuple(number.lstrip("0") or "0" for number in found)
    if found == expected:
        return 1.0
    filled = ("1",) * (len(expected) - len(found)) + found
    return 0.95 if filled == expected else 0.3


def _meanings(
    targets: Sequence[_Target], record_type: RecordType, left_out: frozenset[str]
) -> dict[tuple[str, ...], set[str]]:
    """The names of the fields by what they are called; what two are called alike says nothing."""
    found: dict[tuple[str, ...], set[str]] = {}
    for target in targets:
        field = target.field
        others = vocabulary().spellings(record_type.name, field.name)
        for spelling in (field.name, field.label, *field.aliases, *others):
            if spelling:
                found.setdefault(meaning(parse(spelling), left_out), set()).add(field.name)
    return {words: fields for words, fields in found.items() if len(fields) == 1}


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(chain((text[i : i + 2] for i in range(len(text) - 1)), text[:1]))
