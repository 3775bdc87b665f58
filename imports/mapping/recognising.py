"""Which feed a file's columns are for, by the same likeness that maps its columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imports.mapping.automatch import suggest, targets_of
from imports.mapping.naming import likeness, parse, vocabulary
from portal.records.definitions import Feed, RecordType

# How much each counts; the values were measured on whole exports of other systems
# (tests/imports/mapping/rosters.yaml).
_EXPLAINED = 1.0  # the columns that find a field, against the feed where most of them do
_KEY = 0.6  # the least sure column of the key
_STRANGERS = 0.25  # columns that speak of people whom the records are not about
_OPERATION = 0.5  # a missing column for the row operation
_NAME = 0.3  # the file's own name

_CLEARLY = 0.5  # by how much a feed must be likelier than the one that the file was sent for
_NEAR = 0.15  # feeds that are no further apart than this are equally likely
_COVERED = 0.8  # the part of its needed fields that a likely feed finds
_SURE_ENOUGH = 0.7  # how sure a column for the row operation must be


@dataclass(frozen=True, slots=True)
class FeedLikeness:
    """How much a file looks like those of a feed.

    score: to be compared with another feed's only. covered: part of the needed fields, 0 to 1.
    """

    feed: Feed
    score: float
    covered: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """One feed's fields in the file. score: without the share of the columns it explains."""

    feed: Feed
    score: float
    explained: float
    covered: float


def likely_feeds(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    feeds: Iterable[tuple[Feed, RecordType]],
    file_name: str = "",
) -> list[FeedLikeness]:
    """The feeds, the likeliest first; of two equal ones the order stays."""
    people = vocabulary().people(frozenset().union(*(parse(name).raw for name in header)))
    fits = [_fit(header, samples, *pair, people) for pair in feeds]
    most = max((fit.explained for fit in fits), default=0.0) or 1.0
    likenesses = [
        FeedLikeness(
            fit.feed,
            fit.score + _EXPLAINED * fit.explained / most + _NAME * _named(file_name, fit.feed),
            fit.covered,
        )
        for fit in fits
    ]
    return sorted(likenesses, key=lambda likeness: -likeness.score)


def clearly_for(likenesses: Sequence[FeedLikeness], instead_of: str = "") -> list[Feed]:
    """The feeds that the file is clearly for, rather than for the feed of that name.

    At most three, where they are equally likely; none where no feed is likely enough.
    """
    if not likenesses:
        return []
    best = likenesses[0]
    own = next((each.score for each in likenesses if each.feed.name == instead_of), None)
    if best.covered < _COVERED or (own is not None and best.score - own < _CLEARLY):
        return []
    near = [each.feed for each in likenesses if best.score - each.score < _NEAR]
    return near if len(near) <= 3 else []


def _fit(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    feed: Feed,
    record_type: RecordType,
    people: str | None,
) -> _Fit:
    suggestions = suggest(header, samples, feed, record_type, {})
    sure = {each.field: each.confidence for each in suggestions if each.field}
    targets = targets_of(feed, record_type)
    needed = [f.name for f in targets if f.required or f.name in record_type.key]
    covered = _mean([sure.get(name, 0.0) for name in needed])
    score = _mean([sure.get(name, 0.0) ** 3 for name in needed])
    score += _KEY * min(sure.get(name, 0.0) for name in record_type.key) ** 3
    score -= _STRANGERS * vocabulary().is_stranger(people, record_type.name)
    score -= _OPERATION * _lacks_operation(feed, sure)
    return _Fit(feed, score, sum(share**3 for share in sure.values()), covered)


def _lacks_operation(feed: Feed, sure: Mapping[str, float]) -> bool:
    rule = feed.row_operation
    return rule is not None and rule.blank is None and sure.get(rule.column, 0.0) < _SURE_ENOUGH


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / max(1, len(numbers))


def _named(file_name: str, feed: Feed) -> float:
    """How alike the file's own name and the feed's are."""
    name = parse(file_name.rpartition(".")[0] or file_name)
    names = (parse(feed.label), parse(feed.file_name.rpartition(".")[0]))
    return max(likeness(name, other, vocabulary().faint) for other in names)
