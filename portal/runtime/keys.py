"""Secrets made on the first run, each in a file that only its owner may read."""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)


class KeyLost(Exception):
    """A key that protects existing data is missing."""


@dataclass(frozen=True)
class Keys:
    """The key files of a data directory."""

    directory: Path

    @property
    def secret_key(self) -> Path:
        """Django's SECRET_KEY."""
        return self.directory / "secret_key"

    @property
    def vault_keys(self) -> Path:
        """Keys of the stored secrets: lines of ``name:base64 of 32 bytes``."""
        return self.directory / "vault_keys"

    @property
    def host_key(self) -> Path:
        """The drop server's SSH host key, OpenSSH form."""
        return self.directory / "ssh_host_ed25519_key"

    def ensure(self, *, has_data: bool) -> None:
        """Make what is missing. Raises KeyLost when has_data and the vault's keys are gone."""
        if has_data and not self.vault_keys.exists():
            raise KeyLost(
                f"{self.vault_keys} is missing, and without it the stored passwords and keys of "
                "this installation cannot be read. Restore it from a backup of the data directory."
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_once(self.secret_key, new_secret_key)
        make_once(self.vault_keys, new_vault_keys)
        make_once(self.host_key, new_host_key)


def make_once(path: Path, content: Callable[[], bytes]) -> None:
    """Write a new 0600 file in one step, unless it exists."""
    if path.exists():
        return
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("wb") as file:
        file.write(content())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def new_secret_key() -> bytes:
    """64 random characters."""
    return secrets.token_urlsafe(48).encode()


def new_vault_keys() -> bytes:
    """One key, named k1."""
    return b"k1:" + base64.b64encode(secrets.token_bytes(32)) + b"\n"


def new_host_key() -> bytes:
    """An Ed25519 private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def fingerprint(host_key: Path) -> str:
    """A private key file's public fingerprint, as OpenSSH shows it: ``SHA256:...``."""
    public = load_ssh_private_key(host_key.read_bytes(), password=None).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
