"""What the collector does in an endpoint's folders: list, read, replace, compare-and-delete.

All through the drop server's jail: a sender's names are data, links are refused. A file is
identified by its source (inode, mtime and size), so that nothing newer of the same name is removed.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from imports.arrivals.decisions import shown
from imports.arrivals.listing import Entry, Listing
from portal import logs
from portal.dropserver.jail import Jail, open_plain, source_of
from portal.dropserver.paths import PARTS_DIRECTORY, Path

log = logs.get(__name__)
_DEEPEST = 8


def path_of(text: str) -> Path:
    """A folder's path as the jail wants it."""
    return tuple(name for name in text.split("/") if name)


def tree(jail: Jail) -> dict[str, Listing]:
    """The listings of all folders that can be read, by path; "" is the root."""
    listings: dict[str, Listing] = {}
    waiting: list[Path] = [()]
    while waiting:
        path = waiting.pop()
        try:
            entries = _entries(jail, path)
        except OSError as exc:
            log.warning("folder_not_read", path=shown("/".join(path)), error=repr(exc))
            continue
        listings["/".join(path)] = Listing(entries)
        if len(path) < _DEEPEST:
            waiting += [(*path, entry.name) for entry in entries if entry.is_dir]
    return listings


def listing(jail: Jail, folder: Path) -> Listing:
    """What is in one folder now."""
    return Listing(_entries(jail, folder))


def taken(jail: Jail, folder: Path) -> set[str]:
    """Every name in a folder, those of links and special files too: none of them is free."""
    with jail.directory(folder) as fd:
        return set(os.listdir(fd))  # noqa: PTH208 - a descriptor, not a path


def _entries(jail: Jail, path: Path) -> list[Entry]:
    entries = []
    with jail.directory(path) as fd, os.scandir(fd) as items:
        for item in items:
            if item.name == PARTS_DIRECTORY:
                continue
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                entries.append(_entry(item.name, status))
    return entries


def _entry(name: str, status: os.stat_result) -> Entry:
    return Entry(
        name=name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        is_dir=stat.S_ISDIR(status.st_mode),
    )


def source_of_entry(entry: Entry) -> str:
    """The `source_of` a listed file."""
    return f"{entry.inode}:{entry.mtime_ns}:{entry.size}"


@contextmanager
def reading(jail: Jail, path: Path) -> Iterator[BinaryIO]:
    """The file, opened. Raises OSError (FileNotFoundError where it is gone)."""
    with os.fdopen(jail.open_read(path), "rb") as file:
        yield file


def write(jail: Jail, path: Path, content: Iterator[bytes]) -> None:
    """Write a file of the portal's under its name at once, replacing what it wrote before."""
    with jail.directory(path[:-1]) as folder:
        hidden = f".{uuid.uuid4().hex}.tmp"
        fd = open_plain(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder)
        try:
            with os.fdopen(fd, "wb") as file:
                for block in content:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.rename(hidden, path[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(hidden, dir_fd=folder)
            raise


def remove_same(jail: Jail, path: Path, source: str) -> bool:
    """Remove the file if it still is that source. Returns False where it is gone or another one.

    The name is moved aside first and looked at there; a newer file is put back, unless an even
    newer one has taken the name meanwhile.
    """
    with jail.directory(path[:-1]) as folder:
        aside = f".{uuid.uuid4().hex}.tmp"
        try:
            if source_of(os.stat(path[-1], dir_fd=folder, follow_symlinks=False)) != source:
                return False
            os.rename(path[-1], aside, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            return False
        if source_of(os.stat(aside, dir_fd=folder, follow_symlinks=False)) == source:
            os.unlink(aside, dir_fd=folder)
            return True
        _put_back(folder, aside, path[-1])
        return False


def _put_back(folder: int, aside: str, name: str) -> None:
    try:
        os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as exc:
        if exc.errno != errno.EEXIST:
            raise
    os.unlink(aside, dir_fd=folder)
