"""The copies of one delivery's files: each taken once, hashed while copied, or all given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.files.storage import default_storage

from imports.arrivals.listing import Entry
from imports.collect import snapshot
from imports.collect.deliveries import Folder
from imports.collect.snapshot import ChangedWhileCopied, Snapshot


@dataclass(slots=True)
class Copies:
    """prefix: of the storage names. taken: by the file's name. changed: names that were written to
    meanwhile, of which there is no copy."""

    folder: Folder
    prefix: str
    taken: dict[str, Snapshot] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def digest(self, entry: Entry) -> str:
        """The MD5 of the copy: what is imported is what was compared (A10).

        Raises FileNotFoundError where the file is gone, or changed while it was copied.
        """
        name = f"{self.prefix}-{len(self.taken)}"
        path = self.folder.file(entry.name)
        try:
            self.taken[entry.name] = snapshot.take(self.folder.jail, path, name)
        except ChangedWhileCopied as exc:
            self.changed.add(entry.name)
            raise FileNotFoundError(entry.name) from exc
        return self.taken[entry.name].md5

    def take(self, entry: Entry) -> None:
        """Copy the file unless that is done; one that is gone stays without a copy."""
        if entry.name in self.taken:
            return
        try:
            self.digest(entry)
        except FileNotFoundError:
            pass

    def discard(self) -> None:
        """Give them all up."""
        for copy in self.taken.values():
            default_storage.delete(copy.content)
