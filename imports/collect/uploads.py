"""What the drop server has recorded about the files in a folder: who put them there, and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from imports.arrivals.listing import Listing
from imports.arrivals.names import is_temporary
from imports.collect import folders
from imports.collect.deliveries import Folder
from imports.collect.folders import source_of_entry
from portal.dropserver.rights import ERRORS_ENDING
from portal.models import Upload

# An upload whose server was lost is ended by another one's sign of life; so long it may take.
_LONGEST = timedelta(days=1)


def sent_attachments(folder: Folder, listing: Listing) -> frozenset[str]:
    """Error attachments that a sender has put there, and not the portal."""
    entries = {
        entry.name: source_of_entry(entry)
        for entry in listing
        if entry.name.endswith(ERRORS_ENDING) and not entry.is_dir
    }
    return frozenset(_of_senders(folder, entries))


def is_sent(folder: Folder, name: str) -> bool:
    """Whether the file of that name was put there by a sender, and not by the portal."""
    entry = folder.listing().by_name.get(name)
    return entry is not None and name in _of_senders(folder, {name: source_of_entry(entry)})


def open_names(folder: Folder) -> set[str]:
    """The names of the files that are being uploaded into the folder now.

    A path has one writer at a time, so an upload that a later one of its path follows has ended,
    though its server was lost before it could say so.
    """
    later = Upload.objects.filter(
        endpoint_id=folder.drop.endpoint_id,
        path=OuterRef("path"),
        started_at__gt=OuterRef("started_at"),
    )
    rows = Upload.objects.filter(
        ~Exists(later),
        endpoint_id=folder.drop.endpoint_id,
        state=Upload.State.OPEN,
        started_at__gt=Now() - _LONGEST,
    )
    names = {name for name in _names(folder, rows.values_list("path", flat=True)) if name}
    return names | {name.rpartition(".")[0] for name in names if is_temporary(name)}


def replaced(folder: Folder) -> QuerySet[Upload]:
    """Complete uploads into the folder whose name another one took, not looked at yet."""
    rows = Upload.objects.filter(
        endpoint_id=folder.drop.endpoint_id, replaced_at__isnull=False, replaced_checked=False
    )
    return rows.filter(path__startswith=f"{_folder(folder)}/").order_by("pk")


def name_in(folder: Folder, upload: Upload) -> str:
    """The name of the file in the folder; empty for one of another folder."""
    return next(iter(_names(folder, [upload.path])))


def _names(folder: Folder, paths: Iterable[str]) -> list[str]:
    parts = [path.strip("/").rpartition("/") for path in paths]
    return [name if place == _folder(folder) else "" for place, _, name in parts]


def _folder(folder: Folder) -> str:
    return "/".join(folders.path_of(folder.drop.path))


def _of_senders(folder: Folder, sources: dict[str, str]) -> set[str]:
    """Those of the names whose present file is one that was uploaded. sources: by name."""
    if not sources:
        return set()
    paths = {f"{_folder(folder)}/{name}": name for name in sources}
    rows = Upload.objects.filter(
        endpoint_id=folder.drop.endpoint_id, path__in=list(paths), state=Upload.State.COMPLETE
    )
    return {
        paths[path]
        for path, source in rows.values_list("path", "source")
        if source == sources[paths[path]]
    }
