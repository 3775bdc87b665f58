"""Taking a file out of a drop: copied to storage, hashed while copied, so it cannot change later.

Seed 001, data processing step 1: the file is copied elsewhere before anything is done with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from django.core.files.base import File
from django.core.files.storage import default_storage

from imports.collect import folders
from portal.dropserver.jail import Jail
from portal.dropserver.paths import Path

_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The copy. content: its storage name. source: which file it was (`folders.source_of`)."""

    content: str
    size: int
    md5: str
    sha256: str
    source: str


class ChangedWhileCopied(Exception):
    """The file was written to during the copy: look again in the next round."""


if TYPE_CHECKING:
    _File = File[bytes]
else:  # the stubs' generic is a plain class at run time
    _File = File


class _Hashing(_File):
    """A file that hashes what storage reads from it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._source = file
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.copied = 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while block := self._source.read(chunk_size or _BLOCK):
            self.md5.update(block)
            self.sha256.update(block)
            self.copied += len(block)
            yield block


def keep_only(folder: str, token: int) -> None:
    """Remove the copies in a delivery's storage folder that other claims than `token` made.

    A collector that was killed while it copied leaves a file that no row names.
    """
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
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
        hashing = _Hashing(file)
        content = default_storage.save(name, hashing)
        after = os.fstat(file.fileno())
    source = folders.source_of(before)
    if folders.source_of(after) != source or hashing.copied != before.st_size:
        default_storage.delete(content)
        raise ChangedWhileCopied(path[-1])
    return Snapshot(
        content=content,
        size=hashing.copied,
        md5=hashing.md5.hexdigest(),
        sha256=hashing.sha256.hexdigest(),
        source=source,
    )
