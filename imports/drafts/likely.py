"""Which feed a file most likely is for: by its name, then by its columns."""

from __future__ import annotations

from imports.drafts import guessing, keeping, sampling
from imports.mapping.automatch import normal_form, targets_of
from imports.mapping.spec import BadSpec
from imports.models import ImportDraft
from portal.models import User
from portal.records.catalog import catalog
from portal.records.definitions import Feed


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
    """Name of the feed that has the largest share of the draft's columns; its own on a tie.

    A file with the usual name of a feed's files is for that feed. Raises BadSpec.
    """
    feeds = catalog().feeds()
    for feed in feeds:
        if feed.file_name.lower() == draft.file_name.lower():
            return feed.name
    taken = sampling.take(draft, sampling.reading_of(draft))
    header = {normal_form(name) for name in taken.header} - {""}
    best = max(feeds, key=lambda feed: (_share(feed, header), feed.name == draft.feed))
    return best.name


def _share(feed: Feed, header: set[str]) -> float:
    """The share of the header that the feed has, plus the share of its needed columns in it."""
    targets = targets_of(feed, catalog().record_type(feed.record_type))
    hits = [bool(header & _forms(field.name, *field.aliases)) for field in targets]
    needed = [hit for hit, field in zip(hits, targets, strict=True) if field.required]
    return sum(hits) / max(len(header), 1) + sum(needed) / max(len(needed), 1)


def _forms(*names: str) -> set[str]:
    return {normal_form(name) for name in names}
