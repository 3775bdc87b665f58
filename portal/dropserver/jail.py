"""File access under one root directory that no foreign path can leave.

Each name is opened from the directory above it with O_NOFOLLOW, and the open descriptor is
checked, never the path again. Only regular files and directories are served: symbolic links, hard
links (a file with two names may be somebody else's) and devices are refused. No path text is joined
or compared (reliability.md, rule 15). SFTP and FTPS both use it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as LocalPath

from portal.dropserver.paths import PARTS_DIRECTORY, Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK opening a named pipe would block the whole server.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LINK_ERRORS = frozenset({errno.ELOOP, errno.EMLINK})


class LinkRefused(OSError):
    """The path leads to a link, a device or a file with a second name."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "Links and special files are not supported.")


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name in a directory. size in bytes, modified in seconds since 1970."""

    name: str
    is_directory: bool
    size: int
    modified: float


class Jail:
    """The tree below one directory. It has a descriptor: close it, or use it in a `with` block."""

    def __init__(self, root: LocalPath | str) -> None:
        """root: a directory that the operator chose; links on the way to it are allowed."""
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Jail:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    def stat(self, path: Path) -> os.stat_result:
        """The status of a regular file or a directory. Raises OSError, LinkRefused."""
        if not path:
            return os.fstat(self._root)
        with self.directory(path[:-1]) as parent:
            return require_plain(os.stat(path[-1], dir_fd=parent, follow_symlinks=False))

    def exists(self, path: Path) -> bool:
        """Whether anything exists there, a link included. Raises OSError if a folder is missing."""
        try:
            self.stat(path)
        except FileNotFoundError:
            return False
        except LinkRefused:
            return True
        return True

    def entries(self, path: Path) -> list[DirectoryEntry]:
        """The files and directories in a directory, by name, without links and hidden names."""
        with self.directory(path) as fd, os.scandir(fd) as items:
            entries = [_entry(item.name, fd) for item in items if item.name != PARTS_DIRECTORY]
        return sorted((entry for entry in entries if entry), key=lambda entry: entry.name)

    def open_read(self, path: Path) -> int:
        """A descriptor of a regular file, for reading. Raises OSError, LinkRefused."""
        if not path:
            raise IsADirectoryError(errno.EISDIR, "This is a folder, not a file.")
        with self.directory(path[:-1]) as parent:
            return open_plain(path[-1], os.O_RDONLY, parent)

    def remove(self, path: Path) -> None:
        """Remove a regular file. Raises OSError, LinkRefused."""
        if not path:
            raise IsADirectoryError(errno.EISDIR, "This is a folder, not a file.")
        with self.directory(path[:-1]) as parent:
            _require_file(path[-1], parent)
            os.unlink(path[-1], dir_fd=parent)

    def rename(self, old: Path, new: Path, *, replace: bool = False) -> None:
        """Rename a regular file within the tree; the folder of the new name must exist.

        replace: a regular file of that name may be replaced. Blocks on the disk. Raises
        OSError (FileExistsError without replace), LinkRefused.
        """
        if not old or not new:
            raise IsADirectoryError(errno.EISDIR, "This is a folder, not a file.")
        with self.directory(old[:-1]) as source, self.directory(new[:-1]) as target:
            _require_file(old[-1], source)
            move(source, old[-1], target, new[-1], replace=replace)
            os.fsync(target)

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents; for the portal's own folder trees."""
        for depth in range(1, len(path) + 1):
            with self.directory(path[: depth - 1]) as parent:
                try:
                    os.mkdir(path[depth - 1], 0o750, dir_fd=parent)
                except FileExistsError:
                    continue
        with self.directory(path):
            pass  # what exists already must be a directory

    @contextmanager
    def directory(self, path: Path) -> Iterator[int]:
        """A descriptor of a directory, reached one name at a time. Raises OSError, LinkRefused."""
        # Not a dup: each descriptor must have its own lock (see `move`).
        fd = os.open(".", _DIRECTORY, dir_fd=self._root)
        try:
            for name in path:
                fd, above = _open_directory(name, fd), fd
                os.close(above)
            yield fd
        finally:
            os.close(fd)


def open_plain(name: str, flags: int, directory: int, mode: int = 0o640) -> int:
    """Open one name as a regular file with one name only. Raises OSError, LinkRefused."""
    try:
        fd = os.open(name, flags | _FILE, mode, dir_fd=directory)
    except OSError as error:
        if error.errno in _LINK_ERRORS or error.errno == errno.ENXIO:
            raise LinkRefused from None
        raise
    try:
        refuse_directory(require_single(os.fstat(fd)))
    except OSError:
        os.close(fd)
        raise
    return fd


def move(source: int, old: str, target: int, new: str, *, replace: bool) -> None:
    """Rename between two open directories. Raises OSError, LinkRefused.

    The lock on the target directory closes the gap between the check and the rename for every
    process that uses this function; Python has no RENAME_NOREPLACE.
    """
    fcntl.flock(target, fcntl.LOCK_EX)
    try:
        existing = _lstat(new, target)
        if existing is not None:
            refuse_directory(require_single(existing))
            if not replace:
                raise FileExistsError(errno.EEXIST, "A file with that name already exists.")
        os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
    finally:
        fcntl.flock(target, fcntl.LOCK_UN)


def source_of(status: os.stat_result) -> str:
    """What makes a file this very file: inode, mtime in nanoseconds, size in bytes."""
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


def require_plain(status: os.stat_result) -> os.stat_result:
    """Return the status of a regular file or a directory. Raises LinkRefused for all else."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise LinkRefused
    return status


def require_single(status: os.stat_result) -> os.stat_result:
    """Return the status of a directory or of a file with one name. Raises LinkRefused."""
    if stat.S_ISREG(require_plain(status).st_mode) and status.st_nlink > 1:
        raise LinkRefused
    return status


def refuse_directory(status: os.stat_result) -> None:
    """Raise IsADirectoryError for a directory."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "This is a folder, not a file.")


def _open_directory(name: str, above: int) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=above)
    except OSError as error:
        # With O_DIRECTORY a symbolic link gives ENOTDIR or ELOOP, depending on the kernel.
        if error.errno in _LINK_ERRORS or _is_link(name, above):
            raise LinkRefused from None
        raise


def _is_link(name: str, above: int) -> bool:
    status = _lstat(name, above)
    return status is not None and stat.S_ISLNK(status.st_mode)


def _lstat(name: str, directory: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _require_file(name: str, directory: int) -> None:
    refuse_directory(require_single(os.stat(name, dir_fd=directory, follow_symlinks=False)))


def _entry(name: str, directory: int) -> DirectoryEntry | None:
    status = _lstat(name, directory)
    if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    return DirectoryEntry(name, stat.S_ISDIR(status.st_mode), status.st_size, status.st_mtime)
