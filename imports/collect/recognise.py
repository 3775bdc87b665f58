"""What a file looks like that nothing takes, by its columns: so that its sender is told where to.

Only the first bytes are read. A file that cannot be read looks like nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, cast

from django.core.files.storage import default_storage

from imports.arrivals.decisions import shown
from imports.arrivals.misplaced import MisplacedFile
from imports.collect import folders
from imports.issues import FileRefused
from imports.mapping.recognising import clearly_for, likely_feeds
from imports.models import ImportTemplate, Sighting
from imports.scan.dialect import detect
from imports.scan.scanner import read_header
from portal import logs
from portal.dropserver.jail import Jail
from portal.models import Drop
from portal.records.catalog import catalog
from portal.records.definitions import Feed

log = logs.get(__name__)
_COMPARED = 200  # columns of a file
_MOST = 20  # files that one round reads
_NAMED = 5
# Ends the reason of a misplaced file that a later round will read; till then it has no receipt.
LATER = " The portal looks at its columns in a moment."

Opened = Callable[[], AbstractContextManager[BinaryIO]]


def feeds_of_stored(content: str, size: int, name: str) -> list[Feed]:
    """As `feeds_of`, for a copy in storage."""

    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        with default_storage.open(content, "rb") as file:
            yield cast(BinaryIO, file)

    return feeds_of(opened, size, name)


def feeds_of(opened: Opened, size: int, name: str) -> list[Feed]:
    """The feeds that a file is clearly for by its header; none where that cannot be said."""
    types = catalog().record_type
    pairs = [(feed, types(feed.record_type)) for feed in catalog().feeds()]
    try:
        with opened() as file:
            header = read_header(file, detect(file, size)).cells
    except (FileRefused, OSError):
        return []
    except Exception as exc:  # a hint is not worth a delivery
        log.warning("header_not_recognised", exc_info=exc)
        return []
    return clearly_for(likely_feeds(header[:_COMPARED], [], pairs, name))


def template_hint(feeds: Collection[Feed], account_id: int | None) -> str:
    """A sentence with the names under which the account's templates take such files."""
    if not feeds:
        return ""
    names = [feed.name for feed in feeds]
    templates = ImportTemplate.objects.filter(account=account_id, feed__in=names, enabled=True)
    file_names = [name for row in templates.order_by("name") for name in row.file_names]
    looks = f"By its columns it looks like {_labels(feeds)}"
    if account_id is None or not file_names:
        return f"{looks}."
    named = ", ".join(map(shown, file_names[:_NAMED]))
    return f"{looks}, which this account sends as {named}."


def misplaced(
    jail: Jail, files: Collection[MisplacedFile], drops: Collection[Drop], sizes: dict[str, int]
) -> Iterator[MisplacedFile]:
    """The misplaced files with what they look like; each is read once, some in a round."""
    stored = dict(
        Sighting.objects.filter(
            endpoint__in={drop.endpoint_id for drop in drops}, gone_at=None, verdict="misplaced"
        ).values_list("path", "reason")
    )
    unread = _MOST
    for file in files:
        reason = stored.get(file.path, "")
        if not reason.startswith(file.reason) or reason.endswith(LATER):
            hint = _folder_hint(jail, file.path, sizes[file.path], drops) if unread else LATER
            unread -= 1 if unread else 0
            reason = f"{file.reason}{hint}"
        yield MisplacedFile(file.path, reason)


def _folder_hint(jail: Jail, path: str, size: int, drops: Collection[Drop]) -> str:
    place = folders.path_of(path)
    feeds = feeds_of(lambda: folders.reading(jail, place), size, place[-1])
    names = [feed.name for feed in feeds]
    paths = [drop.path for drop in drops if drop.feed in names][:_NAMED]
    if not paths:
        return f" By its columns it looks like {_labels(feeds)}." if feeds else ""
    named = " or ".join(map(shown, paths))
    return f" By its columns it looks like {_labels(feeds)}: the folder for that is {named}."


def _labels(feeds: Collection[Feed]) -> str:
    return " or ".join(feed.label for feed in feeds)
