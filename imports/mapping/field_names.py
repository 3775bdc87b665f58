"""A header against the names of a feed's fields: how sure it is for each, and why. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from imports.mapping.naming import Name, likeness, meaning, parse, plain, vocabulary
from portal.records.definitions import Field, RecordType

_CERTAIN = 0.97  # from here on no other field is considered
_BY_WORDS = 0.88  # the best that a likeness of words can give
_BY_LETTERS = 0.8
_ALIKE = 0.8  # difflib's ratio
_FIRST = 0.95  # of the sureness where a number is missing that could be 1
_OTHER = 0.3  # of the sureness where the numbers in two names differ
_STRANGER = 0.4  # of the sureness where the name speaks of somebody whom the records are not about


@dataclass(frozen=True, slots=True)
class Idea:
    """That a column is some field. sure: 0 to 1. reason: a sentence.

    proven: whether more than a likeness speaks for it, so that a page may call it sure.
    """

    sure: float
    reason: str
    proven: bool = False


NO_IDEA = Idea(0.0, "No field is similar.")
_SAME_BUT_FOR_CASE = "The same name except for case, spaces and punctuation."


@dataclass(frozen=True, slots=True)
class _Called:
    """The names of one field.

    spelled: normal forms with the idea that each gives. reach: a name must have one of these words
    to be like the field's. pairs: letter pairs of its name.
    """

    folded: str
    name: Name
    spelled: Mapping[str, Idea]
    reach: frozenset[str]
    pairs: frozenset[str]


class FieldNames:
    """The names of all fields of one feed."""

    def __init__(self, record_type: RecordType, fields: Sequence[Field]) -> None:
        words = vocabulary()
        self._strangers = words.strangers(record_type.name)
        self._faint = words.faint | words.context.get(record_type.name, frozenset())
        self._called = [_called(record_type, field) for field in fields]
        self._meanings = [
            (
                Idea(sure, "Its words have the same meaning."),
                left_out,
                _meanings(record_type, fields, left_out),
            )
            for sure, left_out in ((_BY_WORDS, self._faint), (0.9, words.faint))
        ]

    def ideas(self, header: str) -> list[Idea]:
        """For each field how sure its name is for the column."""
        name, folded = parse(header), header.strip().lower()
        certain = [self._certain(folded, name, called) for called in self._called]
        if any(idea.sure >= _CERTAIN for idea in certain):
            return certain
        meant = {
            at: idea
            for idea, left_out, meanings in self._meanings
            for at in meanings.get(meaning(name, left_out), ())
        }
        words, pairs = frozenset(name.words), _pairs(name.plain)
        ideas = [
            max(
                (called.spelled.get(name.plain, NO_IDEA), meant.get(at, NO_IDEA)),
                key=lambda idea: idea.sure,
            )
            if at in meant or name.plain in called.spelled
            else self._alike(name, words, pairs, called)
            for at, called in enumerate(self._called)
        ]
        return list(map(_doubted, ideas)) if self._strangers.intersection(name.raw) else ideas

    def _certain(self, folded: str, name: Name, called: _Called) -> Idea:
        if folded == called.folded:
            return Idea(1.0, "The same name.", proven=True)
        idea = called.spelled.get(name.plain, NO_IDEA)
        return idea if idea.sure >= _CERTAIN else NO_IDEA

    def _alike(
        self, name: Name, words: frozenset[str], pairs: frozenset[str], called: _Called
    ) -> Idea:
        best = NO_IDEA
        if not called.reach.isdisjoint(words):
            alike = likeness(name, called.name, self._faint)
            alike *= _BY_WORDS * _numbered(name.numbers, called.name.numbers)
            best = Idea(alike, "Its words are similar.")
        if (
            len(pairs & called.pairs) * 3 > len(called.pairs)
            and name.numbers == called.name.numbers
        ):
            ratio = difflib.SequenceMatcher(None, name.plain, called.name.plain).ratio()
            if ratio >= _ALIKE and ratio * _BY_LETTERS > best.sure:
                return Idea(ratio * _BY_LETTERS, "The spelling is similar.")
        return best


def _doubted(idea: Idea) -> Idea:
    """The idea about a column that speaks of another person: a teacher's number, a parent's."""
    return Idea(idea.sure * _STRANGER, idea.reason)


def _called(record_type: RecordType, field: Field) -> _Called:
    """The field's names; the surest spelling comes last and replaces others."""
    others = vocabulary().spellings(record_type.name, field.name)
    spelled = {
        **_worth(others, Idea(0.92, "Other systems use this name for the field.")),
        **_worth([field.label], Idea(0.95, "The field's label.", proven=True)),
        **_worth(field.aliases, Idea(0.97, "Another name of the field.", proven=True)),
        **_worth([field.name], Idea(0.98, _SAME_BUT_FOR_CASE, proven=True)),
    }
    name = parse(field.name)
    reach = vocabulary().reach(name.words)
    return _Called(field.name.lower(), name, spelled, reach, _pairs(name.plain))


def _worth(spellings: Iterable[str], idea: Idea) -> dict[str, Idea]:
    return {normal: idea for normal in map(plain, spellings) if normal}


def _meanings(
    record_type: RecordType, fields: Sequence[Field], left_out: frozenset[str]
) -> dict[tuple[str, ...], set[int]]:
    """The fields by the words of their names; words that two fields share are left out."""
    fields_by_words: dict[tuple[str, ...], set[int]] = {}
    for at, field in enumerate(fields):
        for spelling in _spellings(record_type, field):
            fields_by_words.setdefault(meaning(parse(spelling), left_out), set()).add(at)
    return {words: at for words, at in fields_by_words.items() if words and len(at) == 1}


def _spellings(record_type: RecordType, field: Field) -> Iterator[str]:
    others = vocabulary().spellings(record_type.name, field.name)
    yield from filter(None, (field.name, field.label, *field.aliases, *others))


def _numbered(numbers: tuple[str, ...], expected: tuple[str, ...]) -> float:
    """Numbers in a name must agree; a missing number may be 1: Email is EmailAddress1."""
    numbers = tuple(number.lstrip("0") or "0" for number in numbers)
    if numbers == expected:
        return 1.0
    filled = ("1",) * (len(expected) - len(numbers)) + numbers
    return _FIRST if filled == expected else _OTHER


def _pairs(text: str) -> frozenset[str]:
    return frozenset(chain((text[at : at + 2] for at in range(len(text) - 1)), text[:1]))
