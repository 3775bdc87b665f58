"""How a file is described to an SFTP client: its size and time, without the host's users."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import AsyncIterator, Iterable

from asyncssh import SFTPAttrs, SFTPName

from portal.dropserver.jail import DirectoryEntry

_FILE_MODE = stat.S_IFREG | 0o640
_DIRECTORY_MODE = stat.S_IFDIR | 0o750
_HALF_A_YEAR = 182 * 24 * 3600


def attributes(status: os.stat_result) -> SFTPAttrs:
    """The answer to `stat`."""
    return _attributes(
        is_directory=stat.S_ISDIR(status.st_mode), size=status.st_size, modified=status.st_mtime
    )


async def names(here: SFTPAttrs, entries: Iterable[DirectoryEntry]) -> AsyncIterator[SFTPName]:
    """The answers to `readdir`. here: the folder's own attributes, for "." and ".."."""
    for dots in (b".", b".."):
        yield SFTPName(dots, _longname(dots, here), here)
    for entry in entries:
        name = os.fsencode(entry.name)
        attrs = _attributes(
            is_directory=entry.is_directory, size=entry.size, modified=entry.modified
        )
        yield SFTPName(name, _longname(name, attrs), attrs)


def _attributes(*, is_directory: bool, size: int, modified: float) -> SFTPAttrs:
    return SFTPAttrs(
        size=size,
        uid=0,
        gid=0,
        permissions=_DIRECTORY_MODE if is_directory else _FILE_MODE,
        atime=int(modified),
        mtime=int(modified),
    )


def _longname(name: bytes, attrs: SFTPAttrs) -> bytes:
    """A line as `ls -l` prints it: some clients show it or even parse it."""
    modified = time.gmtime(attrs.mtime)
    is_recent = 0 <= time.time() - (attrs.mtime or 0) < _HALF_A_YEAR
    when = time.strftime("%b %d %H:%M" if is_recent else "%b %d  %Y", modified)
    mode = stat.filemode(attrs.permissions or 0)
    return f"{mode}    1 drop     drop     {attrs.size:>8} {when} ".encode() + name
