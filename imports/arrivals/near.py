"""Why a file name matches no template although it nearly does: the near misses and reasons. Pure.

Seed 003: "the file name is strict … case sensitive, including the file extension"; its example is
`Users2018.csv`, sent a year later as `Users2019.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from imports.arrivals.decisions import shown
from imports.arrivals.names import in_form_c

MOST = 3
_ALIKE = 0.8
_COMPARED = 500  # templates; nothing bounds their number
_FREE = re.compile(r"\(\d+\)|\bcopy\b|[\d\s_.-]+", re.I)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A name that a template has. reason: how the file's name differs from it, a sentence."""

    name: str
    reason: str


def near_misses(
    name: str, names: Collection[str], elsewhere: Mapping[str, str] | None = None
) -> tuple[NearMiss, ...]:
    """At most MOST names that the file may have been meant for, the nearest first.

    names: of the account's templates; the file's own name is not among them. elsewhere:
    exact names that do not count here, with the sentence that says why (a template of another
    account, one that is switched off).
    """
    misses = [NearMiss(name, elsewhere[name])] if elsewhere and name in elsewhere else []
    candidates = sorted(names)[:_COMPARED]
    for rule in (_other_case, _other_extension, _other_number):
        for candidate in candidates:
            if reason := rule(name, candidate):
                misses.append(NearMiss(candidate, reason))
    misses += _spelled_alike(name, candidates)
    nearest: dict[str, NearMiss] = {}
    for miss in misses:
        nearest.setdefault(miss.name, miss)
    return tuple(nearest.values())[:MOST]


def _other_case(name: str, other: str) -> str:
    if in_form_c(name) == in_form_c(other):
        return (
            f"The template's {shown(other)} looks the same, but its accents are encoded "
            "differently."
        )
    if _fold(name) == _fold(other):
        return f"The template's name is {shown(other)}: uppercase and lowercase letters differ."
    return ""


def _other_extension(name: str, other: str) -> str:
    (stem, end), (other_stem, other_end) = _split(name), _split(other)
    if _fold(stem) != _fold(other_stem) or _fold(end) == _fold(other_end):
        return ""
    fact = f"ends in {shown(end)}" if end else "has no extension"
    return f"The template's name is {shown(other)}: the file {fact}."


def _other_number(name: str, other: str) -> str:
    (stem, end), (other_stem, other_end) = _split(name), _split(other)
    bare = _FREE.sub("", _fold(stem))
    if not bare or bare != _FREE.sub("", _fold(other_stem)) or _fold(end) != _fold(other_end):
        return ""
    return f"The template's name is {shown(other)}: a year, a number or a separator differs."


def _spelled_alike(name: str, candidates: Collection[str]) -> Iterator[NearMiss]:
    folded = _fold(name)[:255]
    rated = [
        (SequenceMatcher(None, folded, _fold(candidate)[:255]).ratio(), candidate)
        for candidate in candidates
    ]
    for likeness, other in sorted(rated, key=lambda pair: (-pair[0], pair[1])):
        if likeness >= _ALIKE:
            reason = f"The template's name is {shown(other)}: the spelling is similar."
            yield NearMiss(other, reason)


def _fold(text: str) -> str:
    return in_form_c(text).casefold()


def _split(name: str) -> tuple[str, str]:
    stem, dot, end = name.rpartition(".")
    return (stem, dot + end) if stem else (name, "")
