"""Taking a file out of a drop: copied to storage, hashed while copied, so it cannot change later.

Seed 001, data processing step 1: the file is copied elsewhere before anything is done with it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from django.core.files.storage import default_storage

from imports.collect import folders
from portal import storage
from portal.dropserver.jail import Jail, source_of
from portal.dropserver.paths import Path
from portal.storage import HashedFile

_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The copy. content: its storage name. source: which file it was (`source_of`)."""

    content: str
    size: int
    md5: str
    sha256: str
    source: str


class ChangedWhileCopied(Exception):
    """The file was written to during the copy: look again in the next round."""


def keep_only(folder: str, token: int) -> None:
    """Remove the copies in a delivery's storage folder that other claims than `token` made.

    A collector that was killed while it copied leaves a file that no row names.
    """
    for name in storage.stored_names(folder):
        if not name.startswith(f"{token}-"):
            default_storage.delete(f"{folder}/{name}")


def md5_of(jail: Jail, path: Path) -> str:
    """The MD5 of a file that is not copied. Raises FileNotFoundError where it is gone, OSError."""
    digest = hashlib.md5(usedforsecurity=False)
    with folders.reading(jail, path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def take(jail: Jail, path: Path, name: str) -> Snapshot:
    """Copy a file to storage under `name`.

    Raises FileNotFoundError where it is gone, ChangedWhileCopied, OSError.
    """
    with folders.reading(jail, path) as file:
        before = os.fstat(file.fileno())
        hashed = HashedFile(file, with_md5=True)
        content = default_storage.save(name, hashed)
        after = os.fstat(file.fileno())
    source = source_of(before)
    if source_of(after) != source or hashed.size_read != before.st_size:
        default_storage.delete(content)
        raise ChangedWhileCopied(path[-1])
    return Snapshot(
        content=content,
        size=hashed.size_read,
        md5=hashed.md5,
        sha256=hashed.sha256,
        source=source,
    )
