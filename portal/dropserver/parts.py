"""Running uploads: a hidden part file that gets its name when the sender closes it.

A part is in `.parts/` under the account's root (on the same device, so that the last step is one
rename). Its name is derived from its path and its account, so that a resume finds it and no other.
The writer has a lock that ends with the process: a second writer is refused, and a part without a
lock is a *partial upload* (reliability.md, rule 16 and A12).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from portal.dropserver.jail import Jail, move, open_plain, source_of
from portal.dropserver.paths import PARTS_DIRECTORY, Path
from portal.dropserver.upload_faults import Busy, Incomplete, UploadBroken
from portal.dropserver.written import TooManyPieces, WrittenBytes

_LOCKS = "locks"
_SUFFIX = ".part"
_COPY_BLOCK = 8 * 1024 * 1024
_PARTS: Path = (PARTS_DIRECTORY,)


class UploadPart:
    """An open upload. `Parts.open` creates it; it ends with `finish` or `abandon`."""

    def __init__(self, parts: Parts, path: Path, name: str, fd: int, lock: int) -> None:
        self.path = path
        self.source = ""  # which file it became, as `source_of` says; empty until it is finished
        self._parts = parts
        self._name = name
        self._fd = fd
        self._lock = lock
        self._failed: OSError | None = None
        # What was written without a gap: a resume must never begin after it.
        self._written = WrittenBytes(os.fstat(fd).st_size)

    @property
    def is_open(self) -> bool:
        """Whether it has neither been finished nor abandoned."""
        return self._fd >= 0

    def write(self, offset: int, data: bytes) -> int:
        """Write all of data at offset (bytes). Raises OSError, and then the upload is broken."""
        try:
            self._write_all(offset, data)
            self._written.add(offset, offset + len(data))
        except OSError as error:
            self._failed = error
            raise
        except TooManyPieces:
            self.fail("The file was written in too many places at once. Send it from its start.")
        return len(data)

    def append(self, data: bytes) -> int:
        """Write all of data at the end. Raises OSError, and then the upload is broken."""
        return self.write(os.fstat(self._fd).st_size, data)

    def read(self, offset: int, size: int) -> bytes:
        """Up to size bytes at offset. Raises OSError."""
        return os.pread(self._fd, size, offset)

    def stat(self) -> os.stat_result:
        """The part's size and times. Raises OSError."""
        return os.fstat(self._fd)

    def fail(self, reason: str) -> NoReturn:
        """Break the upload, with words for the sender. Always raises OSError."""
        self._failed = OSError(errno.EFBIG, reason)
        raise self._failed

    def sync(self) -> None:
        """Flush what was written to the disk. Blocks."""
        os.fsync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut to size (bytes). A part is never lengthened: nobody sent those bytes."""
        if size < os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, size)
            self._written.cut(size)

    def finish(self, *, may_replace: bool) -> int:
        """Flush the part to the disk, then rename it. Returns its size in bytes. Blocks.

        may_replace: whether a file that has the name may be replaced.
        Raises OSError (UploadBroken, FileExistsError, LinkRefused); the part then stays.
        """
        try:
            if self._failed is not None:
                raise UploadBroken(self._failed)
            if (gap := self._written.gap()) is not None:
                raise Incomplete(*gap)
            os.fsync(self._fd)
            status = os.fstat(self._fd)
            self._parts.rename_part(self._name, self.path, may_replace=may_replace)
        except OSError:
            self.abandon()
            raise
        self.source = source_of(status)
        self._release()
        return status.st_size

    def abandon(self) -> int:
        """Keep the part for a resume, cut to what arrived without a gap. Returns that size."""
        if not self.is_open:
            return 0
        try:
            os.ftruncate(self._fd, self._written.whole)
            size = os.fstat(self._fd).st_size
        except OSError:
            size = 0
        self._release()
        return size

    def _write_all(self, offset: int, data: bytes) -> None:
        written = os.pwrite(self._fd, data, offset)
        while written < len(data):
            more = os.pwrite(self._fd, memoryview(data)[written:], offset + written)
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)
        os.close(self._lock)


class Parts:
    """The part files of one account under one root."""

    def __init__(self, jail: Jail, owner: str) -> None:
        """owner: distinguishes the accounts of one root; it is part of the file's name."""
        self._jail = jail
        self._owner = owner

    def open(self, path: Path, *, fresh: bool) -> UploadPart:
        """Begin or continue an upload to a path whose folder exists. May copy a large file.

        fresh: begin empty; otherwise continue the complete file of that name, else the part.
        Raises OSError, Busy, LinkRefused.
        """
        with self._jail.directory(path[:-1]):
            pass  # the folder must be there now, not only when the upload ends
        name = self._name(path)
        with self._directory() as directory:
            lock = _lock(directory, name)
            try:
                fd = open_plain(name, os.O_RDWR | os.O_CREAT, directory)
            except OSError:
                os.close(lock)
                raise
        try:
            self._prepare(fd, path, fresh=fresh)
            return UploadPart(self, path, name, fd, lock)
        except OSError:
            os.close(fd)
            os.close(lock)
            raise

    def stat(self, path: Path) -> os.stat_result | None:
        """The status of a path's part, None if there is none: a resume begins at its size."""
        try:
            return self._jail.stat((*_PARTS, self._name(path)))
        except FileNotFoundError:
            return None

    def remove(self, path: Path) -> bool:
        """Remove the part of a path. Returns whether there was a part. Raises Busy."""
        if self.stat(path) is None:
            return False
        name = self._name(path)
        with self._directory() as directory:
            return _remove_unlocked(directory, name)

    def rename_part(self, part: str, path: Path, *, may_replace: bool) -> None:
        """Rename a part to its path and flush the directory. Raises OSError, LinkRefused."""
        with self._directory() as directory, self._jail.directory(path[:-1]) as target:
            move(directory, part, target, path[-1], replace=may_replace)
            os.fsync(target)

    def _prepare(self, fd: int, path: Path, *, fresh: bool) -> None:
        """Fill the part with the bytes that the upload continues."""
        if fresh:
            os.ftruncate(fd, 0)
            return
        try:
            source = self._jail.open_read(path)
        except FileNotFoundError:
            return
        try:
            os.ftruncate(fd, 0)
            _copy(source, fd)
        finally:
            os.close(source)

    def _name(self, path: Path) -> str:
        digest = hashlib.sha256("/".join(path).encode("utf-8")).hexdigest()[:40]
        account = hashlib.sha256(self._owner.encode("utf-8")).hexdigest()[:16]
        return f"{digest}.{account}{_SUFFIX}"

    @contextmanager
    def _directory(self) -> Iterator[int]:
        with _parts_directory(self._jail) as directory:
            yield directory


def remove_old(jail: Jail, before: float) -> int:
    """Remove parts last written before a time (seconds since 1970) that nobody writes to.

    Returns how many. The sweep calls it for abandoned partial uploads.
    """
    removed = 0
    with _parts_directory(jail) as directory, os.scandir(directory) as items:
        for name in [item.name for item in items]:
            if name.endswith(_SUFFIX) and _modified(name, directory) < before:
                removed += _try_remove(directory, name)
    return removed


@contextmanager
def _parts_directory(jail: Jail) -> Iterator[int]:
    with jail.directory(()) as root:
        try:
            os.mkdir(PARTS_DIRECTORY, 0o700, dir_fd=root)
        except FileExistsError:
            pass
    with jail.directory(_PARTS) as directory:
        yield directory


def _lock(directory: int, part: str) -> int:
    """A descriptor with the lock on a part's path. Raises Busy.

    One byte of one file represents one path, whatever the account: no lock file is left behind,
    and the lock ends with the descriptor, however the process ends.
    """
    fd = os.open(
        _LOCKS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
    )
    start = int(part[:15], 16)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, start, 1, 0))
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise Busy from None
        raise
    return fd


def _try_remove(directory: int, part: str) -> bool:
    try:
        return _remove_unlocked(directory, part)
    except Busy:
        return False


def _remove_unlocked(directory: int, part: str) -> bool:
    lock = _lock(directory, part)
    try:
        os.unlink(part, dir_fd=directory)
    except FileNotFoundError:
        return False
    finally:
        os.close(lock)
    return True


def _modified(name: str, directory: int) -> float:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")


def _copy(source: int, target: int) -> None:
    while os.sendfile(target, source, None, _COPY_BLOCK):
        pass
