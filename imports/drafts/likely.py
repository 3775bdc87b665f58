"""Which feed a file most likely is for: by its name, then by its columns."""

from __future__ import annotations

from imports.drafts import guessing, keeping, sampling
from imports.mapping.recognising import FeedLikeness, clearly_for, likely_feeds
from imports.mapping.spec import BadSpec
from imports.models import ImportDraft
from portal.models import User
from portal.records.catalog import catalog
from portal.records.definitions import Feed

_COMPARED = 200  # columns of the file


def choose_feed(draft: ImportDraft, user: User) -> None:
    """Give the draft the likeliest feed, as a start that the person may change."""
    try:
        feed = feed_of(draft)
    except BadSpec:
        return
    if feed != draft.feed:
        draft.feed = feed
        draft.spec = keeping.with_part(draft, fields={})
        keeping.save(draft, user, draft.version, feed=feed, **guessing.mapped_again(draft))


def feed_of(draft: ImportDraft) -> str:
    """Name of the feed that the draft's columns are likeliest for; its own on a tie.

    A file with the usual name of a feed's files is for that feed, unless its columns are clearly
    another's. Raises BadSpec.
    """
    likenesses = likenesses_of(draft)
    named = [f.name for f in catalog().feeds() if f.file_name.lower() == draft.file_name.lower()]
    if not likenesses:
        return named[0] if named else draft.feed
    scores = {likeness.feed.name: likeness.score for likeness in likenesses}
    if named and not clearly_for(likenesses, named[0]):
        return named[0]
    return max(scores, key=lambda name: (scores[name], name == draft.feed))


def better_feeds(draft: ImportDraft) -> list[Feed]:
    """The feeds that the draft's file is clearly for, rather than for the chosen one."""
    try:
        return clearly_for(likenesses_of(draft), draft.feed)
    except (BadSpec, FileNotFoundError):
        return []


def likenesses_of(draft: ImportDraft) -> list[FeedLikeness]:
    """How like the draft's file is to each feed's; empty without a header. Raises BadSpec."""
    taken = sampling.take(draft, sampling.reading_of(draft))
    if not any(name.strip() for name in taken.header):
        return []
    pairs = [(feed, catalog().record_type(feed.record_type)) for feed in catalog().feeds()]
    rows = [cells for _line, cells in taken.rows]
    return likely_feeds(taken.header[:_COMPARED], rows, pairs, draft.file_name)
