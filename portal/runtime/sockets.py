"""A short directory for unix sockets, whose paths may not pass 107 bytes; a data path may."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

LONGEST = 60
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class UnsafeSocketDirectory(Exception):
    """The directory is not ours alone."""


def temporary_root() -> Path:
    """The system's temporary directory, or /tmp where that is too long or oddly named."""
    root = tempfile.gettempdir()
    # PostgreSQL reads the path as a list with quotes and commas, kombu as a part of a URL.
    if len(root) <= LONGEST and PLAIN.fullmatch(root):
        return Path(root)
    return Path("/tmp")  # noqa: S108 - the directory below it is checked for its owner


def socket_directory(data_dir: Path, owner: int) -> Path:
    """Make or find the 0700 directory that belongs to a data directory.

    owner: the user id that a server gives it to. Raises UnsafeSocketDirectory when it is a link or
    somebody else's.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    path = temporary_root() / f"causeway-{os.geteuid()}-{digest}"
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check(path, {os.geteuid(), owner})
    return path


def check(path: Path, owners: set[int]) -> None:
    """Raise UnsafeSocketDirectory unless it is a real directory of one of the owners, mode 0700."""
    found = path.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid in owners
    if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeSocketDirectory(
            f"{path} should be a directory of your own that nobody else can enter, but "
            f"it is {stat.filemode(found.st_mode)} of user id {found.st_uid}. Remove "
            "it, or set TMPDIR to a directory of your own."
        )
