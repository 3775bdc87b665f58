"""The server's own key: read from a file, which is made on the first start."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh


def load(file: Path) -> asyncssh.SSHKey:
    """The private key in a file; if there is no file, an Ed25519 key is made.

    Two servers that start at the same time get the same key. Raises OSError, KeyImportError.
    """
    if not file.exists():
        _make(file)
    return asyncssh.read_private_key(file)


def fingerprint(key: asyncssh.SSHKey) -> str:
    """The fingerprint as `ssh-keygen -l` shows it: "SHA256:" and base64 without padding."""
    return str(key.get_fingerprint())


def _make(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    key = asyncssh.generate_private_key("ssh-ed25519", comment="drop server")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(key.export_private_key())
    try:
        file.hardlink_to(fresh)
    except FileExistsError:
        pass  # the other server's key is the key
    finally:
        fresh.unlink()
