"""A short directory for unix sockets, whose paths may have at most 107 bytes."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

LONGEST = 60
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class UnsafeSocketDirectory(Exception):
    """Other users may enter the directory."""


def temporary_root() -> Path:
    """The system's temporary directory, or /tmp if that is too long or has special characters."""
    root = tempfile.gettempdir()
    # PostgreSQL reads the path as a list with quotes and commas, kombu as a part of a URL.
    if len(root) <= LONGEST and PLAIN.fullmatch(root):
        return Path(root)
    return Path("/tmp")  # noqa: S108 - the directory below it is checked for its owner


def socket_directory(data_dir: Path, owner: int) -> Path:
    """Make or find the 0700 directory that belongs to a data directory.

    owner: the user id that a server makes its owner. Raises UnsafeSocketDirectory if it is a link
    or belongs to another user.
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
    status = path.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid in owners
    if not is_ours or stat.S_IMODE(status.st_mode) & 0o077:
        raise UnsafeSocketDirectory(
            f"{path} should be a directory of your own that nobody else can enter, but "
            f"it is {stat.filemode(status.st_mode)} of user id {status.st_uid}. Remove "
            "it, or set TMPDIR to a directory of your own."
        )
