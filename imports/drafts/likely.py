"""Which feed a file most likely is for, before anybody has said: by its name, then its columns."""

from __future__ import annotations

from imports.drafts import guessing, keeping, sampling
from imports.mapping.automatch import normal_form, targets_of
from imports.mapping.spec import BadSpec
from imports.models import ImportDraft
from portal.models import User
from portal.records.catalog import catalog
from portal.records.definitions import Feed


def aim(draft: ImportDraft, user: User) -> None:
    """Choose the feed that the file looks like. What it looks like is only where to start."""
    try:
        feed = feed_of(draft)
    except BadSpec:
        return
    if feed != draft.feed:
        draft.feed = feed
        draft.spec = keeping.with_part(draft, fields={})
        found = {name: draft.sample.get(name) for name in ("notes", "confidence")}
        keeping.save(draft, user, draft.version, feed=feed, **guessing.mapped(draft, found))


def feed_of(draft: ImportDraft) -> str:
    """Name of the feed that knows the largest share of the draft's columns; its own on a tie.

    A file that is called as a feed's files are is for that feed. Raises BadSpec.
    """
    feeds = catalog().feeds()
    for feed in feeds:
        if feed.file_name.lower() == draft.file_name.lower():
            return feed.name
    taken = sampling.take(draft, sampling.reading_of(draft))
    header = {normal_form(name) for name in taken.header} - {""}
    best = max(feeds, key=lambda feed: (_known(feed, header), feed.name == draft.feed))
    return best.name


def _known(feed: Feed, header: set[str]) -> float:
    """How much of the header the feed knows, less the part of its needed columns that is absent."""
    targets = targets_of(feed, catalog().record_type(feed.record_type))
    hits = [bool(header & _forms(field.name, *field.aliases)) for field in targets]
    needed = [hit for hit, field in zip(hits, targets, strict=True) if field.required]
    return sum(hits) / max(len(header), 1) + sum(needed) / max(len(needed), 1)


def _forms(*names: str) -> set[str]:
    return {normal_form(name) for name in names}
