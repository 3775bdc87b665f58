"""The server's own key: read, or made on the first start and kept."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh


def load(file: Path) -> asyncssh.SSHKey:
    """The private key in a file; an Ed25519 one is made there if the file is not.

    Two servers that start at once end with the same key. Raises OSError, KeyImportError.
    """
    if not file.exists():
        _make(file)
    return asyncssh.read_private_key(file)


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As `ssh-keygen -l` shows it: "SHA256:" and base64 without padding."""
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
