"""Files on their way into storage: hashed while they are read, moved where they may be, tidied.

Storage backends read in their own ways: the file system calls `chunks()`, S3's seeks and calls
`read(n)`. What is hashed here is what they read, whichever way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

if TYPE_CHECKING:
    _File = File[bytes]
else:  # the stubs' generic is a plain class at run time
    _File = File

_BLOCK = 1 << 20


class HashedFile(_File):
    """A file that hashes what storage reads from it; each byte once, also when it is read twice.

    `size_read`, `sha256` and `md5` are of what was read, and are asked for after the file was
    stored. The source is not closed: it belongs to the caller.
    """

    DEFAULT_CHUNK_SIZE = _BLOCK

    def __init__(self, source: BinaryIO | UploadedFile[bytes], *, with_md5: bool = False) -> None:
        super().__init__(source)
        self._source = source
        self._hashes = [hashlib.sha256()]
        if with_md5:
            self._hashes.append(hashlib.md5(usedforsecurity=False))
        self.size_read = 0

    def read(self, size: int | None = -1) -> bytes:
        start = self._source.tell()
        block = self._source.read(-1 if size is None else size)
        if start > self.size_read:
            raise ValueError(f"Bytes {self.size_read} to {start} were passed over.")
        new = block[self.size_read - start :]
        for digest in self._hashes:
            digest.update(new)
        self.size_read += len(new)
        return block

    def readinto(self, buffer: bytearray | memoryview) -> int:
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Leave the source open; some backends close what they have stored."""

    @property
    def sha256(self) -> str:
        return self._hashes[0].hexdigest()

    @property
    def md5(self) -> str:
        return self._hashes[1].hexdigest()


class SpooledFile(_File):
    """A file on the local disk that storage on the same disk may move instead of copying it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def stored_names(folder: str) -> list[str]:
    """The names of the files in a folder of the storage; none where there is no such folder."""
    try:
        return default_storage.listdir(folder)[1]
    except FileNotFoundError:
        return []


def tidy_attempts(folder: str, token: int, kept: Callable[[], str | None]) -> None:
    """Remove what the attempts up to `token` have stored in a folder of a row's own.

    Their names begin with their tokens and a dot. kept: the one file that stays; asked after the
    folder was listed. An attempt may be cut off, or lose its row, after its file is in storage.
    """
    names = stored_names(folder)
    if not names:
        return
    keep = kept()
    for name in names:
        path = f"{folder}/{name}"
        if path != keep and int(name.partition(".")[0]) <= token:
            default_storage.delete(path)
