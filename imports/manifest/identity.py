"""One delivered manifest file is one arrival: the key that a UNIQUE constraint holds.

The key consists of the drop and the identity of the file, not of its name:

* inode and mtime stay the same when the claim renames the file, so ten collectors that see the
  same delivery, before or after the claim, compute one key and nine inserts fail;
* a manifest sent again is a new file: the drop server writes every upload to a part file of its
  own, which gives another inode, and another mtime in nanoseconds where the inode is used again;
* size and content are in it so that a file that was changed in place gets another key.

It must be computed at the claim, from the delivered bytes: marking (`annotate`) writes a new file.
"""

from __future__ import annotations

import hashlib


def identity(drop: str, *, inode: int, mtime_ns: int, size: int, sha256: str) -> str:
    """Compute the identity of a delivery: 64 hex digits.

    drop: id of the drop. inode, mtime_ns, size (bytes): from `fstat` of the opened file.
    sha256: hex digest of its content, in any case.
    """
    parts = (drop, str(inode), str(mtime_ns), str(size), sha256.lower())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
