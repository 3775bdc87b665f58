"""Names of columns in a form that can be compared: words, their synonyms and how near they are.

The words are data (vocabulary.yaml beside this module). Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain, combinations
from pathlib import Path

import yaml

_LONGEST = 100  # characters of a name: it is the sender's and may be huge
_SEGMENTED = 40
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_FAINT = 0.2  # the weight of a faint word where only one side has it
_NEAR = 0.75  # how alike two words are that are near each other


@dataclass(frozen=True, slots=True)
class Name:
    """A name in parts.

    plain: its letters and digits only. words: canonical. numbers: in it. raw: words as written.
    """

    plain: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    raw: frozenset[str] = frozenset()


def plain(text: str) -> str:
    """The normal form: lower case letters and digits, without accents and punctuation."""
    return "".join(_raw(text))


@lru_cache(maxsize=20_000)
def parse(text: str) -> Name:
    """The name with its words replaced by their canonical ones."""
    raw = _raw(text)
    words = vocabulary()
    split = list(chain.from_iterable(words.segment(word) for word in raw))
    numbers = tuple(word for word in split if word.isdigit())
    canonical = words.canonical(w for w in split if not w.isdigit())
    return Name("".join(raw), canonical, numbers, frozenset(split))


def meaning(name: Name, left_out: frozenset[str]) -> tuple[str, ...]:
    """The words of a name in a fixed order; `left_out` only where no other word remains."""
    words = sorted({*name.words} - left_out) or sorted({*name.words})
    return (*words, *name.numbers)


def likeness(name: Name, other: Name, faint: frozenset[str]) -> float:
    """How alike the words of two names are, 0 to 1; `faint` words hardly count on one side only."""
    total = matched = 0.0
    near = vocabulary().near
    free = list(other.words)
    for word in name.words:
        best = max(free, key=lambda w: near(word, w), default="")
        alike = near(word, best) if best else 0.0
        if alike:
            free.remove(best)
            matched += 2 * alike
            total += 2
        else:
            total += _FAINT if word in faint else 1
    total += sum(_FAINT if word in faint else 1 for word in free)
    return matched / total if total else 0.0


def _raw(text: str) -> list[str]:
    text = _CAMEL.sub(" ", text[:_LONGEST].strip())
    text = unicodedata.normalize("NFKD", text).replace("#", " no ")
    text = "".join(c for c in text if not unicodedata.combining(c))
    return _WORD.findall(text.casefold())


@cache
def vocabulary() -> Vocabulary:
    """The words of vocabulary.yaml, read once."""
    path = Path(__file__).with_name("vocabulary.yaml")
    return Vocabulary(yaml.safe_load(path.read_text(encoding="utf-8")))


class Vocabulary:
    """What senders call things."""

    def __init__(self, data: Mapping[str, dict[str, dict[str, list[str]]]]) -> None:
        groups: Mapping[str, list[str]] = data["words"]  # type: ignore[assignment]
        phrases: Mapping[str, list[str]] = data["phrases"]  # type: ignore[assignment]
        self._word = {
            form: canonical
            for canonical, variants in groups.items()
            for variant in (canonical, *variants)
            for form in _umlauts(plain(variant))
        }
        self._phrase = {
            self._words(variant): self._words(target)
            for target, variants in phrases.items()
            for variant in (target, *variants)
        }
        self._longest = max(map(len, self._phrase))
        self._near = frozenset(
            frozenset(pair) for group in data["near"] for pair in combinations(group, 2)
        )
        self.faint = frozenset(data["faint"])
        self.context = {name: frozenset(words) for name, words in data["context"].items()}
        self.fields = data["fields"]
        self._people = data["people"]
        self._strangers = data["strangers"]
        self.values: Mapping[str, list[str]] = data["values"]  # type: ignore[assignment]

    def near(self, word: str, other: str) -> float:
        """1 for the same word, less for a word that is near, 0 otherwise."""
        if word == other:
            return 1.0
        return _NEAR if frozenset((word, other)) in self._near else 0.0

    def reach(self, words: Iterable[str]) -> frozenset[str]:
        """The words and all that are near them."""
        own = frozenset(words)
        return own.union(*(pair for pair in self._near if pair & own))

    def spellings(self, record_type: str, field: str) -> list[str]:
        """What other systems call the field of that type."""
        return self.fields.get(record_type, {}).get(field, [])

    def strangers(self, record_type: str) -> frozenset[str]:
        """Words for people whom the records of that type are not about."""
        groups = self._strangers.get(record_type, ())
        return frozenset(chain.from_iterable(self._people[group] for group in groups))

    def people(self, words: frozenset[str]) -> str | None:
        """The people that a header speaks of: learners before teachers before others."""
        groups = (name for name, group in self._people.items() if not words.isdisjoint(group))
        return next(groups, None)

    def is_stranger(self, people: str | None, record_type: str) -> bool:
        """Whether the records of that type are not about these people."""
        return people in self._strangers.get(record_type, ())

    def knows(self, word: str) -> bool:
        """Whether a normal form is a word that occurs in headers."""
        return word in self._words_in_use

    def canonical(self, words: Iterable[str]) -> tuple[str, ...]:
        """The words after the groups and the phrases were applied."""
        row = tuple(self._word.get(word, word) for word in words)
        return tuple(self._phrased(row))

    def segment(self, word: str) -> list[str]:
        """A compound word as its parts; any other word as it is."""
        if word in self._words_in_use or not 4 <= len(word) <= _SEGMENTED:
            return [word]
        best: list[list[str] | None] = [[], *[None] * len(word)]
        for end in range(2, len(word) + 1):
            for start in range(max(0, end - 20), end - 1):
                head, piece = best[start], word[start:end]
                if head is not None and piece in self._words_in_use:
                    words, shortest = [*head, piece], best[end]
                    if shortest is None or len(words) < len(shortest):
                        best[end] = words
        return best[-1] or [word]

    @cached_property
    def _words_in_use(self) -> frozenset[str]:
        singles = chain.from_iterable(key for key in self._phrase)
        words = (*self._word, *singles, *self.faint, *chain.from_iterable(self._near))
        return frozenset(word for word in words if len(word) > 1)

    def _words(self, text: str) -> tuple[str, ...]:
        return tuple(self._word.get(word, word) for word in _raw(text))

    def _phrased(self, row: tuple[str, ...]) -> Iterator[str]:
        at = 0
        while at < len(row):
            for size in range(min(self._longest, len(row) - at), 0, -1):
                target = self._phrase.get(row[at : at + size])
                if target is not None:
                    yield from target
                    at += size
                    break
            else:
                yield row[at]
                at += 1


def _umlauts(word: str) -> set[str]:
    """The word, and the word without the letters that replace German umlauts."""
    return {word, re.sub(r"([ao])e", r"\1", word), word.replace("ue", "u")}
